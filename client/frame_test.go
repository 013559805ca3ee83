package client_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"relay/client"
)

// A frame is a JSON object with a type, keeps its text, and its data is a part
// of that text.
func FuzzParseFrame(f *testing.F) {
	for _, seed := range []string{
		`{"type":"event","channel":"orders.42","id":"1795334400123-42-Xk3vQ9","event":"order.paid","data":{"total":12}}`,
		`{"type":"welcome","connection":"c","ping_interval_ms":25000}`,
		`{"type":"subscribed","channel":"a","id":"1-0-aaaaaa","recovered":true,"ref":7}`,
		`{"type":"reset","channel":"a","id":"1-0-aaaaaa","reason":"trimmed"}`,
		`{"type":"error","code":"bad_frame","message":"no","ref":"x"}`,
		`{"type":"goodbye","reason":"draining","reconnect_in_ms":1830}`,
		`{"type":1}`, `{}`, `[]`, `null`, ``, `{"type":"event","data": [1, 2 ]}`, `{"type":"welcome","ping_interval_ms":1e99}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		frame, err := client.ParseFrame(text)
		if err != nil {
			return
		}
		if frame.Type == "" || !json.Valid(text) || !bytes.Equal(frame.Raw, text) {
			t.Errorf("%q became %+v", text, frame)
		}
		if len(frame.Data) > 0 && !bytes.Contains(text, frame.Data) {
			t.Errorf("%q has data %q", text, frame.Data)
		}
	})
}
