package sidecar_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"relay/sidecar"
)

// manifest writes files as people do: each in a style of its own.
type manifest struct {
	dice *rand.Rand
	b    strings.Builder
	// step is how far a level is indented, dash how far a list's dashes are.
	step, dash int
	// inText: the last line is one of a block text.
	inText bool
}

func (m *manifest) one(texts ...string) string { return texts[m.dice.IntN(len(texts))] }

func (m *manifest) is(chance int) bool { return m.dice.IntN(100) < chance }

// line writes a line, and perhaps what people put around it.
func (m *manifest) line(depth int, text string) {
	if m.is(8) {
		m.b.WriteString(strings.Repeat(" ", m.dice.IntN(depth+6)) + m.one("# containers:", "#", "# - name: relay", "# spec: {a: b}") + "\n")
	}
	if m.is(5) {
		m.b.WriteString(m.one("\n", "  \n"))
	}
	m.inText = false
	m.b.WriteString(strings.Repeat(" ", depth) + text)
	if m.is(10) {
		m.b.WriteString(m.one("  # why not", " ", " #", "   # initContainers: []"))
	}
	m.b.WriteString("\n")
}

// text writes a block text, in which anything may stand.
func (m *manifest) text(depth int) {
	m.inText = true
	m.b.WriteString(strings.Repeat(" ", depth) + "args:\n" + strings.Repeat(" ", depth) + "- " + m.one("|", ">-", "|-", ">") + "\n")
	for range 1 + m.dice.IntN(4) {
		m.b.WriteString(strings.Repeat(" ", depth+m.step+2) + m.one("containers:", "- name: relay", "initContainers: []", "spec:", "# not a comment", "---", "kind: Deployment", "end") + "\n")
	}
}

// containers writes a list of containers.
func (m *manifest) containers(depth int, key string) {
	m.line(depth, key+":")
	for i := range 1 + m.dice.IntN(3) {
		depth := depth + m.dash
		name := fmt.Sprintf("name: %s-%d", strings.ToLower(key), i)
		if m.is(10) {
			m.line(depth, "- {"+name+", image: 'a:1'}")
			continue
		}
		m.line(depth, "- "+name)
		depth += 2
		m.line(depth, m.one("image: app:1", "image: 'app:1'", `image: "app:1"`))
		if m.is(30) {
			m.text(depth)
		}
		if m.is(30) {
			m.line(depth, "ports:")
			m.line(depth+m.dash, fmt.Sprintf("- containerPort: %d", 3000+i))
		}
		if m.is(20) {
			m.line(depth, `command: ["sh", "-c", "echo '# relay'"]`)
		}
	}
}

// pod writes the spec of a pod, whose fields come in any order.
func (m *manifest) pod(depth int) {
	fields := []func(){func() { m.containers(depth, "containers") }}
	switch m.dice.IntN(4) {
	case 0:
		fields = append(fields, func() { m.containers(depth, "initContainers") })
	case 1:
		fields = append(fields, func() {
			m.line(depth, m.one("initContainers: []", "initContainers:", "initContainers: ~", "initContainers: [ ]"))
		})
	}
	if m.is(30) {
		fields = append(fields, func() { m.line(depth, "terminationGracePeriodSeconds: 120") })
	}
	if m.is(30) {
		fields = append(fields, func() { m.line(depth, m.one("hostNetwork: false", "nodeSelector: {a: b}", "securityContext: {}")) })
	}
	if m.is(20) {
		fields = append(fields, func() {
			m.line(depth, "volumes:")
			m.line(depth+m.dash, "- name: x")
			m.line(depth+m.dash+2, "emptyDir: {}")
		})
	}
	m.dice.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	for _, field := range fields {
		field()
	}
}

