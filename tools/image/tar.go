package main

import (
	"archive/tar"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// file is a regular file of a layer or an archive. Its name has slashes and
// none at the front.
type file struct {
	name string
	mode int64
	data []byte
}

// writeTar writes files and the folders above them. The same files give the
// same bytes, in whatever order and wherever they come: sorted, owned by 0,
// without names of users, and from the first second of Unix time, so that a
// layer whose files have not changed is not fetched again.
func writeTar(w io.Writer, files []file) error {
	out := tar.NewWriter(w)
	for _, h := range headers(files) {
		if err := out.WriteHeader(&h.Header); err != nil {
			return err
		}
		if _, err := out.Write(h.data); err != nil {
			return err
		}
	}
	return out.Close()
}

type entry struct {
	tar.Header
	data []byte
}

// headers are the entries of files and of the folders above them, sorted, and
// so each folder before what is in it.
func headers(files []file) []entry {
	entries := make(map[string]entry)
	for _, f := range files {
		entries[f.name] = entry{tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: f.mode,
			ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		}, f.data}
		for dir := path.Dir(f.name); dir != "."; dir = path.Dir(dir) {
			entries[dir] = entry{Header: tar.Header{
				Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755,
				ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
			}}
		}
	}
	sorted := make([]entry, 0, len(entries))
	for _, e := range entries {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}
