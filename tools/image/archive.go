package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeArchive writes an index as a tar of an OCI image layout.
func writeArchive(w io.Writer, idx v1.ImageIndex, name, tag string) error {
	dir, err := os.MkdirTemp("", "relay-layout-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeLayout(dir, idx, name, tag); err != nil {
		return err
	}
	files, err := readFolder(dir)
	if err != nil {
		return err
	}
	return writeTar(w, files)
}

// writeLayout writes an index as an OCI image layout. The layout's own index
// holds nothing but this one: skopeo and podman refuse an archive in which they
// have to choose.
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md
func writeLayout(dir string, idx v1.ImageIndex, name, tag string) error {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return path.AppendIndex(idx, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": tag,
		// What containerd and podman call the image when they load it.
		"io.containerd.image.name": name + ":" + tag,
	}))
}

// readFolder reads all files below dir.
func readFolder(dir string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files = append(files, file{name: filepath.ToSlash(name), mode: 0o644, data: data})
		return nil
	})
	return files, err
}
