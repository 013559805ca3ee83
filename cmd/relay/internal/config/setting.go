package config

import "strings"

// Setting is one row of the table: everything there is to know about a
// setting except what Config does with it.
type Setting struct {
	// Name is the key in the YAML file; flag and variable derive from it.
	Name string
	// Group is the heading under which help and reference show it.
	Group string
	// Default is the text of the value when nothing is given; PodDefault
	// replaces it in a Kubernetes pod unless empty.
	Default, PodDefault string
	// Help is one line for --help; Doc is the Markdown for the reference page.
	Help, Doc string
	// Secret values are never shown, and may come from a file (see companion).
	Secret bool

	value
	// reads names the secret for which this setting is the path of a file.
	reads string
}

// Flag returns the setting's flag, without dashes.
func (s *Setting) Flag() string { return strings.ReplaceAll(s.Name, "_", "-") }

// Env returns the setting's environment variable.
func (s *Setting) Env() string { return envPrefix + strings.ToUpper(s.Name) }

// IsFile reports whether the setting is the path of a file that holds a secret.
func (s *Setting) IsFile() bool { return s.reads != "" }

const (
	envPrefix = "RELAY_"
	// fileSuffix makes a secret's name into that of its companion.
	fileSuffix = "_file"
)

// companion is the setting by which a secret comes from a file.
func (s *Setting) companion() *Setting {
	return &Setting{
		Name:  s.Name + fileSuffix,
		Group: s.Group,
		Help:  "Read " + s.Name + " from this file, again whenever it changes.",
		value: s.fromFile(),
		reads: s.Name,
	}
}

// Settings returns every setting in the order of the reference page; after
// each secret comes the setting that reads it from a file.
func Settings() []*Setting {
	var all []*Setting
	for _, s := range table() {
		all = append(all, s)
		if s.Secret {
			all = append(all, s.companion())
		}
	}
	return all
}

// pick returns the named settings, and the companions of those that are
// secrets; all settings if none is named.
func pick(names []string) []*Setting {
	if len(names) == 0 {
		return Settings()
	}
	wanted := make(map[string]bool)
	for _, name := range names {
		wanted[name] = true
	}
	var some []*Setting
	for _, s := range Settings() {
		if wanted[s.Name] || wanted[s.reads] {
			some = append(some, s)
		}
	}
	return some
}
