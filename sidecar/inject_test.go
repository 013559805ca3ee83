package sidecar_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"relay/sidecar"
)

// check injects, holds the result against everything that is promised about
// it, and returns it.
func check(t *testing.T, file string, o sidecar.Options) string {
	t.Helper()
	out, changes, err := sidecar.Inject(file, o, nil)
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, file)
	}
	checkResult(t, file, out, o, changes)
	return out
}

func checkResult(t *testing.T, file, out string, o sidecar.Options, changes []sidecar.Change) {
	t.Helper()
	again, _, err := sidecar.Inject(out, o, nil)
	if err != nil || again != out {
		t.Fatalf("the second time it is another file: %v\n%s", err, diff(out, again))
	}
	other := allOptions()
	other.Ordinary = o.Ordinary
	changed, _, err := sidecar.Inject(out, other, nil)
	if err != nil {
		t.Fatalf("with other options: %v", err)
	}
	for what, text := range map[string]string{"once": out, "twice, with other options": changed} {
		back, undone, err := sidecar.Uninject(text, nil)
		if err != nil || back != file {
			t.Fatalf("injected %s, it does not come out again: %v\n%s", what, err, diff(file, back))
		}
		if len(undone) != len(changes) {
			t.Fatalf("went into %d workloads and came out of %d", len(changes), len(undone))
		}
	}
	checkDecoded(t, file, out, o, len(changes))
}

// checkDecoded asks a parser whether the file is what it was and the sidecars.
func checkDecoded(t *testing.T, file, out string, o sidecar.Options, sidecars int) {
	t.Helper()
	before, after := decode(t, file), decode(t, out)
	name := o.Name
	if name == "" {
		name = sidecar.DefaultName
	}
	found := 0
	for i := range after {
		found += takeOut(after[i], name, o.Ordinary)
	}
	if found != sidecars {
		t.Fatalf("%d sidecars, want %d, in\n%s", found, sidecars, out)
	}
	for i := range before {
		takeOut(before[i], name, o.Ordinary)
	}
	if !reflect.DeepEqual(before, after) {
		t.Fatalf("more than the sidecar has changed:\nbefore %v\nafter  %v\nin\n%s", before, after, out)
	}
}

// decode reads the documents one by one: the library's decoder stops at one
// that is empty. It has trouble with the line endings of Windows in block texts, too.
func decode(t *testing.T, file string) []any {
	t.Helper()
	file = strings.ReplaceAll(strings.TrimPrefix(file, "\ufeff"), "\r\n", "\n")
	var docs []any
	for text := range strings.SplitAfterSeq("---\n"+file, "\n---") {
		text, _ = strings.CutSuffix(text, "---")
		if strings.Contains(text, "%YAML") {
			continue // a directive
		}
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%v in\n%s", err, file)
		}
		docs = append(docs, doc)
	}
	return docs
}

// longGrace is a grace period that only Inject writes: that of a pod whose relay
// drains for longDrain.
const (
	longDrain = "90s"
	longGrace = uint64(100)
)

// takeOut removes the sidecar wherever it is, and counts. An empty list of
// init containers is as good as none.
func takeOut(node any, name string, ordinary bool) int {
	count := 0
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			count += takeOut(item, name, ordinary)
		}
	case map[string]any:
		for _, value := range node {
			count += takeOut(value, name, ordinary)
		}
		if node["terminationGracePeriodSeconds"] == longGrace {
			delete(node, "terminationGracePeriodSeconds")
		}
		key := "initContainers"
		if ordinary {
			key = "containers"
		}
		items, _ := node[key].([]any)
		var rest []any
		for _, item := range items {
			fields, _ := item.(map[string]any)
			policy, _ := fields["restartPolicy"].(string)
			if fields["name"] == name && (policy == "Always") != ordinary {
				count++
			} else {
				rest = append(rest, item)
			}
		}
		if _, has := node[key]; has {
			node[key] = rest
		}
		if len(rest) == 0 {
			delete(node, key)
		}
	}
	return count
}

