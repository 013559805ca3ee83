//go:build ignore

// Publishes one event with Go's standard library. Run: go run publish.go [CHANNEL [JSON]]
// RELAY_API_URL is where the relay's api listens; RELAY_API_KEY is needed if it has keys.
package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

type problem struct{ Detail string }

var client = &http.Client{Timeout: 10 * time.Second}

func main() {
	args := append(os.Args[1:], "", "")
	channel, data := cmp.Or(args[0], "demo"), cmp.Or(args[1], `{"hello":"from Go"}`)
	body, err := json.Marshal(map[string]any{"channel": channel, "event": "hello", "data": json.RawMessage(data)})
	if err != nil {
		fail(err)
	}
	// The key makes a repeat safe: however often the relay gets it, the event is published once.
	key := rand.Text()
	for pause := time.Second / 2; ; pause *= 2 {
		id, wait, err := publish(body, key)
		if err == nil {
			fmt.Println(id)
			return
		}
		if wait == 0 || pause > 4*time.Second {
			fail(err)
		}
		time.Sleep(max(wait, pause))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// publish posts once. If a repeat may help, wait is how long to wait before it at least.
func publish(body []byte, key string) (id string, wait time.Duration, err error) {
	url := cmp.Or(os.Getenv("RELAY_API_URL"), "http://127.0.0.1:8081") + "/v1/events"
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	if apiKey := os.Getenv("RELAY_API_KEY"); apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+apiKey)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", 1, err
	}
	defer response.Body.Close()
	var answer struct {
		Results []struct{ ID string }
		problem
		Errors []problem
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", 1, err
	}
	if response.StatusCode == http.StatusOK {
		return answer.Results[0].ID, 0, nil
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		wait = max(1, time.Duration(seconds)*time.Second)
	}
	for _, p := range answer.Errors {
		answer.Detail += "\n" + p.Detail
	}
	return "", wait, errors.New(answer.Detail)
}
