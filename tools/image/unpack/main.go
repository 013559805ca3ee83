// Command unpack checks an OCI image layout and writes the files of each of its
// images to FOLDER/ARCHITECTURE. It knows nothing of what wrote the layout.
//
//	go run ./unpack LAYOUT FOLDER
package main

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// machines are the platforms an image must have.
var machines = map[string]elf.Machine{
	"linux/amd64": elf.EM_X86_64,
	"linux/arm64": elf.EM_AARCH64,
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: unpack LAYOUT FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "unpack:", err)
		os.Exit(1)
	}
}

func run(from, to string, stdout io.Writer) error {
	idx, err := inner(from)
	if err != nil {
		return err
	}
	manifest, err := idx.IndexManifest()
	if err != nil {
		return err
	}
	var platforms []string
	for _, d := range manifest.Manifests {
		platform := d.Platform.String()
		machine, ok := machines[platform]
		if !ok {
			return fmt.Errorf("there is an image for %q", platform)
		}
		platforms = append(platforms, platform)
		img, err := idx.Image(d.Digest)
		if err != nil {
			return err
		}
		if err := check(img, machine, filepath.Join(to, d.Platform.Architecture)); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
	}
	slices.Sort(platforms)
	if want := slices.Sorted(maps.Keys(machines)); !slices.Equal(platforms, want) {
		return fmt.Errorf("images for %q, want %q", platforms, want)
	}
	_, err = fmt.Fprintf(stdout, "a valid layout for %s: user, entrypoint and files as they should be, static programs\n", strings.Join(platforms, ", "))
	return err
}

// inner checks all digests and sizes and returns the one index in a layout.
func inner(dir string) (v1.ImageIndex, error) {
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	if err := validate.Index(outer); err != nil {
		return nil, err
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%d images in one archive", len(manifest.Manifests))
	}
	return outer.ImageIndex(manifest.Manifests[0].Digest)
}

func check(img v1.Image, machine elf.Machine, dir string) error {
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	c := config.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/relay"}) || len(c.Cmd) > 0 || len(c.Env) > 0 {
		return fmt.Errorf("unexpected configuration %+v", c)
	}
	names, err := extract(img, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != "relay" && name != "etc/ssl/certs/ca-certificates.crt" && !strings.HasPrefix(name, "licenses/") {
			return fmt.Errorf("there is a file %s", name)
		}
	}
	return checkProgram(filepath.Join(dir, "relay"), machine)
}

// extract writes an image's files below dir and returns their names.
func extract(img v1.Image, dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	flat := mutate.Extract(img)
	defer flat.Close()
	in := tar.NewReader(flat)
	var names []string
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		if err := write(root, h, in); err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeDir {
			names = append(names, h.Name)
		}
	}
}

// write writes one entry. Set-user-ID bits, owners, links and devices have no
// place in the image.
func write(root *os.Root, h *tar.Header, data io.Reader) error {
	mode := h.FileInfo().Mode()
	if h.Uid != 0 || h.Gid != 0 || mode.Perm()&0o022 != 0 || mode&(os.ModeSetuid|os.ModeSetgid) != 0 {
		return fmt.Errorf("%s has owner %d:%d and mode %v", h.Name, h.Uid, h.Gid, mode)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(strings.TrimSuffix(h.Name, "/"), mode.Perm())
	case tar.TypeReg:
		f, err := root.OpenFile(h.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, data)
		return errors.Join(err, f.Close())
	default:
		return fmt.Errorf("%s has the type %q", h.Name, h.Typeflag)
	}
}

// checkProgram checks that a program is for a machine and needs no other file
// to run.
func checkProgram(path string, machine elf.Machine) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Machine != machine {
		return fmt.Errorf("the program is for %v", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return fmt.Errorf("the program is not static: it has %v", p.Type)
		}
	}
	return nil
}
