package relays

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"relay/tests/relaytest"
)

// history reads one page of a channel's history over the API.
func history(t *testing.T, apiURL, channel, query string) (page struct {
	Events                []struct{ ID string }
	Position, Next, Reset string
}) {
	t.Helper()
	x := ask(t, "GET", apiURL+"/v1/channels/"+channel+"/events"+query, "")
	if x.Status != http.StatusOK {
		t.Fatalf("%d %s", x.Status, x.Body)
	}
	if err := json.Unmarshal(x.Body, &page); err != nil {
		t.Fatal(err)
	}
	return page
}

// What one relay's rules keep, another relay reads and deletes.
func TestHistoryByPattern(t *testing.T) {
	file := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(file, []byte("history_size: 0\nchannels:\n  - match: orders.*\n    history_size: 50\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alone := relaytest.Start(t, "RELAY_CONFIG="+file)
	two, _ := onOneRedis(t, 2, "RELAY_CONFIG="+file)
	for _, pair := range [][2]*relaytest.Relay{{alone, alone}, {two[0], two[1]}} {
		writer, reader := pair[0].APIURL, pair[1].APIURL
		for n := range 3 {
			for _, channel := range []string{"orders.42", "typing"} {
				if x := ask(t, "POST", writer+"/v1/events", number(channel, n)); x.Status != http.StatusOK {
					t.Fatalf("%d %s", x.Status, x.Body)
				}
			}
		}
		if page := history(t, reader, "typing", ""); len(page.Events) > 0 {
			t.Errorf("a channel without history holds %d events", len(page.Events))
		}
		first := history(t, reader, "orders.42", "?limit=2")
		if len(first.Events) != 2 || first.Next != first.Events[1].ID {
			t.Fatalf("first page: %+v", first)
		}
		if rest := history(t, reader, "orders.42", "?limit=2&since="+first.Next); len(rest.Events) != 1 || rest.Next != "" || rest.Events[0].ID != rest.Position {
			t.Errorf("second page: %+v", rest)
		}
		if x := ask(t, "DELETE", reader+"/v1/channels/orders.42/events", ""); x.Status != http.StatusNoContent {
			t.Fatalf("%d %s", x.Status, x.Body)
		}
		for since, reset := range map[string]string{first.Position: "", first.Next: "trimmed"} {
			if page := history(t, writer, "orders.42", fmt.Sprintf("?since=%s", since)); len(page.Events) > 0 || page.Reset != reset {
				t.Errorf("after the deletion, since %s: %+v", since, page)
			}
		}
	}
}
