package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"runtime/debug"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const rootsPath = "golang.org/x/crypto/x509roots/fallback"

// roots are the authorities that Mozilla trusts, as a PEM file. Those that it
// trusts with a reservation stay out: a PEM file cannot say it.
func roots() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}

// rootsModule is the module that roots come from, as it is in this program.
func rootsModule() (debug.Module, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == rootsPath {
				return *m, nil
			}
		}
	}
	return debug.Module{}, errors.New("this program does not know the version of its certificates; build it as a module")
}
