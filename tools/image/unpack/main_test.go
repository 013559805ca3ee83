package main

import (
	"archive/tar"
	"os"
	"strings"
	"testing"
)

func TestEntriesWithoutAPlaceAreRefused(t *testing.T) {
	for name, h := range map[string]tar.Header{
		"set-user-ID":      {Typeflag: tar.TypeReg, Mode: 0o4555},
		"set-group-ID":     {Typeflag: tar.TypeReg, Mode: 0o2555},
		"for all to write": {Typeflag: tar.TypeReg, Mode: 0o666},
		"an owner":         {Typeflag: tar.TypeReg, Mode: 0o444, Uid: 65532},
		"a group":          {Typeflag: tar.TypeReg, Mode: 0o444, Gid: 65532},
		"a link":           {Typeflag: tar.TypeSymlink, Mode: 0o444, Linkname: "/etc/passwd"},
		"a device":         {Typeflag: tar.TypeChar, Mode: 0o444},
	} {
		if err := writeOne(t, h); err == nil {
			t.Errorf("took a file with %s", name)
		}
	}
	if err := writeOne(t, tar.Header{Typeflag: tar.TypeReg, Mode: 0o555}); err != nil {
		t.Error(err)
	}
}

func writeOne(t *testing.T, h tar.Header) error {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	h.Name = "file"
	return write(root, &h, strings.NewReader("data"))
}

// A program that is not static, or not for Linux at all.
func TestOtherProgramsAreRefused(t *testing.T) {
	for _, machine := range machines {
		if err := checkProgram("/bin/sh", machine); err == nil {
			t.Errorf("took /bin/sh for a static program for %v", machine)
		}
	}
}
