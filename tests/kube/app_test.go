//go:build kube

package kube

import (
	_ "embed"
	"strings"
	"text/template"

	"relay/tests/crowd"
)

//go:embed testdata/app.yaml
var appText string

var appTemplate = template.Must(template.New("app.yaml").Parse(appText))

// app is the values of testdata/app.yaml; times are in seconds.
type app struct {
	Image                     string
	Replicas, MinReady, Grace int
}

// appManifest is the app without the relay.
func (n *namespace) appManifest(a app) string {
	n.t.Helper()
	a.Image = things(n.t).app
	var b strings.Builder
	if err := appTemplate.Execute(&b, a); err != nil {
		n.t.Fatal(err)
	}
	return b.String()
}

// everybody may listen to what the crowd listens to.
const everybody = "RELAY_PUBLIC_CHANNELS=shared.*,solo.*"

// inject runs `relay inject` with the image and the Redis of the tests.
func (n *namespace) inject(manifest string, args ...string) string {
	n.t.Helper()
	out, err := n.tryInject(manifest, args...)
	if err != nil {
		n.t.Fatalf("relay inject %v: %v\n%s", args, err, out)
	}
	return out
}

func (n *namespace) tryInject(manifest string, args ...string) (string, error) {
	n.t.Helper()
	p := things(n.t)
	return command(manifest, p.program, append([]string{
		"inject", "-f", "-", "--image", p.relay, "--redis-secret", "redis/url", "--set", everybody,
	}, args...)...)
}

// deploy starts the app with an injected relay, and waits until all is ready.
func (n *namespace) deploy(a app, args ...string) {
	n.t.Helper()
	n.feed(n.inject(n.appManifest(a), args...), "apply", "-f", "-")
	n.rolledOut("app")
}

// gatherApp lets a crowd come to the app's relays. It publishes to the app.
func (n *namespace) gatherApp(config crowd.Config) *audience {
	n.t.Helper()
	return n.gather(config, n.address("app", 8080), n.address("app", 80))
}