// diff shows the first line in which two texts differ.
func diff(want, got string) string {
	wants, gots := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	for i := range wants {
		if i >= len(gots) || wants[i] != gots[i] {
			return fmt.Sprintf("line %d: want %q, got %q", i+1, wants[i], append(gots, "")[min(i, len(gots))])
		}
	}
	return fmt.Sprintf("%d lines more", len(gots)-len(wants))
}

const head = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n"

// One app in the ways in which people write it.
var written = map[string]string{
	"two spaces":              head + "      containers:\n        - name: app\n          image: app:1\n",
	"dash below the key":      head + "      containers:\n      - name: app\n        image: app:1\n",
	"far dashes":              head + "      containers:\n          -   name: app\n              image: app:1\n",
	"dash on its own line":    head + "      containers:\n        -\n          name: app\n          image: app:1\n",
	"four spaces":             "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n    name: web\nspec:\n    template:\n        spec:\n            containers:\n                - name: app\n",
	"one space":               "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n name: web\nspec:\n template:\n  spec:\n   containers:\n   - name: app\n",
	"uneven":                  "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n    replicas: 2\n    template:\n      metadata:\n                labels: {app: web}\n      spec:\n           containers:\n             - name: app\n",
	"no newline at the end":   head + "      containers:\n        - name: app\n          image: app:1",
	"windows":                 strings.ReplaceAll(head+"      containers:\n        - name: app\n          image: app:1\n", "\n", "\r\n"),
	"windows, no end":         strings.ReplaceAll(head+"      containers:\n        - name: app\n          image: app:1", "\n", "\r\n"),
	"windows and unix":        strings.ReplaceAll(head, "\n", "\r\n") + "      containers:\n        - name: app\n          image: app:1\n",
	"byte order mark":         "\ufeff" + head + "      containers:\n        - name: app\n",
	"quoted keys":             "\"apiVersion\": \"apps/v1\"\n'kind': 'Deployment'\nmetadata: {'name': web}\n\"spec\":\n  \"template\":\n    \"spec\":\n      \"containers\":\n        - \"name\": \"app\"\n      'initContainers': []\n",
	"white space behind":      head + "      containers:  \n        - name: app   \n          image: app:1 \n      initContainers: []   \n",
	"empty init containers":   head + "      initContainers: []\n      containers:\n        - name: app\n",
	"empty, with a remark":    head + "      initContainers: [ ] # none yet\n      containers:\n        - name: app\n",
	"null init containers":    head + "      initContainers: null\n      containers:\n        - name: app\n",
	"tilde init containers":   head + "      initContainers: ~ # later\n      containers:\n        - name: app\n",
	"no init containers":      head + "      initContainers:\n      containers:\n        - name: app\n",
	"empty at the end":        head + "      containers:\n        - name: app\n      initContainers: []",
	"nothing at the end":      head + "      containers:\n        - name: app\n      initContainers:",
	"init containers":         head + "      initContainers: # in this order\n        # first\n        - name: migrate\n          command: [\"a\", \"b\"]\n\n        - name: seed\n      containers:\n        - name: app\n",
	"init containers, last":   head + "      containers:\n        - name: app\n      initContainers:\n      - name: migrate",
	"comments everywhere":     "# top\n" + head + "# at the margin\n      # above\n      containers: # beside\n  # odd\n        # in front\n        - name: app # beside\n          # below\n          image: app:1\n          # env:\n          #   - name: X\n# at the end\n",
	"blank lines":             "\n\n" + strings.ReplaceAll(head, "\n", "\n\n") + "      containers:\n\n        - name: app\n\n          image: app:1\n\n\n",
	"text with containers":    head + "      containers:\n        - name: app\n          args:\n            - |\n              containers:\n              - name: relay\n              initContainers: []\n\n              # not a comment\n          env:\n            - name: X\n              value: >-\n                spec:\n                  containers:\n",
	"text at the end":         head + "      containers:\n        - name: app\n          command:\n            - sh\n            - -c\n            - |\n              # begin\n              exec app\n\n              # end\n",
	"text with indent":        head + "      containers:\n        - name: app\n          args:\n            - |2\n                containers:\n              x\n",
	"long strings":            head + "      containers:\n        - name: app\n          args: [\"a\n            b\",\n            'c\n\n            d']\n          image: some\n            thing\n",
	"flow in an item":         head + "      containers:\n        - {name: app, image: 'app:1'}\n        - {name: b,\n           image: c}\n",
	"host network off":        head + "      hostNetwork: false\n      containers:\n        - name: app\n",
	"grace of its own":        head + "      terminationGracePeriodSeconds: 120 # slow\n      containers:\n        - name: app\n",
	"other keys behind":       head + "      containers:\n        - name: app\n      volumes:\n        - name: x\n          emptyDir: {}\n      # end\n  replicas: 2\n",
	"anchors elsewhere":       "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels: &labels\n    app: web\nspec:\n  selector:\n    matchLabels: *labels\n  template:\n    metadata:\n      labels: *labels\n    spec:\n      containers:\n        - name: app\n          env: &env\n            - name: A\n              value: b\n        - name: other\n          env: *env\n",
	"a mark in a text":        head + "      containers:\n        - name: app\n          args: ['# relay inject: begin']\n",
	"directive":               "%YAML 1.2\n---\n" + head + "      containers:\n        - name: app\n...\n",
	"separators":              "---\n---\n# nothing\n--- # web\n" + head + "      containers:\n        - name: app\n---\n",
	"documents":               head + "      containers:\n        - name: app\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n---   \n" + head + "      containers:\n      - name: app\n      initContainers: []\n---\n",
	"other kinds":             "apiVersion: v1\nkind: ConfigMap\ndata:\n  deploy.yaml: |\n    kind: Deployment\n    # relay inject: begin\n    spec:\n      template:\n        spec:\n          containers:\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n",
	"another's job":           "apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nspec:\n  template:\n    spec:\n      containers: []\n",
	"a patch":                 "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 3\n",
	"a list":                  "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    name: web\n  spec:\n    template:\n      spec:\n        containers:\n        - name: app\n- apiVersion: v1\n  kind: Service\n- kind: StatefulSet\n  apiVersion: apps/v1\n  metadata: {name: db}\n  spec:\n    template:\n      spec:\n        containers:\n        - name: app\n        initContainers: []",
	"an empty list":           "apiVersion: v1\nkind: List\nitems: []\n",
	"pod":                     "apiVersion: v1\nkind: Pod\nmetadata:\n  name: one\nspec:\n  containers:\n    - name: app\n",
	"replica set, daemon set": "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: a\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: b\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n",
	"udp":                     head + "      containers:\n        - name: app\n          ports:\n            - containerPort: 8080\n              protocol: UDP\n",
	"separator in a text":     head + "      containers:\n        - name: app\n          args:\n            - |\n              ---\n              kind: Deployment\n",
	"nothing":                 "# empty\n",
}

