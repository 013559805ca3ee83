package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
	"relay/sidecar"
)

//go:generate sh -c "go run . inject --template > ../../charts/relay/templates/_sidecar.tpl"

var injectEntry = entry{
	name:    "inject",
	summary: "Add the relay to Kubernetes manifests.",
	help: `Puts the relay as a sidecar into the Deployments, StatefulSets, DaemonSets, Jobs,
CronJobs, ReplicaSets, ReplicationControllers and Pods of a file, and prints the
file. All else in it stays byte for byte. Done twice, it is done once; --uninject takes the sidecar out again.

  relay inject -f deploy.yaml --image registry.example.com/relay:1.2.3 \
    --redis-secret app-redis/url --secret RELAY_JWT_SECRET=app-relay/jwt-secret
  helm template app ./chart | relay inject -f - ... | kubectl apply -f -

It takes a native sidecar, which Kubernetes has since 1.29. docs/inject.md has the rest.
`,
	make: func() command { return new(injectCommand) },
}

type injectCommand struct {
	options sidecar.Options
	// file is where the manifests are; - is standard input.
	file     string
	write    bool
	uninject bool
	only     names

	print, template bool
	workload        string

	redisSecret   string
	secrets, sets assignments
}

func (c *injectCommand) flags(fs *flag.FlagSet) {
	o := &c.options
	c.secrets, c.sets = make(assignments), make(assignments)
	fs.StringVar(&c.file, "f", "", "The `FILE` with the manifests; - is standard input.")
	fs.BoolVar(&c.write, "write", false, "Write the result to the file instead of standard output.")
	fs.BoolVar(&c.uninject, "uninject", false, "Take the sidecar out again.")
	fs.Var(&c.only, "only", "Only these `WORKLOADS`: NAME or KIND/NAME, comma separated.")
	fs.BoolVar(&c.print, "print", false, "Print the container for a file that is written by hand.")
	fs.BoolVar(&c.template, "template", false, "Print the sidecar as named templates for a Helm chart.")
	fs.StringVar(&c.workload, "for", "", "With --print: the `WORKLOAD` whose pod it is for, as KIND/NAME.")
	fs.StringVar(&o.Image, "image", "", "The relay's `IMAGE`, with tag or digest.")
	fs.StringVar(&o.Name, "container-name", sidecar.DefaultName, "The container's `NAME`.")
	fs.BoolVar(&o.Ordinary, "ordinary", false, "An ordinary container, for clusters before 1.29. Not for Jobs.")
	fs.StringVar(&c.redisSecret, "redis-secret", "", "The Secret with Redis's URL, as `NAME/KEY`.")
	fs.StringVar(&o.Redis.URL, "redis-url", "", "Redis's `URL`, if it holds no password.")
	fs.BoolVar(&o.Redis.None, "without-redis", false, "Each pod is alone with its events.")
	fs.Var(c.secrets, "secret", "A setting from a Secret, as `VARIABLE=NAME/KEY`; may be repeated.")
	fs.Var(c.sets, "set", "A setting, as `VARIABLE=VALUE`; may be repeated.")
	fs.IntVar(&o.Ports.Public, "public-port", sidecar.DefaultPorts.Public, "`PORT` for clients.")
	fs.IntVar(&o.Ports.API, "api-port", sidecar.DefaultPorts.API, "`PORT` for the app, on loopback.")
	fs.IntVar(&o.Ports.Ops, "ops-port", sidecar.DefaultPorts.Ops, "`PORT` for probes and metrics.")
	fs.StringVar(&o.Resources.CPURequest, "cpu-request", sidecar.DefaultResources.CPURequest, "CPU that it asks for, as `QUANTITY`.")
	fs.StringVar(&o.Resources.MemoryRequest, "memory-request", sidecar.DefaultResources.MemoryRequest, "Memory that it asks for, as `QUANTITY`.")
	fs.StringVar(&o.Resources.MemoryLimit, "memory-limit", sidecar.DefaultResources.MemoryLimit, "Memory beyond which it is killed, as `QUANTITY`.")
}

func (c *injectCommand) run(_ context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return &flags.Error{Text: fmt.Sprintf("unexpected argument %q", args[0]), Hint: "a file stands behind -f"}
	}
	if err := c.checkMode(); err != nil {
		return err
	}
	if c.template {
		return sidecar.WriteTemplate(p.stdout, injectable())
	}
	if !c.uninject {
		if err := c.readOptions(); err != nil {
			return err
		}
	}
	if c.print {
		return c.printContainer(p)
	}
	return c.transform(p)
}

