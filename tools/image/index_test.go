package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// sample is a build of two programs that cannot run.
func sample() *build {
	created := time.Date(2026, 11, 26, 1, 2, 3, 0, time.UTC)
	return &build{
		version: "v1.2.3+dirty", revision: "0a1b2c3-dirty", goVersion: "go1.26.0", committed: created, created: created,
		binaries: map[string][]byte{"amd64": []byte("for amd64"), "arm64": []byte("for arm64")},
		relay: part{
			path: "relay", version: "v1.2.3+dirty", licences: []string{"MIT"},
			texts: []file{{name: "LICENSE", mode: 0o444, data: []byte("ours")}},
		},
		parts: []part{{
			path: "example.com/module", version: "v4.5.6", sum: "h1:sum", licences: []string{"Apache-2.0", "MIT"},
			texts: []file{{name: "NOTICE", mode: 0o444, data: []byte("theirs")}},
		}},
	}
}

// images are the images of an index by architecture.
func images(t *testing.T, idx v1.ImageIndex) map[string]v1.Image {
	t.Helper()
	manifest, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]v1.Image)
	for _, d := range manifest.Manifests {
		if d.Platform == nil || d.Platform.OS != "linux" {
			t.Fatalf("platform %v", d.Platform)
		}
		if found[d.Platform.Architecture], err = idx.Image(d.Digest); err != nil {
			t.Fatal(err)
		}
	}
	if len(found) != len(manifest.Manifests) {
		t.Errorf("%d platforms for %d manifests", len(found), len(manifest.Manifests))
	}
	return found
}

func TestIndexHasEveryPlatform(t *testing.T) {
	idx, err := newIndex(sample())
	if err != nil {
		t.Fatal(err)
	}
	found := images(t, idx)
	if len(found) != 2 {
		t.Errorf("%d platforms", len(found))
	}
	for _, arch := range []string{"amd64", "arm64"} {
		img, ok := found[arch]
		if !ok {
			t.Errorf("no image for %s", arch)
			continue
		}
		if got := string(contents(t, img)["relay"]); got != "for "+arch {
			t.Errorf("%s holds the program %q", arch, got)
		}
	}
}

func TestImageOfEveryPlatform(t *testing.T) {
	idx, err := newIndex(sample())
	if err != nil {
		t.Fatal(err)
	}
	for arch, img := range images(t, idx) {
		t.Run(arch, func(t *testing.T) {
			config, err := img.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			c := config.Config
			if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/relay"}) || len(c.Cmd) != 0 || len(c.Env) != 0 || len(c.ExposedPorts) != 0 {
				t.Errorf("config %+v", c)
			}
			if config.OS != "linux" || config.Architecture != arch || !config.Created.Equal(sample().created) {
				t.Errorf("config of %s/%s from %v", config.OS, config.Architecture, config.Created)
			}
			if got, want := c.Labels["org.opencontainers.image.licenses"], "Apache-2.0 AND MIT"; got != want {
				t.Errorf("licences %q, want %q", got, want)
			}
			for name, value := range c.Labels {
				if value == "" || strings.Contains(value, "://") {
					t.Errorf("label %s is %q", name, value)
				}
			}
			files := contents(t, img)
			if len(files) != 4 || !bytes.Equal(files["etc/ssl/certs/ca-certificates.crt"], roots()) ||
				string(files["licenses/relay/LICENSE"]) != "ours" || string(files["licenses/example.com/module/NOTICE"]) != "theirs" {
				t.Errorf("%d files", len(files))
			}
		})
	}
}

// contents are the regular files of an image.
func contents(t *testing.T, img v1.Image) map[string][]byte {
	t.Helper()
	flat := mutate.Extract(img)
	defer flat.Close()
	files := make(map[string][]byte)
	in := tar.NewReader(flat)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if files[h.Name], err = io.ReadAll(in); err != nil {
				t.Fatal(err)
			}
		}
	}
}