func TestWrittenInManyWays(t *testing.T) {
	for name, file := range written {
		t.Run(name, func(t *testing.T) {
			patient := options()
			patient.Env = map[string]string{"RELAY_DRAIN_WINDOW": longDrain}
			for _, o := range []sidecar.Options{options(), ordinary(options()), patient} {
				check(t, file, o)
			}
		})
	}
}

// What is not about pods is not even read.
func TestUnreadableAndUntouched(t *testing.T) {
	file := "{{ not: yaml at all\n---\n\tx\n---\n- &a [\n"
	for _, do := range []func() (string, []sidecar.Change, error){
		func() (string, []sidecar.Change, error) { return sidecar.Inject(file, options(), nil) },
		func() (string, []sidecar.Change, error) { return sidecar.Uninject(file, nil) },
	} {
		if out, changes, err := do(); err != nil || out != file || len(changes) != 0 {
			t.Errorf("%v %v %q", err, changes, out)
		}
	}
}

func TestJobs(t *testing.T) {
	for _, file := range []string{
		"apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: once\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: app\n",
		"apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: nightly\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n            - name: app\n",
	} {
		out := check(t, file, options())
		if strings.Contains(out, "RELAY_GENERATION") || !strings.Contains(out, "RELAY_DRAIN_DELAY") {
			t.Errorf("a Job is no Deployment:\n%s", out)
		}
		if _, _, err := sidecar.Inject(file, ordinary(options()), nil); err == nil || !strings.Contains(err.Error(), "never ends") {
			t.Errorf("an ordinary sidecar: %v", err)
		}
	}
}