// checkMode: exactly one of the four things to do.
func (c *injectCommand) checkMode() error {
	given := 0
	for _, is := range []bool{c.file != "", c.print, c.template} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return &flags.Error{Text: "no file is given", Hint: "relay inject -f deploy.yaml; - is standard input"}
	case given > 1:
		return &flags.Error{Text: "-f, --print and --template do different things", Hint: "leave one of them"}
	case c.uninject && c.file == "":
		return &flags.Error{Text: "--uninject needs a file", Hint: "relay inject -f deploy.yaml --uninject"}
	case c.write && (c.file == "" || c.file == "-"):
		return &flags.Error{Text: "--write needs a file", Hint: "relay inject -f deploy.yaml --write"}
	}
	return nil
}

// readOptions brings the flags into the sidecar's options.
func (c *injectCommand) readOptions() error {
	o := &c.options
	if c.redisSecret != "" {
		ref, err := sidecar.ParseRef(c.redisSecret)
		if err != nil {
			return &flags.Error{Text: "--redis-secret: " + err.Error()}
		}
		o.Redis.Secret = ref
	}
	if config.HasPassword(o.Redis.URL) {
		return hint(errors.New("--redis-url holds a password, and whoever can read the manifest could read it"),
			"put the URL into a Secret and give --redis-secret NAME/KEY")
	}
	problems := checkInjected(c.sets, c.secrets)
	o.Env, o.Secrets = c.sets, make(map[string]sidecar.Ref)
	for name, text := range c.secrets {
		ref, err := sidecar.ParseRef(text)
		if err != nil {
			problems = append(problems, &config.Problem{Where: "--secret " + name, Text: err.Error()})
		}
		o.Secrets[name] = ref
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func (c *injectCommand) printContainer(p *program) error {
	kindName, name, _ := strings.Cut(c.workload, "/")
	kind, err := findKind(kindName)
	if err != nil {
		return err
	}
	text, env, err := sidecar.Print(kind, name, c.options)
	if err != nil {
		return explainRefusal("", err)
	}
	if problems := judgeEnvironment("", env); len(problems) > 0 {
		return problems
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

func findKind(text string) (sidecar.Kind, error) {
	var all []string
	for _, k := range sidecar.Kinds() {
		if strings.EqualFold(text, string(k)) {
			return k, nil
		}
		all = append(all, string(k))
	}
	e := &flags.Error{Text: fmt.Sprintf("--for: %q makes no pods that are known here", text), Hint: "it can be " + strings.Join(all, ", ")}
	if text == "" {
		e = &flags.Error{Text: "--print needs to know whose pod it is for", Hint: "give it like --for deployment/web"}
	}
	return "", e
}

// transform injects or uninjects.
func (c *injectCommand) transform(p *program) error {
	content, name, err := c.read(p)
	if err != nil {
		return err
	}
	if len(content) == 0 {
		return hint(fmt.Errorf("%s is empty", name), "a shell empties the target of > before the command starts; --write writes to the file itself")
	}
	var result string
	var changes []sidecar.Change
	if c.uninject {
		result, changes, err = sidecar.Uninject(string(content), sidecar.Selection(c.only))
	} else {
		result, changes, err = sidecar.Inject(string(content), c.options, sidecar.Selection(c.only))
	}
	if err != nil {
		return explainRefusal(name, err)
	}
	if !c.uninject {
		if problems := judgeInjected(name, changes); len(problems) > 0 {
			return problems
		}
	}
	if err := c.put(p, result); err != nil {
		return err
	}
	c.tell(p, name, changes)
	return nil
}

func (c *injectCommand) read(p *program) (content []byte, name string, err error) {
	if c.file == "-" {
		content, err = io.ReadAll(p.stdin)
		return content, "standard input", err
	}
	content, err = os.ReadFile(c.file)
	return content, c.file, err
}

// put writes the result where it belongs: all of it, or nothing.
func (c *injectCommand) put(p *program, result string) error {
	if !c.write {
		_, err := io.WriteString(p.stdout, result)
		return err
	}
	path, err := filepath.EvalSymlinks(c.file)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = temporary.WriteString(result)
	err = errors.Join(err, temporary.Chmod(info.Mode().Perm()), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

func (c *injectCommand) tell(p *program, name string, changes []sidecar.Change) {
	what := "has the relay beside it"
	if c.uninject {
		what = "is without the relay again"
	}
	for _, change := range changes {
		fmt.Fprintf(p.stderr, "relay inject: %s:%d: %s %s %s\n", name, change.Line, change.Kind, change.Name, what)
	}
	if len(changes) == 0 {
		fmt.Fprintf(p.stderr, "relay inject: %s: nothing to do in it\n", name)
	}
}

// explainRefusal turns what the sidecar's package says into problems of a file.
func explainRefusal(name string, err error) error {
	var refusals sidecar.Refusals
	if !errors.As(err, &refusals) {
		return err
	}
	var problems config.Problems
	for _, r := range refusals {
		p := &config.Problem{Text: r.Text, Hint: r.Hint}
		if r.Line > 0 {
			p.Where = fmt.Sprintf("%s:%d (document %d)", name, r.Line, r.Document)
		}
		problems = append(problems, p)
	}
	return problems
}
