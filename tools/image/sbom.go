package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM writes what the image is made of as CycloneDX 1.6, the version that
// most scanners know. It has no serial number, which would have to be a new one
// each time.
func writeSBOM(w io.Writer, b *build) error {
	bom := cdx.NewBOM()
	relay := component(b.relay, cdx.ComponentTypeApplication)
	var programs []cdx.Component
	for _, arch := range architectures {
		sum := sha256.Sum256(b.binaries[arch])
		programs = append(programs, cdx.Component{
			BOMRef: "linux/" + arch, Type: cdx.ComponentTypeFile, Name: "/" + binaryPath, Version: b.version,
			Description: "linux/" + arch,
			Hashes:      &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		})
	}
	relay.Components = &programs
	bom.Metadata = &cdx.Metadata{Timestamp: b.created.Format(time.RFC3339), Component: &relay}

	var components []cdx.Component
	for _, p := range b.parts {
		components = append(components, component(p, cdx.ComponentTypeLibrary))
	}
	bom.Components = &components
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
}

func component(p part, kind cdx.ComponentType) cdx.Component {
	purl := "pkg:golang/" + p.path + "@" + strings.ReplaceAll(p.version, "+", "%2B")
	c := cdx.Component{BOMRef: purl, PackageURL: purl, Type: kind, Name: p.path, Version: p.version}
	var licences cdx.Licenses
	for _, id := range p.licences {
		licences = append(licences, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	c.Licenses = &licences
	if p.sum != "" {
		// No hash of CycloneDX: go.sum hashes the list of a module's files.
		c.Properties = &[]cdx.Property{{Name: "go.sum", Value: p.sum}}
	}
	return c
}
