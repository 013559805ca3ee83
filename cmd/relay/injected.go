package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/suggest"
	"relay/sidecar"
)

// injectable returns the settings that can be given to a sidecar. Those that
// read a file are not among them: no file is mounted. What Owns is judged by
// the sidecar's package, which knows the flag for it.
func injectable() sidecar.Variables {
	var v sidecar.Variables
	for _, s := range config.Settings() {
		switch {
		case sidecar.Owns(s.Env()) || s.IsFile():
		case s.Secret:
			v.Secret = append(v.Secret, s.Env())
		default:
			v.Plain = append(v.Plain, s.Env())
		}
	}
	return v
}

// checkInjected judges the names of what --set and --secret give.
func checkInjected(sets, secrets assignments) config.Problems {
	known := injectable()
	var problems config.Problems
	for _, name := range sets.names() {
		switch {
		case slices.Contains(known.Secret, name):
			problems = append(problems, &config.Problem{Where: "--set " + name, Text: "whoever can read the manifest could read the secret",
				Hint: "put it into a Secret and give --secret " + name + "=NAME/KEY"})
		case !slices.Contains(known.Plain, name) && !sidecar.Owns(name):
			problems = append(problems, notInjectable("--set", name, known))
		}
	}
	for _, name := range secrets.names() {
		switch {
		case slices.Contains(known.Plain, name):
			problems = append(problems, &config.Problem{Where: "--secret " + name, Text: "it is no secret, and from a Secret it could not be checked",
				Hint: "--set " + name + "=VALUE gives it"})
		case !slices.Contains(known.Secret, name) && !sidecar.Owns(name):
			problems = append(problems, notInjectable("--secret", name, known))
		}
	}
	return problems
}

func notInjectable(where, name string, known sidecar.Variables) *config.Problem {
	p := &config.Problem{Where: where + " " + name, Text: "there is no such setting, or none that can be given like this", Hint: "`relay help serve` lists the settings"}
	if near, ok := suggest.Nearest(name, slices.Concat(known.Plain, known.Secret)); ok {
		p.Hint = "did you mean " + near + "?"
	}
	return p
}

// judgeInjected judges the settings that the relay would find in each pod.
func judgeInjected(name string, changes []sidecar.Change) config.Problems {
	var problems config.Problems
	for _, c := range changes {
		problems = append(problems, judgeEnvironment(fmt.Sprintf("%s:%d: %s %s: ", name, c.Line, c.Kind, c.Name), c.Env)...)
	}
	return problems
}

// judgeEnvironment lets the relay judge its settings, so that what it would
// refuse in the pod is refused here. where stands in front of each problem.
func judgeEnvironment(where string, env map[string]string) config.Problems {
	_, err := config.Load(nil, environOf(env), func(string) ([]byte, error) { return nil, os.ErrNotExist })
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			p.Where = where + p.Where
		}
	}
	return problems
}

// environOf makes the environment of a relay in a pod. What comes from a
// Secret is not known here, so something that would do stands for it.
func environOf(env map[string]string) []string {
	environ := []string{"KUBERNETES_SERVICE_HOST=127.0.0.1"}
	for _, s := range config.Settings() {
		value, given := env[s.Env()]
		switch {
		case !given:
			continue
		case value == "" && s.Name == "redis_url":
			value = "redis://redis:6379"
		case value == "" && s.Secret:
			value = strings.Repeat("x", 64)
		}
		environ = append(environ, s.Env()+"="+value)
	}
	return environ
}
