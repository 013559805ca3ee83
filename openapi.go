// Package relay holds the relay's HTTP contract, so that the program can serve
// it and tests can hold every answer against it.
package relay

import _ "embed"

// OpenAPI is the text of openapi.yaml: every operation of every listener, and
// the frames of the native wire.
//
//go:embed openapi.yaml
var OpenAPI []byte
