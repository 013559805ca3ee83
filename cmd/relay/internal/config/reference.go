package config

import (
	"fmt"
	"io"
	"strings"
)

const referenceIntro = `# Settings

<!-- Made by ` + "`relay config --reference`" + ` from the table in cmd/relay/internal/config; go generate ./cmd/relay writes it anew. -->

Every setting but one (` + "`channels`" + `) can be given in three ways, the first of these being the strongest:

1. a flag, ` + "`--public-addr :8080`" + `
2. an environment variable, ` + "`RELAY_PUBLIC_ADDR=:8080`" + ` (one that is empty counts as not set)
3. a line in a YAML file, ` + "`public_addr: \":8080\"`" + `; the file is named by ` + "`--config FILE`" + ` or ` + "`RELAY_CONFIG`" + `

` + "`relay config`" + ` prints what is in force and where each value came from. An unknown key, flag or variable, a value that does not fit,
or settings that contradict each other stop the start with a sentence for each problem. That goes for every variable that begins with
` + "`RELAY_`" + `, except ` + "`RELAY_CONFIG`" + `, those of who uses a relay (` + "`RELAY_TOKEN`, `RELAY_API_URL`" + `, and ` + "`RELAY_API_KEY`" + ` where ` + "`api_keys`" + ` is set),
and those that Kubernetes makes for a Service called relay.

Lists are comma separated in flags and variables, and YAML lists in the file. Durations are written like ` + "`90s`, `10m` or `1h30m`" + `,
sizes in bytes like ` + "`65536`, `64KiB` or `8MiB`" + `.

A secret can also come from a file, which is how Kubernetes and Docker hand them over: ` + "`--jwt-secret-file`, `RELAY_JWT_SECRET_FILE`" + ` or
` + "`jwt_secret_file`" + ` name it. A line break at its end is ignored, and a change is noticed within a second or so. Prefer this, or the environment:
flags can be read by every user of the machine.
`

// WriteReference writes the page docs/settings.md.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(referenceIntro)
	group := ""
	for _, s := range table() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		s.reference(&b)
		if s.Name == channelsAfter {
			b.WriteString(channelsReference)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *Setting) reference(b *strings.Builder) {
	flag, variable, key := code("--"+s.Flag()), code(s.Env()), code(s.Name)
	if s.placeholder != "" {
		flag = code("--" + s.Flag() + " " + s.placeholder)
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", key, s.Help)
	fmt.Fprintf(b, "%s · %s · default %s\n\n", flag, variable, s.defaultText())
	if s.Secret {
		fmt.Fprintf(b, "From a file: %s · %s · %s\n\n", code("--"+s.Flag()+"-file PATH"), code(s.Env()+"_FILE"), code(s.Name+fileSuffix))
	}
	fmt.Fprintf(b, "%s\n", s.Doc)
}

func (s *Setting) defaultText() string {
	text := "empty"
	if s.Default != "" {
		text = code(s.Default)
	}
	if s.PodDefault != "" {
		text += ", in a pod " + code(s.PodDefault)
	}
	return text
}

func code(s string) string { return "`" + s + "`" }
