package main

import (
	"bytes"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestArchiveIsTheSameTwice(t *testing.T) {
	var archives [2]bytes.Buffer
	for i := range archives {
		idx, err := newIndex(sample())
		if err != nil {
			t.Fatal(err)
		}
		if err := writeArchive(&archives[i], idx, "example.com/relay", tag(sample().version)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two archives of one build differ")
	}
}

// skopeo and podman take an archive only if there is nothing to choose.
func TestLayoutHoldsOneNamedIndex(t *testing.T) {
	idx, err := newIndex(sample())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := writeLayout(dir, idx, "example.com/relay", tag(sample().version)); err != nil {
		t.Fatal(err)
	}
	written, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(written); err != nil {
		t.Error(err)
	}
	top, err := written.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(top.Manifests) != 1 || top.Manifests[0].MediaType != types.OCIImageIndex {
		t.Fatalf("manifests %+v", top.Manifests)
	}
	a := top.Manifests[0].Annotations
	if a["io.containerd.image.name"] != "example.com/relay:v1.2.3-dirty" || a["org.opencontainers.image.ref.name"] != "v1.2.3-dirty" {
		t.Errorf("annotations %v", a)
	}
}
