package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	binaryPath = "relay"
	rootsFile  = "etc/ssl/certs/ca-certificates.crt" // where crypto/x509 looks first
	licenceDir = "licenses"                          // where scanners look
	// A number, because runAsNonRoot cannot judge a name. 65532 is what images
	// without a passwd file mostly use.
	user = "65532:65532"
)

// newIndex makes an image for each architecture, and the index that holds them.
// Certificates and licences are layers of their own: all architectures share
// them, and most versions do too.
func newIndex(b *build) (v1.ImageIndex, error) {
	certificates, err := newLayer([]file{{name: rootsFile, mode: 0o444, data: roots()}})
	if err != nil {
		return nil, err
	}
	licences, err := newLayer(licenceFiles(b))
	if err != nil {
		return nil, err
	}
	labels := newLabels(b)
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range architectures {
		program, err := newLayer([]file{{name: binaryPath, mode: 0o555, data: b.binaries[arch]}})
		if err != nil {
			return nil, err
		}
		img, err := newImage(b, arch, labels, certificates, licences, program)
		if err != nil {
			return nil, err
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Platform: &v1.Platform{OS: "linux", Architecture: arch},
		}})
	}
	return mutate.Annotations(idx, labels).(v1.ImageIndex), nil
}

// newImage makes the image of one architecture. It sets no variable: what the
// relay does without settings is safe, and a pod says what it wants.
func newImage(b *build, arch string, labels map[string]string, layers ...v1.Layer) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, layer := range layers {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{
			Layer: layer, History: v1.History{Created: v1.Time{Time: b.created}, CreatedBy: "make image"},
		})
		if err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: b.created}
	config.Config = v1.Config{User: user, Entrypoint: []string{"/" + binaryPath}, WorkingDir: "/", Labels: labels}
	return mutate.ConfigFile(img, config)
}

// newLabels says what the image is, without a word on where it may be found.
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
func newLabels(b *build) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":       "relay",
		prefix + "description": "A sidecar broadcast relay with an HTTP publish API",
		prefix + "version":     b.version,
		prefix + "revision":    b.revision,
		prefix + "licenses":    strings.Join(b.licences(), " AND "),
	}
}

// licenceFiles are the licences and notices of everything in the image.
func licenceFiles(b *build) []file {
	var files []file
	for _, p := range append([]part{b.relay}, b.parts...) {
		for _, text := range p.texts {
			text.name = path.Join(licenceDir, p.path, text.name)
			files = append(files, text)
		}
	}
	return files
}

func newLayer(files []file) (v1.Layer, error) {
	var b bytes.Buffer
	if err := writeTar(&b, files); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
}
