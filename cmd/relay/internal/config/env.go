package config

import (
	"regexp"
	"strings"

	"relay/cmd/relay/internal/suggest"
)

// Variables that are not settings.
const (
	// ConfigVariable names the YAML file.
	ConfigVariable = envPrefix + "CONFIG"

	// Those of who uses a relay: `relay sub`, `relay pub` and the examples.
	// They may stand in the environment of a relay on the same machine.
	TokenVariable  = envPrefix + "TOKEN"
	APIURLVariable = envPrefix + "API_URL"
	// APIKeyVariable is refused where api_keys is not set: it looks too much
	// like RELAY_API_KEYS, and the publish API would stand open.
	APIKeyVariable = envPrefix + "API_KEY"
)

// podVariable is set in every container of a Kubernetes pod.
const podVariable = "KUBERNETES_SERVICE_HOST"

// environment is what os.Environ says. A variable that is set to nothing
// counts as not set: that is how people switch one off in Compose files.
type environment map[string]string

func newEnvironment(environ []string) environment {
	env := make(environment, len(environ))
	for _, entry := range environ {
		if name, text, ok := strings.Cut(entry, "="); ok && text != "" {
			env[name] = text
		}
	}
	return env
}

// given returns what the environment says about a setting.
func (env environment) given(s *Setting) ([]string, bool) {
	text, ok := env[s.Env()]
	if !ok {
		return nil, false
	}
	if s.isList() {
		return splitList(text), true
	}
	return []string{text}, true
}

// Kubernetes puts variables for each Service of the namespace into each pod.
// For a Service called relay, or relay-something, they look like settings.
var (
	serviceLink     = regexp.MustCompile(`^RELAY(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9]+)*|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	serviceLinkPort = regexp.MustCompile(`^RELAY(_[A-Z0-9]+)*_PORT$`)
	serviceLinkURL  = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// isServiceLink knows those variables. RELAY_PUBLIC_PORT=8080 is not one of
// them but a mistake: the variable of that shape holds a URL.
func isServiceLink(name, text string) bool {
	return serviceLink.MatchString(name) || serviceLinkPort.MatchString(name) && serviceLinkURL.MatchString(text)
}

// unknown returns a problem for each variable that looks like a setting and is
// none. A mistyped variable is otherwise the quietest of all failures.
func (env environment) unknown(hasKeys bool) Problems {
	known := map[string]bool{ConfigVariable: true, TokenVariable: true, APIURLVariable: true, APIKeyVariable: hasKeys}
	var candidates []string
	for _, s := range Settings() {
		known[s.Env()] = true
		candidates = append(candidates, strings.TrimPrefix(s.Env(), envPrefix))
	}
	var problems Problems
	for _, name := range sortedKeys(env) {
		if !strings.HasPrefix(name, envPrefix) || known[name] || isServiceLink(name, env[name]) {
			continue
		}
		p := &Problem{Where: name, Text: "there is no such setting", Hint: "variables that begin with " + envPrefix +
			" are read as settings; `relay help serve` lists them"}
		if near, ok := suggest.Nearest(strings.TrimPrefix(name, envPrefix), candidates); ok {
			p.Hint = "did you mean " + envPrefix + near + "?"
		}
		if name == envPrefix+strings.ToUpper(channelsKey) {
			p.Hint = "rules for channels stand in the YAML file only, as the list " + channelsKey
		}
		if strings.HasSuffix(name, "_PORT") {
			p.Hint = "an address and its port are one setting, like RELAY_PUBLIC_ADDR=:8080"
		}
		problems = append(problems, p)
	}
	return problems
}
