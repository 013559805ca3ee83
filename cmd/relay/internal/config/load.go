package config

import (
	"errors"
	"flag"
	"fmt"
)

// rank orders the sources of a value by strength.
type rank int8

const (
	fromDefault rank = iota
	fromFile
	fromEnv
	fromFlag
)

// origin is where a value came from.
type origin struct {
	rank rank
	// File and line, for fromFile.
	file string
	line int
}

// where leads to the value of a setting, in front of a problem.
func (o origin) where(s *Setting) string {
	switch o.rank {
	case fromFlag:
		return "--" + s.Flag()
	case fromEnv:
		return s.Env()
	case fromFile:
		return fmt.Sprintf("%s:%d: %s", o.file, o.line, s.Name)
	}
	return s.Name
}

// source says the same in `relay config`.
func (o origin) source(s *Setting) string {
	switch o.rank {
	case fromFlag:
		return "flag --" + s.Flag()
	case fromEnv:
		return "environment " + s.Env()
	case fromFile:
		return fmt.Sprintf("%s:%d", o.file, o.line)
	}
	return "default"
}

// Loader is a set of settings bound to flags.
type Loader struct {
	settings []*Setting
	// all: the relay itself starts with them, so they must also make sense together.
	all   bool
	file  *string
	flags map[string]*settingFlag
}

// Bind defines the flags of the named settings, or of all if none is named,
// and --config on fs. Load is called after fs has been parsed.
func Bind(fs *flag.FlagSet, names ...string) *Loader {
	l := &Loader{settings: pick(names), all: len(names) == 0, flags: make(map[string]*settingFlag)}
	l.file = fs.String("config", "", "Read settings from this YAML `FILE` (or set "+ConfigVariable+").")
	for _, s := range l.settings {
		f := &settingFlag{setting: s}
		l.flags[s.Name] = f
		fs.Var(f, s.Flag(), s.Help)
	}
	return l
}

// Load brings together flags, environment, file and defaults, in this order of
// strength. environ is what os.Environ returns. The error is Problems.
//
// If only some settings are bound, the others stay zero, and variables and
// keys are not judged as a whole.
func (l *Loader) Load(environ []string, read ReadFile) (*Config, error) {
	j := &job{
		loader: l,
		env:    newEnvironment(environ),
		given:  make(map[string]given),
		failed: make(map[string]bool),
	}
	j.config = &Config{read: read, inPod: j.env[podVariable] != "", origins: make(map[string]origin)}
	j.readFile()
	j.collect()
	j.apply()
	if l.all {
		j.applyChannels()
		j.problems = append(j.problems, j.env.unknown(j.config.APIKeys.IsSet() || j.failed["api_keys"])...)
		j.config.derive()
		j.judge()
	}
	if len(j.problems) > 0 {
		return nil, j.problems
	}
	return j.config, nil
}

// given is the strongest text for a setting, and where it came from.
type given struct {
	items []string
	origin
}

// isEmpty reports whether a value was given only to say that there is none.
func (g given) isEmpty() bool { return len(g.items) == 0 || len(g.items) == 1 && g.items[0] == "" }

// job is one run of Load.
type job struct {
	loader   *Loader
	env      environment
	config   *Config
	fileName string
	inFile   map[string]fileValue
	rules    []fileRule
	given    map[string]given
	// failed holds the settings that have a problem already, so that rules
	// over several settings do not complain about the same thing again.
	failed   map[string]bool
	problems Problems
}

func (j *job) readFile() {
	name, where := *j.loader.file, "--config"
	if name == "" {
		name, where = j.env[ConfigVariable], ConfigVariable
	}
	if name == "" {
		return
	}
	content, err := j.config.read(name)
	if err != nil {
		j.problems = append(j.problems, &Problem{Where: where, Text: "the file " + quote(name) + " cannot be read: " + cause(err)})
		return
	}
	j.fileName = name
	file, problems := parseFile(name, content)
	j.inFile, j.rules = file.values, file.rules
	j.problems = append(j.problems, problems...)
}

// collect finds the strongest source of each setting.
func (j *job) collect() {
	for _, s := range j.loader.settings {
		if v, ok := j.inFile[s.Name]; ok {
			j.given[s.Name] = given{v.items, origin{rank: fromFile, file: j.fileName, line: v.line}}
			// Its problem has been told already.
			j.failed[s.Name] = v.items == nil
		}
		if items, ok := j.env.given(s); ok {
			j.given[s.Name] = given{items, origin{rank: fromEnv}}
		}
		if f := j.loader.flags[s.Name]; f.given {
			j.given[s.Name] = given{f.items, origin{rank: fromFlag}}
		}
	}
}

// apply parses the values into the Config.
func (j *job) apply() {
	for _, s := range j.loader.settings {
		g, ok := j.given[s.Name]
		switch {
		case !ok && s.reads != "":
			continue // no file: the secret itself decides
		case !ok:
			g = given{items: s.defaultItems(j.config.inPod)}
		case g.items == nil:
			continue
		}
		if s.reads != "" && j.contradicts(s, g) {
			continue
		}
		j.config.origins[s.Name] = g.origin
		if err := s.set(j.config, g.items); err != nil {
			j.fail(s, g.origin, err)
		}
	}
}

func (s *Setting) defaultItems(inPod bool) []string {
	text := s.Default
	if inPod && s.PodDefault != "" {
		text = s.PodDefault
	}
	if s.isList() {
		return splitList(text)
	}
	return []string{text}
}

// contradicts refuses a secret that is given both as text and as a file, even
// from sources of different strength: whoever changes one of them would
// wonder why nothing happens.
func (j *job) contradicts(companion *Setting, file given) bool {
	text, ok := j.given[companion.reads]
	if !ok || text.isEmpty() || file.isEmpty() {
		return false
	}
	secret := &Setting{Name: companion.reads}
	j.fail(companion, file.origin, unfit(
		fmt.Sprintf("%s is given twice: as a file here, and as text by %s", companion.reads, text.source(secret)),
		"leave one of the two"))
	return true
}

// fail records the problem of one setting.
func (j *job) fail(s *Setting, o origin, err error) {
	p := asProblem(err)
	p.Where = o.where(s)
	j.problems = append(j.problems, p)
	j.failed[s.Name] = true
	if s.reads != "" {
		j.failed[s.reads] = true
	}
}

// asProblem makes a problem of what a value's set returned.
func asProblem(err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) {
		p = &Problem{Text: err.Error()}
	}
	return p
}