// What cannot be done is said, with the place and with what to do.
func TestRefusals(t *testing.T) {
	app := "      containers:\n        - name: app\n"
	for name, tt := range map[string]struct {
		file     string
		document int
		line     int
		want     string
	}{
		"json":               {`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}`, 1, 1, "braces"},
		"flow spec":          {"apiVersion: v1\nkind: Service\n---\napiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{name: a}]}}}\n", 2, 6, "spec is written in braces"},
		"flow list":          {head + "      initContainers: [{name: a}]\n" + app, 1, 8, "initContainers is written in brackets"},
		"anchor":             {strings.Replace(head, "    spec:\n", "    spec: &pod\n", 1) + app, 1, 7, "anchor"},
		"anchor of template": {strings.Replace(head, "template:\n", "template: &pod\n", 1) + app, 1, 6, "anchor"},
		"alias":              {"apiVersion: apps/v1\nkind: Deployment\nx: &x\n  spec:\n    containers: []\nspec:\n  template: *x\n", 1, 7, "alias"},
		"merge":              {"x: &x\n  a: b\n" + head + "      <<: *x\n" + app, 1, 10, "elsewhere"},
		"tag":                {strings.Replace(head, "    spec:\n", "    spec: !!map\n", 1) + app, 1, 7, "tag"},
		"strange key":        {head + "      ? hostname\n      : a\n" + app, 1, 8, "a key is written"},
		"anchored list":      {head + "      initContainers: &i\n        - name: a\n" + app, 1, 8, "anchor"},
		"tabs":               {head + "\tcontainers:\n\t- name: app\n", 1, 8, "not valid YAML"},
		"helm template":      {head + "      containers:\n        {{- toYaml .Values.x | nindent 8 }}\n", 1, 9, "not valid YAML"},
		"same name":          {head + app + "        - name: relay\n", 1, 10, `a container "relay" already`},
		"same init name":     {head + "      initContainers:\n        - image: a\n          name: relay\n" + app, 1, 9, `a container "relay" already`},
		"same port":          {head + app + "          ports:\n            - containerPort: 8080\n", 1, 11, "the port 8080"},
		"same ops port":      {head + app + "          ports: [{containerPort: 8082, protocol: TCP}]\n", 1, 10, "the port 8082"},
		"host network":       {head + "      hostNetwork: true\n" + app, 1, 8, "network of its node"},
		"short grace":        {head + app + "      terminationGracePeriodSeconds: 10\n", 1, 10, "needs 30s to leave, and Kubernetes kills the pod after 10s"},
		"strange grace":      {head + "      terminationGracePeriodSeconds: \"60\"\n" + app, 1, 8, "not a plain number"},
		"aliased item":       {"apiVersion: v1\nkind: List\nx: &x {a: b}\nitems:\n  - *x\n", 1, 5, "an item is an alias"},
		"aliased items":      {"apiVersion: v1\nkind: List\nx: &x [a]\nitems: *x\n", 1, 4, "items is an alias"},
		"no dashes":          {head + app + "...\nkind: Deployment\n", 1, 11, "without a line of three dashes"},
		"duplicate key":      {head + app + app, 1, 10, "not valid YAML"},
		"no name":            {strings.Replace(head, "name: web", "generateName: web-", 1) + app, 1, 7, "has no name"},
		"mark without end":   {head + app + "# relay inject: begin\n", 1, 10, "has no end"},
		"mark without begin": {head + "      # relay inject: end\n" + app, 1, 8, "has no beginning"},
		"marks in a text":    {head + "      containers:\n        - name: app\n          args:\n            - |\n              # relay inject: begin\n              # relay inject: end\n", 1, 12, "would not be what it was"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := sidecar.Inject(tt.file, options(), nil)
			var refusals sidecar.Refusals
			if !errors.As(err, &refusals) || out != "" {
				t.Fatalf("got %v and\n%s", err, out)
			}
			r := refusals[0]
			if !strings.Contains(r.Text, tt.want) {
				t.Errorf("got %q, want it to say %q", r.Text, tt.want)
			}
			if r.Document != tt.document || tt.line > 0 && r.Line != tt.line {
				t.Errorf("document %d, line %d; want %d, %d", r.Document, r.Line, tt.document, tt.line)
			}
			if r.Hint == "" && !strings.Contains(r.Text, "not valid YAML") {
				t.Error("it does not say what to do")
			}
		})
	}
}

