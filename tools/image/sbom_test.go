package main

import (
	"bytes"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func TestSBOM(t *testing.T) {
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := writeSBOM(out, sample()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two bills of one build differ")
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&first, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	relay := bom.Metadata.Component
	if relay.Name != "relay" || relay.PackageURL != "pkg:golang/relay@v1.2.3%2Bdirty" || bom.Metadata.Timestamp != "2026-11-26T01:02:03Z" {
		t.Errorf("%+v of %s", relay, bom.Metadata.Timestamp)
	}
	if programs := *relay.Components; len(programs) != 2 || (*programs[0].Hashes)[0].Value == (*programs[1].Hashes)[0].Value {
		t.Errorf("programs %+v", programs)
	}
	if len(*bom.Components) != 1 {
		t.Fatalf("components %+v", *bom.Components)
	}
	module := (*bom.Components)[0]
	var licences []string
	for _, l := range *module.Licenses {
		licences = append(licences, l.License.ID)
	}
	if module.Name != "example.com/module" || module.Version != "v4.5.6" || (*module.Properties)[0].Value != "h1:sum" || strings.Join(licences, " ") != "Apache-2.0 MIT" {
		t.Errorf("%+v with licences %v", module, licences)
	}
}
