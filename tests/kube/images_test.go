//go:build kube

package kube

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// parts is what the tests run: two images that the nodes have, and the relay
// as a program on this machine, for `relay inject`.
type parts struct{ relay, app, program string }

var buildDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "kube-test") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := buildDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// prepare builds the programs and brings them to the nodes, once.
var prepare = sync.OnceValues(func() (parts, error) {
	relay, err := build("relay", "relay/cmd/relay")
	if err != nil {
		return parts{}, err
	}
	p := parts{relay: setting("RELAY_IMAGE"), app: setting("APP_IMAGE"), program: relay}
	if p.relay != "" && p.app != "" {
		return p, nil
	}
	if setting("LOAD") == "" {
		return parts{}, errors.New("the nodes need two images: set KUBE_TEST_LOAD to a command that makes and loads one, " +
			"or KUBE_TEST_RELAY_IMAGE and KUBE_TEST_APP_IMAGE to images that are there; tests/kube/README.md says how")
	}
	app, err := build("app", "relay/tests/kube/app")
	if err != nil {
		return parts{}, err
	}
	if p.relay, err = load(relay); err == nil {
		p.app, err = load(app)
	}
	return p, err
})

func build(name, path string) (string, error) {
	dir, err := buildDir()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, path)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", path, err, out)
	}
	return file, nil
}

// load makes an image of a program and brings it to the nodes. Its tag is the
// program's hash, so that a node cannot run an older one.
func load(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("relay-test/%s:%.12x", filepath.Base(file), sha256.Sum256(content))
	fields := append(strings.Fields(setting("LOAD")), name, file)
	if out, err := exec.Command(fields[0], fields[1:]...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(fields, " "), err, out)
	}
	return name, nil
}

func things(t *testing.T) parts {
	t.Helper()
	p, err := prepare()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// split cuts an image's name into repository and tag, as charts want it.
func split(image string) (repository, tag string) {
	i := strings.LastIndexByte(image, ':')
	return image[:i], image[i+1:]
}
