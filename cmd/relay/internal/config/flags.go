package config

import (
	"flag"
	"strings"
)

// settingFlag collects what the command line gives for one setting. Its text
// is judged later, together with that of the other sources.
type settingFlag struct {
	setting *Setting
	items   []string
	given   bool
}

var _ flag.Value = (*settingFlag)(nil)

func (f *settingFlag) Set(text string) error {
	switch {
	case !f.setting.isList():
		f.items = []string{text}
	default:
		f.items = append(f.items, splitList(text)...)
	}
	f.given = true
	return nil
}

// String is what the flag package shows as the default.
func (f *settingFlag) String() string {
	if f.setting == nil {
		return "" // the flag package asks a zero value
	}
	return f.setting.Default
}

// IsBoolFlag lets a switch stand without a value.
func (f *settingFlag) IsBoolFlag() bool { return f.setting.accepts&shapeBool != 0 }

// Placeholder stands for the value in help.
func (f *settingFlag) Placeholder() string { return f.setting.placeholder }

// splitList reads a list as flags and variables hold it: comma separated.
// Names with a comma in them can only stand in the YAML file.
func splitList(text string) []string {
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
