package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"relay/api"
	"relay/bus"
	"relay/event"
	"relay/problem"
)

// post serves one request without a network.
func post(t *testing.T, b *recorder, path, key string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	a := api.New(api.Options{Bus: b, Rooms: &rooms{}, Tokens: func() []byte { return []byte(secret) }})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
	if key != "" {
		r.Header["Idempotency-Key"] = []string{key}
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

// FuzzPublish holds the decoder of POST /v1/events against encoding/json:
// what is accepted and published is the same JSON that was posted, and what
// is refused is refused as a whole.
func FuzzPublish(f *testing.F) {
	for _, body := range []string{
		oneEvent,
		`{"channels":["a","b"],"event":"x","data":null,"exclude":["CONNECTION-ID"],"history":false}`,
		`[` + oneEvent + `,{"channel":"a","event":"x","data":[ 1e400, -0, "\u00e9\ud83d\ude00" ],"key":"k"}]`,
		`[{"channel":"a","event":"x","data":1,"key":"k"},{"channel":"a","event":"x","data":2,"key":"k"}]`,
		"{\"data\" : {\"a \\\\\" : \" \\\" \" , \"b\":{}},\n\"event\":\"\\u0065\",\"\\u0063hannel\":\"é\"}",
		`{"channel":"a","channel":"b"}`, `{"Channel":"a"}`, `[[]]`, `[]`, `{}`, `null`, ``, `{"data":`, "\xff", `{"\ud800":1}`,
	} {
		f.Add([]byte(body), "")
		f.Add([]byte(body), "KEY")
	}
	f.Fuzz(func(t *testing.T, body []byte, key string) {
		b := &recorder{}
		w := post(t, b, "/v1/events", key, body)
		published := b.published(t)
		if w.Code != http.StatusOK {
			if len(published) > 0 {
				t.Fatalf("%d, but published %+v", w.Code, published)
			}
			var p problem.Problem
			decode(t, w.Body.Bytes(), &p)
			switch p.Code {
			case event.CodeInvalidJSON, event.CodeInvalidRequest, event.CodeInvalidItem, event.CodeInvalidKey:
			default:
				t.Fatalf("%d %s: %s", w.Code, p.Code, p.Detail)
			}
			if len(p.Errors) > 0 != (p.Code == event.CodeInvalidItem) {
				t.Fatalf("%s with %d errors", p.Code, len(p.Errors))
			}
			return
		}
		want, ok := reference(body, key)
		if !ok {
			t.Fatalf("accepted: %s", body)
		}
		if len(want) != len(published) {
			t.Fatalf("%d published, want %d", len(published), len(want))
		}
		for i := range want {
			if !reflect.DeepEqual(published[i], want[i]) {
				t.Fatalf("published %+v\nwant      %+v", published[i], want[i])
			}
		}
	})
}

// reference reads a publish request with encoding/json. It is more lenient
// than the relay: it only serves to tell what an accepted request means.
func reference(body []byte, key string) (all []bus.Publication, ok bool) {
	var items []map[string]json.RawMessage
	list := bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
	if list {
		if json.Unmarshal(body, &items) != nil {
			return nil, false
		}
	} else {
		items = make([]map[string]json.RawMessage, 1)
		if json.Unmarshal(body, &items[0]) != nil {
			return nil, false
		}
	}
	for i, fields := range items {
		var p bus.Publication
		p.Key = key
		if list && key != "" {
			p.Key = key + "/" + strconv.Itoa(i)
		}
		var channels []string
		for name, value := range fields {
			var err error
			switch name {
			case "channel":
				channels = []string{""}
				err = json.Unmarshal(value, &channels[0])
			case "channels":
				err = json.Unmarshal(value, &channels)
			case "event":
				err = json.Unmarshal(value, &p.Name)
			case "data":
				var compact bytes.Buffer
				err = json.Compact(&compact, value)
				p.Data = compact.Bytes()
			case "exclude":
				err = json.Unmarshal(value, &p.Exclude)
				p.Exclude = slices.Clip(p.Exclude)
				if len(p.Exclude) == 0 {
					p.Exclude = nil
				}
			case "history":
				keep := true
				err = json.Unmarshal(value, &keep)
				p.Transient = !keep
			case "key":
				err = json.Unmarshal(value, &p.Key)
			default:
				return nil, false
			}
			if err != nil {
				return nil, false
			}
		}
		for _, channel := range channels {
			if event.CheckChannel(channel) != nil || event.CheckName(p.Name) != nil {
				return nil, false
			}
			p.Channel = channel
			all = append(all, p)
		}
	}
	return all, len(all) > 0
}

// FuzzOrders: the small bodies do no more than they say, and never break the relay.
func FuzzOrders(f *testing.F) {
	for _, body := range []string{
		`{"user":"ada","reason":"x"}`, `{"connection":"7hQ2mZ"}`, `{"user":"ada","subscribe":["a","b*"],"ttl":"15m"}`,
		`{"user":1,"subscribe":[1,"*a"],"ttl":"9223372036854775807h"}`, `{`, `[]`, ``, `{"user":"a","user":"b"}`, `{"\u0000":0}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"/v1/disconnect", "/v1/tokens"} {
			w := post(t, &recorder{}, path, "", body)
			switch w.Code {
			case http.StatusOK:
				if !json.Valid(body) || !strings.Contains(string(body), `{`) {
					t.Fatalf("%s accepted %q", path, body)
				}
			case http.StatusBadRequest:
				var p problem.Problem
				decode(t, w.Body.Bytes(), &p)
				if p.Code != event.CodeInvalidJSON && p.Code != event.CodeInvalidRequest {
					t.Fatalf("%s: %s", path, p.Code)
				}
			default:
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}
