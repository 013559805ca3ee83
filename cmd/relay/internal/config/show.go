package config

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"relay/cmd/relay/internal/flags"
)

// WriteYAML writes every setting in force and where it came from, as YAML
// that --config reads. What must stay hidden stands in comments.
func (c *Config) WriteYAML(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "# The settings in force. Behind each stands where it came from. Secrets are comments:")
	fmt.Fprintln(t, "# give them again when you use this as a file.")
	group := ""
	for _, s := range Settings() {
		from, given := c.origins[s.Name]
		if !given || s.Secret && c.hasFile(s) {
			continue
		}
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(t, "\n# %s\n", group)
		}
		text, plain := s.show(c)
		line := s.Name + ": " + text
		if !plain {
			line = "# " + line
		}
		fmt.Fprintf(t, "%s\t# %s%s\n", line, from.source(s), c.remark(s))
		if s.Name == channelsAfter {
			c.writeChannels(t)
		}
	}
	return t.Flush()
}

// hasFile reports whether a secret comes from a file: its companion's line
// then says all there is to say.
func (c *Config) hasFile(s *Setting) bool {
	_, given := c.origins[s.Name+fileSuffix]
	return given
}

// remark says what a value that was left to the relay came to.
func (c *Config) remark(s *Setting) string {
	if s.Name != "console" || c.console != toggleAuto {
		return ""
	}
	if c.Console {
		return "; on, because public_addr is loopback"
	}
	return "; off, because public_addr is not loopback"
}

// IsSetting reports whether a flag is that of a setting.
func IsSetting(flag string) bool {
	return slices.ContainsFunc(Settings(), func(s *Setting) bool { return s.Flag() == flag })
}

// WriteHelp writes the flags of every setting, group by group.
func WriteHelp(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	group := ""
	for _, s := range Settings() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(t, "\n%s\n", group)
		}
		flags.Line(t, s.Flag(), s.placeholder, s.Help, s.Default)
	}
	return t.Flush()
}
