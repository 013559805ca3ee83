//go:build kube

package kube

import (
	"os"
	"path/filepath"
	"strings"
)

const chart = "../../charts/relay"

// helm runs Helm in the namespace and fails the test with what it says.
func (n *namespace) helm(args ...string) string {
	n.t.Helper()
	out, err := n.tryHelm(args...)
	if err != nil {
		n.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (n *namespace) tryHelm(args ...string) (string, error) {
	return command("", "helm", append([]string{"--namespace", n.name}, args...)...)
}

// values are what every install of the chart gets here, besides further ones.
func (n *namespace) values(further ...string) []string {
	repository, tag := split(things(n.t).relay)
	args := []string{
		"--set-string", "image.repository=" + repository, "--set-string", "image.tag=" + tag,
		"--set", "secrets.redisUrl.name=redis,secrets.redisUrl.key=url",
		"--set", "secrets.apiKeys.name=api,secrets.apiKeys.key=key",
		"--set", "config.public_channels={shared.*,solo.*}",
		"--set", "drain.holdSeconds=0,drain.windowSeconds=5",
	}
	for _, v := range further {
		args = append(args, "--set", v)
	}
	return args
}

// apiKey is shown to relays of the chart.
const apiKey = "a-key-of-the-tests"

// apiSecret makes the Secret that values names.
func (n *namespace) apiSecret() {
	n.t.Helper()
	n.kubectl("create", "secret", "generic", "api", "--from-literal=key="+apiKey)
}

// install installs the chart as a release and waits until all is ready.
func (n *namespace) install(release string, further ...string) {
	n.t.Helper()
	n.helm(append([]string{"install", release, chart, "--wait", "--timeout=3m"}, n.values(further...)...)...)
}

// consumer is a chart of a team, in testdata, with the relay's beside it as a
// repository would have put it there.
func (n *namespace) consumer() string {
	n.t.Helper()
	dir := n.t.TempDir()
	for from, to := range map[string]string{"testdata/consumer": "", chart: "charts/relay"} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(from)); err != nil {
			n.t.Fatal(err)
		}
	}
	return dir
}
