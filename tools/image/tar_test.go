package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

func TestTarIsTheSameInAnyOrder(t *testing.T) {
	files := []file{
		{name: "etc/ssl/a", mode: 0o444, data: []byte("a")},
		{name: "etc/b", mode: 0o444, data: []byte("b")},
		{name: "c", mode: 0o555, data: []byte("c")},
	}
	first := tarOf(t, files)
	slices.Reverse(files)
	if !bytes.Equal(first, tarOf(t, files)) {
		t.Error("the order of files changes the bytes")
	}
	files[0].data = []byte("other")
	if bytes.Equal(first, tarOf(t, files)) {
		t.Error("other files give the same bytes")
	}
}

func TestTarTellsNothingOfTheBuilder(t *testing.T) {
	in := tar.NewReader(bytes.NewReader(tarOf(t, []file{{name: "etc/ssl/a", mode: 0o444, data: []byte("a")}, {name: "b", mode: 0o555}})))
	var names []string
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || h.ModTime.Unix() != 0 || len(h.PAXRecords) != 0 {
			t.Errorf("%s: %+v", h.Name, h)
		}
	}
	if want := []string{"b", "etc/", "etc/ssl/", "etc/ssl/a"}; !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
}

func tarOf(t *testing.T, files []file) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeTar(&b, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
