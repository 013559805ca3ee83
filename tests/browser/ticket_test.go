package browser

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"relay/tests/browsertest"
	"relay/tests/faultproxy"
	"relay/tests/redistest"
	"relay/tests/relaytest"
)

// The page's code in docs/draining.md goes from one relay to another, with the
// ticket and without asking for a token again.
func TestPageComesBackWithTicket(t *testing.T) {
	text, err := os.ReadFile("../../docs/draining.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(text)
	if code == nil {
		t.Fatal("docs/draining.md shows no code")
	}
	redis := redistest.Start(t)
	const secret = "0123456789abcdef0123456789abcdef"
	launch := func() *relaytest.Relay {
		return relaytest.Start(t, "RELAY_REDIS_URL="+redis.URL(), "RELAY_JWT_SECRET="+secret, "RELAY_SECRET=the relays' own "+secret,
			"RELAY_DRAIN_DELAY=0s", "RELAY_DRAIN_WINDOW=1s")
	}
	old, young := launch(), launch()
	address := func(r *relaytest.Relay) string { return strings.TrimPrefix(r.PublicURL, "http://") }
	service := faultproxy.New(t, address(old))
	_, token := relaytest.Command(t, []string{"RELAY_JWT_SECRET=" + secret}, "token", "ana", "orders.*")

	tab := page(t)
	browsertest.Eval[bool](tab, fmt.Sprintf(`(() => {
		window.seen = []; window.tokens = 0;
		const show = (frame) => seen.push(frame.data);
		const refetch = () => seen.push("reset");
		const fetchToken = async () => { tokens++; return %q; };
		%s
		connect();
		return true;
	})()`, strings.TrimSpace(token), strings.Replace(string(code[1]), "wss://relay.example", "ws://"+service.Addr, 1)))

	subscribed := func(r *relaytest.Relay) {
		relaytest.Eventually(t, "the page to be subscribed", func() bool {
			return strings.Contains(relaytest.Do(t, "GET", r.APIURL+"/v1/channels/orders.42", "").Body, `"relay":1`)
		})
	}
	subscribed(old)
	old.Publish(t, `{"channel":"orders.42","event":"n","data":1}`)
	tab.Wait(`seen.length === 1`)
	service.Retarget(address(young))
	if a := relaytest.Do(t, "POST", old.APIURL+"/v1/drain", ""); a.Status != 202 {
		t.Fatalf("POST /v1/drain: %d %s", a.Status, a.Body)
	}
	old.Publish(t, `{"channel":"orders.42","event":"n","data":2}`)
	subscribed(young)
	young.Publish(t, `{"channel":"orders.42","event":"n","data":3}`)
	tab.Wait(`seen.length === 3`)
	if got := browsertest.Eval[string](tab, `JSON.stringify({ seen, tokens })`); got != `{"seen":[1,2,3],"tokens":1}` {
		t.Errorf("the page has %s", got)
	}
}