// Whatever follows such a text adds a line break to it.
func TestTextThatEndsTheFile(t *testing.T) {
	file := head + "      containers:\n        - name: app\n          args:\n            - |\n              exec app"
	check(t, file, options())
	check(t, file+"\n", ordinary(options()))
	var refusals sidecar.Refusals
	if _, _, err := sidecar.Inject(file, ordinary(options()), nil); !errors.As(err, &refusals) || !strings.Contains(refusals[0].Hint, "end the file with a line break") {
		t.Errorf("%v", err)
	}
}

// A list that Inject began is where somebody may put a container of theirs.
func TestContainerInTheList(t *testing.T) {
	const end, mine = "      # relay inject: end\n", "        - name: mine\n"
	injected := check(t, head+"      containers:\n        - name: app\n", options())
	for name, c := range map[string]struct{ with, want, hint string }{
		"between the marks": {mine + end, "a container of yours stands between the marks", "cut it out, run relay inject --uninject, and put it back"},
		"behind them":       {end + mine, "would not be what it was", "cut out what was added to the sidecar's list"},
	} {
		edited := strings.Replace(injected, end, c.with, 1)
		_, _, uninjecting := sidecar.Uninject(edited, nil)
		_, _, injecting := sidecar.Inject(edited, options(), nil)
		for _, err := range []error{uninjecting, injecting} {
			var refusals sidecar.Refusals
			if !errors.As(err, &refusals) || !strings.Contains(refusals[0].Text, c.want) || !strings.Contains(refusals[0].Hint, c.hint) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

func TestEveryRefusalIsTold(t *testing.T) {
	file := head + "      hostNetwork: true\n---\n" + head + "      terminationGracePeriodSeconds: 1\n"
	var refusals sidecar.Refusals
	if _, _, err := sidecar.Inject(file, options(), nil); !errors.As(err, &refusals) || len(refusals) != 2 {
		t.Errorf("%v", err)
	}
}

func TestHostNetworkWithKeys(t *testing.T) {
	o := options()
	o.Secrets["RELAY_API_KEYS"] = sidecar.Ref{Name: "a", Key: "b"}
	check(t, head+"      hostNetwork: true\n      containers:\n        - name: app\n", o)
}

// The relay knows the grace period of the pod it is in.
func TestGrace(t *testing.T) {
	app := "      containers:\n        - name: app\n"
	for _, tt := range []struct {
		spec, window, want string
		written            int
	}{
		{app, "", "30s", 0},
		{app, "40s", "50s", 1},
		{app, "40500ms", "51s", 1},
		{"      terminationGracePeriodSeconds: 120\n" + app, "", "120s", 1},
		{"      terminationGracePeriodSeconds: 50\n" + app, "40s", "50s", 1},
		{"      initContainers:\n        - name: a\n" + app, "1m", "70s", 1},
	} {
		o := options()
		if tt.window != "" {
			o.Env = map[string]string{"RELAY_DRAIN_WINDOW": tt.window}
		}
		for _, o := range []sidecar.Options{o, ordinary(o)} {
			out, changes, err := sidecar.Inject(head+tt.spec, o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := changes[0].Env["RELAY_GRACE_PERIOD"]; got != tt.want {
				t.Errorf("with a window of %q: %s, want %s", tt.window, got, tt.want)
			}
			if n := strings.Count(out, "terminationGracePeriodSeconds: "); n != tt.written {
				t.Errorf("%d grace periods in\n%s", n, out)
			}
		}
	}
}

func TestOnly(t *testing.T) {
	worker := strings.Replace(head, "name: web", "name: worker", 1) + "      containers:\n        - name: app\n"
	web := head + "      containers:\n        - name: app\n"
	file := web + "---\n" + worker
	both := check(t, file, options())
	webOnly, changes, err := sidecar.Inject(file, options(), sidecar.Selection{"deployment/web"})
	if err != nil || len(changes) != 1 || changes[0].Name != "web" || !strings.HasSuffix(webOnly, "---\n"+worker) {
		t.Fatalf("%v %v\n%s", changes, err, webOnly)
	}
	if back, _, err := sidecar.Uninject(both, sidecar.Selection{"worker"}); err != nil || back != webOnly {
		t.Errorf("%v\n%s", err, diff(webOnly, back))
	}
	for _, name := range []string{"wep", "statefulset/web", "/web"} {
		if _, _, err := sidecar.Inject(file, options(), sidecar.Selection{"web", name}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A chart's test pod is no part of the app.
func TestHooksOfHelm(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: check\n  annotations:\n    \"helm.sh/hook\": test\nspec:\n  containers:\n    - name: app\n"
	if out, changes, err := sidecar.Inject(pod, options(), nil); err != nil || out != pod || len(changes) != 0 {
		t.Errorf("%v %v\n%s", changes, err, out)
	}
	named, changes, err := sidecar.Inject(pod, options(), sidecar.Selection{"check"})
	if err != nil || len(changes) != 1 {
		t.Fatalf("%v %v", changes, err)
	}
	if again, _, err := sidecar.Inject(named, options(), nil); err != nil || again != named {
		t.Errorf("%v\n%s", err, diff(named, again))
	}
	if back, _, err := sidecar.Uninject(named, nil); err != nil || back != pod {
		t.Errorf("%v\n%s", err, diff(pod, back))
	}
}

// In a List, one item's sidecar can come and go without the other's.
func TestOnlyInList(t *testing.T) {
	file := written["a list"]
	both := check(t, file, options())
	o := options()
	o.Image = "relay:2"
	out, changes, err := sidecar.Inject(both, o, sidecar.Selection{"web"})
	if err != nil || len(changes) != 1 || strings.Count(out, "relay:2") != 1 || strings.Count(out, "relay:1.2.3") != 1 {
		t.Fatalf("%v %v\n%s", changes, err, out)
	}
	if back, _, err := sidecar.Uninject(out, nil); err != nil || back != file {
		t.Errorf("%v\n%s", err, diff(file, back))
	}
}

// A shape gives way to the other.
func TestFromOrdinaryToNative(t *testing.T) {
	for name, file := range written {
		before, _, err := sidecar.Inject(file, ordinary(options()), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after, _, err := sidecar.Inject(before, options(), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := check(t, file, options()); after != want {
			t.Errorf("%s: %s", name, diff(want, after))
		}
	}
}
