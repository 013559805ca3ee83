package main

import (
	"cmp"
	"os"

	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
)

// How commands reach the api listener of a relay.

// defaultAPIURL is where a relay without settings takes events.
const defaultAPIURL = "http://127.0.0.1:8081"

// Texts of the flags, which are the same wherever they are.
const (
	apiURLHelp = "The relay's api listener, as `URL` (default " + config.APIURLVariable + ", or else " + defaultAPIURL + ")."
	apiKeyHelp = "API `KEY`; better in " + config.APIKeyVariable + ", where other users do not see it."
)

// apiURL is the address that is given by a flag, or by a variable, or usual.
func apiURL(p *program, given string) string {
	return cmp.Or(given, p.variable(config.APIURLVariable), defaultAPIURL)
}

// apiKey is the key that is given by a flag, or by a variable, or the first
// that a relay with this environment takes. Empty: none of these.
func apiKey(p *program, given string) (string, error) {
	if key := cmp.Or(given, p.variable(config.APIKeyVariable)); key != "" {
		return key, nil
	}
	cfg, err := config.Bind(flags.New("api-key"), "api_keys").Load(p.env, os.ReadFile)
	if err != nil {
		return "", err
	}
	if keys := cfg.APIKeys.List(); len(keys) > 0 {
		return keys[0], nil
	}
	return "", nil
}