// object writes one document; it returns whether a sidecar belongs into it.
func (m *manifest) object() bool {
	kind := m.one("Deployment", "StatefulSet", "DaemonSet", "Pod", "ReplicaSet", "Service", "ConfigMap")
	group := map[string]string{"Pod": "v1", "Service": "v1", "ConfigMap": "v1"}[kind]
	if group == "" {
		group = "apps/v1"
	}
	m.line(0, "apiVersion: "+m.one(group, `"`+group+`"`))
	m.line(0, "kind: "+m.one(kind, "'"+kind+"'"))
	m.line(0, "metadata:")
	m.line(m.step, "name: web")
	switch kind {
	case "Service":
		m.line(0, "spec: {ports: [{port: 80}]}")
		return false
	case "ConfigMap":
		m.line(0, "data:")
		m.inText = true
		m.b.WriteString(strings.Repeat(" ", m.step) + "file: |\n" + strings.Repeat(" ", 2*m.step) + "kind: Deployment\n")
		return false
	case "Pod":
		m.line(0, "spec:")
		m.pod(m.step)
		return true
	}
	m.line(0, "spec:")
	if m.is(50) {
		m.line(m.step, "replicas: 2")
	}
	m.line(m.step, "template:")
	m.line(2*m.step, "spec:")
	m.pod(3 * m.step)
	return true
}

// generate writes a file by a seed; it returns how many sidecars belong into it.
func generate(seed uint64) (file string, sidecars int) {
	m := &manifest{dice: rand.New(rand.NewPCG(seed, 1))}
	for i := range 1 + m.dice.IntN(3) {
		if i > 0 || m.is(30) {
			m.b.WriteString(m.one("---\n", "---  \n", "--- # next\n"))
		}
		m.step = 1 + m.dice.IntN(4)
		m.dash = m.dice.IntN(m.step + 1)
		if m.object() {
			sidecars++
		}
	}
	file = m.b.String()
	if m.is(20) {
		file = strings.ReplaceAll(file, "\n", "\r\n")
	}
	// A text that ends with the file cannot be followed by anything without
	// becoming longer by a line break; see TestTextThatEndsTheFile.
	if m.is(20) && !m.inText {
		file = strings.TrimRight(file, "\r\n")
	}
	if m.is(5) {
		file = "\ufeff" + file
	}
	return file, sidecars
}

func checkGenerated(t *testing.T, seed uint64) {
	t.Helper()
	file, sidecars := generate(seed)
	o := options()
	o.Ordinary = seed%2 == 0
	if seed%3 == 0 {
		o.Env = map[string]string{"RELAY_DRAIN_WINDOW": longDrain}
	}
	out, changes, err := sidecar.Inject(file, o, nil)
	if err != nil || len(changes) != sidecars {
		t.Fatalf("seed %d: %d of %d sidecars, %v, in\n%s", seed, len(changes), sidecars, err, file)
	}
	checkResult(t, file, out, o, changes)
}

func TestGeneratedFiles(t *testing.T) {
	for seed := range uint64(60) {
		checkGenerated(t, seed)
	}
}

func FuzzGeneratedFiles(f *testing.F) {
	f.Add(uint64(1_000_000))
	f.Fuzz(checkGenerated)
}

// FuzzInject: whatever the file, it is refused, or all promises are kept.
func FuzzInject(f *testing.F) {
	for _, file := range written {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		out, changes, err := sidecar.Inject(file, options(), nil)
		if err != nil {
			return
		}
		if len(changes) == 0 {
			if out != file {
				t.Fatalf("nothing to do, and yet %s", diff(file, out))
			}
			return
		}
		if again, _, err := sidecar.Inject(out, options(), nil); err != nil || again != out {
			t.Fatalf("the second time it is another file: %v\n%s", err, diff(out, again))
		}
		clean, _, err := sidecar.Uninject(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		if back, _, err := sidecar.Uninject(out, nil); err != nil || back != clean {
			t.Fatalf("it does not come out again: %v\n%s", err, diff(clean, back))
		}
	})
}
