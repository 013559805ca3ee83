package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/licenseclassifier/v2/assets"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func TestDescribe(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0a1b2c3"}, {Key: "vcs.time", Value: "2026-11-22T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	var b build
	if err := b.describe(info); err != nil {
		t.Fatal(err)
	}
	if b.version != "v1.2.3" || b.revision != "0a1b2c3-dirty" || b.goVersion != "go1.26.0" || b.committed.Hour() != 12 {
		t.Errorf("%+v", b)
	}
	info.Settings = nil
	if err := b.describe(info); err == nil || !strings.Contains(err.Error(), "git checkout") {
		t.Errorf("without a commit: %v", err)
	}
}

func TestCreation(t *testing.T) {
	committed := time.Date(2026, 11, 26, 3, 0, 0, 0, time.FixedZone("", 7200))
	for epoch, want := range map[string]string{"": "2026-11-26T01:00:00Z", "86400": "1970-01-02T00:00:00Z"} {
		if got, err := creation(committed, epoch); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: %v, %v", epoch, got, err)
		}
	}
	if got, err := creation(committed, "today"); err == nil {
		t.Errorf("today is %v", got)
	}
}

func TestRoots(t *testing.T) {
	want := 0
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			want++
		}
	}
	got := 0
	for block, rest := pem.Decode(roots()); block != nil; block, rest = pem.Decode(rest) {
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !authority.IsCA {
			t.Errorf("%s is no authority", authority.Subject)
		}
		got++
	}
	if got != want || got < 100 {
		t.Errorf("%d authorities, want %d and no less than 100", got, want)
	}
}

func TestLicences(t *testing.T) {
	licences, err := assets.DefaultClassifier()
	if err != nil {
		t.Fatal(err)
	}
	relay := part{path: "relay"}
	if err := relay.readTexts(licences, "../.."); err != nil {
		t.Fatal(err)
	}
	if strings.Join(relay.licences, " ") != "MIT" || len(relay.texts) != 1 || relay.texts[0].name != "LICENSE" {
		t.Errorf("%v in %d files", relay.licences, len(relay.texts))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("Ask me before you use it."), 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := part{path: "example.com/stranger"}
	if err := stranger.readTexts(licences, dir); err == nil {
		t.Errorf("took %v for a licence", stranger.licences)
	}
}
