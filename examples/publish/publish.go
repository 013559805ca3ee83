//go:build ignore

// Publishes one event with Go's standard library. Run: go run publish.go [CHANNEL [JSON]]
// RELAY_API_URL is where the relay's api listens; RELAY_API_KEY is needed if it has keys.
package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	args := append(os.Args[1:], "", "")
	body, err := json.Marshal(map[string]any{
		"channel": cmp.Or(args[0], "demo"), "event": "hello", "data": json.RawMessage(cmp.Or(args[1], `{"hello":"from Go"}`)),
	})
	if err != nil {
		log.Fatal(err)
	}
	url := cmp.Or(os.Getenv("RELAY_API_URL"), "http://127.0.0.1:8081") + "/v1/events"
	// The key makes a repeat safe: however often the relay gets it, the event is published once.
	key := rand.Text()
	for pause := time.Second; ; pause *= 2 {
		request, err := http.NewRequest("POST", url, bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Idempotency-Key", key)
		request.Header.Set("Authorization", "Bearer "+os.Getenv("RELAY_API_KEY")) // ignored by a relay without keys
		response, err := http.DefaultClient.Do(request)
		if err == nil && response.StatusCode != http.StatusServiceUnavailable || pause > 8*time.Second {
			fmt.Println(answer(response, err))
			return
		}
		time.Sleep(pause)
	}
}

// answer returns the event's ID.
func answer(response *http.Response, err error) string {
	if err != nil {
		log.Fatal(err)
	}
	var a struct {
		Results []struct{ ID string }
		Detail  string
	}
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		log.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		log.Fatal(a.Detail)
	}
	return a.Results[0].ID
}
