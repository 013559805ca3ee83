package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"relay/api"
	"relay/event"
)

// repeat joins n texts made from their number.
func repeat(n int, text func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = text(i)
	}
	return strings.Join(parts, ",")
}

// Nothing of these bodies may be published, and the answer says what is wrong and where.
func TestHostileBodies(t *testing.T) {
	item := func(fields string) string { return `{"channel":"c","event":"e","data":1,` + fields + `}` }
	long := func(n int) string { return strings.Repeat("x", n) }
	const maxData = 100
	tests := []struct {
		name, body string
		status     int
		code       event.Code
		// what must stand in detail, or, of an invalid item, "pointer code" of each error
		want []string
	}{
		// Not JSON.
		{"empty", "", 400, "invalid_json", []string{"empty"}},
		{"white space", " \n ", 400, "invalid_json", []string{"empty"}},
		{"word", "hello", 400, "invalid_json", []string{"line 1, byte 1"}},
		{"form", "channel=a&event=b", 400, "invalid_json", []string{"line 1, byte 1"}},
		{"cut off", `{"channel":"c"`, 400, "invalid_json", []string{"ends in the middle", "byte 15"}},
		{"cut off in an array", "[" + oneEvent, 400, "invalid_json", []string{"ends in the middle"}},
		{"second line", "{\n \"channel\": oops}", 400, "invalid_json", []string{"line 2, byte 13"}},
		{"trailing value", oneEvent + oneEvent, 400, "invalid_json", []string{"one array"}},
		{"lines", oneEvent + "\n" + oneEvent, 400, "invalid_json", []string{"one array"}},
		{"trailing garbage", oneEvent + "]", 400, "invalid_json", []string{"follows"}},
		{"trailing zero byte", oneEvent + "\x00", 400, "invalid_json", []string{"follows"}},
		{"comment", `{"channel":"c", // where` + "\n}", 400, "invalid_json", []string{"line 1"}},
		{"trailing comma", `[` + oneEvent + `,]`, 400, "invalid_json", nil},
		{"single quotes", `{'channel':'c'}`, 400, "invalid_json", nil},
		{"byte order mark", "\ufeff" + oneEvent, 400, "invalid_json", nil},
		{"bad UTF-8 in a name", "{\"channel\":\"\xff\",\"event\":\"e\",\"data\":1}", 400, "invalid_json", []string{"UTF-8"}},
		{"bad UTF-8 in data", "{\"channel\":\"c\",\"event\":\"e\",\"data\":\"\xc3\"}", 400, "invalid_json", []string{"UTF-8"}},
		{"half a surrogate pair", `{"channel":"c","event":"e","data":"\ud800"}`, 400, "invalid_json", []string{"surrogate"}},
		{"name twice", `{"channel":"a","event":"e","data":1,"channel":"b"}`, 400, "invalid_json", []string{`"channel" stands twice`}},
		{"name twice, escaped", `{"channel":"a","event":"e","data":1,"\u0063hannel":"b"}`, 400, "invalid_json", []string{`"channel" stands twice`}},
		{"name twice in data", `{"channel":"a","event":"e","data":{"x":1,"x":2}}`, 400, "invalid_json", []string{`"x" stands twice`}},
		{"number with a leading zero", `{"channel":"a","event":"e","data":01}`, 400, "invalid_json", nil},
		{"NaN", `{"channel":"a","event":"e","data":NaN}`, 400, "invalid_json", nil},
		{"raw line break in a string", "{\"channel\":\"a\",\"event\":\"e\",\"data\":\"\n\"}", 400, "invalid_json", nil},
		{"deep data", `{"channel":"a","event":"e","data":` + strings.Repeat("[", 100_000), 400, "invalid_json", []string{"depth"}},
		{"deep body", strings.Repeat("[", 100_000), 400, "invalid_json", []string{"depth"}},

		// JSON of another shape.
		{"null", "null", 400, "invalid_request", []string{"one event"}},
		{"string", `"x"`, 400, "invalid_request", []string{"one event"}},
		{"number", "1", 400, "invalid_request", []string{"one event"}},
		{"empty array", "[]", 400, "invalid_request", []string{"empty"}},
		{"too many events", "[" + repeat(event.MaxItems+1, func(int) string { return oneEvent }) + "]", 400, "invalid_request", []string{"1000"}},
		{"too many results", "[" + repeat(101, func(int) string {
			return `{"channels":[` + repeat(100, func(i int) string { return fmt.Sprintf(`"c%d"`, i) }) + `],"event":"e","data":1}`
		}) + "]", 400, "invalid_request", []string{"10100", "10000"}},

		// Items.
		{"nothing in it", `{}`, 422, "invalid_item", []string{" missing_field", " missing_field", " missing_field"}},
		{"array of nothing", `[null,[],"x",1]`, 422, "invalid_item",
			[]string{"/0 wrong_type", "/1 wrong_type", "/2 wrong_type", "/3 wrong_type"}},
		{"bad item among good ones", `[` + oneEvent + `,{"channel":"c","event":"e"},` + oneEvent + `]`, 422, "invalid_item", []string{"/1 missing_field"}},
		{"all problems of all items", `[{"channel":1,"event":true,"data":0},` + oneEvent + `,{"channel":"*","event":"","history":"no"}]`, 422, "invalid_item",
			[]string{"/0/channel wrong_type", "/0/event wrong_type", "/2/channel invalid_channel", "/2/event invalid_event_name", "/2/history wrong_type", "/2 missing_field"}},
		{"unknown field", item(`"colour":"red"`), 422, "invalid_item", []string{"/colour unknown_field"}},
		{"unknown field with an object", `[` + item(`"a/b~c":{"x":[1]}`) + `]`, 422, "invalid_item", []string{"/0/a~1b~0c unknown_field"}},
		{"unknown field with a long name", item(`"` + long(500) + `":1`), 422, "invalid_item", []string{" unknown_field"}},
		{"wrong case", `{"Channel":"c","event":"e","data":1}`, 422, "invalid_item", []string{"/Channel unknown_field", " missing_field"}},
		{"channel null", `{"channel":null,"event":"e","data":1}`, 422, "invalid_item", []string{"/channel wrong_type"}},
		{"channel empty", `{"channel":"","event":"e","data":1}`, 422, "invalid_item", []string{"/channel invalid_channel"}},
		{"channel too long", `{"channel":"` + long(256) + `","event":"e","data":1}`, 422, "invalid_item", []string{"/channel invalid_channel"}},
		{"channel with a control character", `{"channel":"a\u0000","event":"e","data":1}`, 422, "invalid_item", []string{"/channel invalid_channel"}},
		{"channel of the relay", `{"channel":"_control","event":"e","data":1}`, 422, "invalid_item", []string{"/channel invalid_channel"}},
		{"channel with braces", `{"channel":"{a}","event":"e","data":1}`, 422, "invalid_item", []string{"/channel invalid_channel"}},
		{"channel and channels", `{"channel":"a","channels":["b"],"event":"e","data":1}`, 422, "invalid_item", []string{" invalid_channel"}},
		{"channels and the same channel", `{"channels":["a"],"channel":"a","event":"e","data":1}`, 422, "invalid_item", []string{"/channel invalid_channel", " invalid_channel"}},
		{"channels empty", `{"channels":[],"event":"e","data":1}`, 422, "invalid_item", []string{"/channels invalid_channel"}},
		{"channels no list", `{"channels":"a","event":"e","data":1}`, 422, "invalid_item", []string{"/channels wrong_type"}},
		{"channels null", `{"channels":null,"event":"e","data":1}`, 422, "invalid_item", []string{"/channels wrong_type"}},
		{"channel twice", `{"channels":["a","b","a"],"event":"e","data":1}`, 422, "invalid_item", []string{"/channels/2 invalid_channel"}},
		{"channels of all kinds", `{"channels":["a",1,"","b",{}],"event":"e","data":1}`, 422, "invalid_item",
			[]string{"/channels/1 wrong_type", "/channels/2 invalid_channel", "/channels/4 wrong_type"}},
		{"too many channels", `{"channels":[` + repeat(101, func(i int) string { return fmt.Sprintf(`"c%d"`, i) }) + `],"event":"e","data":1}`, 422, "invalid_item",
			[]string{"/channels too_many_channels"}},
		{"event too long", `{"channel":"c","event":"` + long(129) + `","data":1}`, 422, "invalid_item", []string{"/event invalid_event_name"}},
		{"event with a line break", `{"channel":"c","event":"a\nb","data":1}`, 422, "invalid_item", []string{"/event invalid_event_name"}},
		{"event a number", `{"channel":"c","event":5,"data":1}`, 422, "invalid_item", []string{"/event wrong_type"}},
		{"data too large", `{"channel":"c","event":"e","data":"` + long(maxData-1) + `"}`, 422, "invalid_item", []string{"/data data_too_large"}},
		{"exclude a string", item(`"exclude":"a"`), 422, "invalid_item", []string{"/exclude wrong_type"}},
		{"exclude a number", item(`"exclude":[1]`), 422, "invalid_item", []string{"/exclude/0 wrong_type"}},
		{"exclude an empty one", item(`"exclude":["a",""]`), 422, "invalid_item", []string{"/exclude/1 invalid_exclude"}},
		{"exclude too long a one", item(`"exclude":["` + long(65) + `"]`), 422, "invalid_item", []string{"/exclude/0 invalid_exclude"}},
		{"exclude too many", item(`"exclude":[` + repeat(101, func(int) string { return `"a"` }) + `]`), 422, "invalid_item", []string{"/exclude invalid_exclude"}},
		{"history null", item(`"history":null`), 422, "invalid_item", []string{"/history wrong_type"}},
		{"history a number", item(`"history":0`), 422, "invalid_item", []string{"/history wrong_type"}},
		{"key empty", item(`"key":""`), 422, "invalid_item", []string{"/key invalid_key"}},
		{"key too long", item(`"key":"` + long(256) + `"`), 422, "invalid_item", []string{"/key invalid_key"}},
		{"key not ASCII", item(`"key":"ключ"`), 422, "invalid_item", []string{"/key invalid_key"}},
		{"key with a control character", item(`"key":"a\tb"`), 422, "invalid_item", []string{"/key invalid_key"}},
		{"key for two events", `[` + item(`"key":"k"`) + `,` + item(`"key":"j"`) + `,{"channel":"c","event":"other","data":1,"key":"k"}]`, 422, "invalid_item",
			[]string{"/2/key key_reused"}},

		// A syntax error is stronger than what was wrong before it.
		{"bad item, then no JSON", `[{"channel":1}, oops]`, 400, "invalid_json", nil},
		{"good items, then no JSON", `[` + oneEvent + `,`, 400, "invalid_json", nil},
	}
	s := serve(t, func(o *api.Options) { o.MaxEventBytes = maxData })
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := wantRefused(t, s.publish(t, test.body), test.status, test.code)
			if test.code == "invalid_item" {
				var got []string
				for _, e := range p.Errors {
					got = append(got, e.Pointer+" "+string(e.Code))
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("errors %q\nwant   %q", got, test.want)
				}
				return
			}
			for _, text := range test.want {
				if !strings.Contains(p.Detail, text) {
					t.Errorf("detail %q\nwithout %q", p.Detail, text)
				}
			}
		})
	}
	if published := s.bus.published(t); len(published) > 0 {
		t.Errorf("published: %v", published)
	}
}

// The index counts items, and stands beside the pointer.
func TestErrorIndex(t *testing.T) {
	s := serve(t)
	p := wantRefused(t, s.publish(t, `[`+oneEvent+`,{"channel":"c","event":"e"},`+oneEvent+`,7]`), 422, "invalid_item")
	if len(p.Errors) != 2 || p.Errors[0].Index != 1 || p.Errors[1].Index != 3 {
		t.Errorf("errors %+v", p.Errors)
	}
}

func TestErrorsAreCapped(t *testing.T) {
	s := serve(t)
	x := s.publish(t, `[`+repeat(150, func(int) string { return "7" })+`]`)
	p := wantRefused(t, x, 422, "invalid_item")
	if len(p.Errors) != 100 || !strings.Contains(p.Detail, "first of 150") || !strings.Contains(p.Detail, "lists 100") {
		t.Errorf("%d errors, %q", len(p.Errors), p.Detail)
	}

	reused := repeat(150, func(i int) string { return fmt.Sprintf(`{"channel":"c","event":"e","data":%d,"key":"k"}`, i) })
	p = wantRefused(t, s.publish(t, `[`+reused+`]`), 422, "invalid_item")
	if len(p.Errors) != 100 || !strings.Contains(p.Detail, "149") {
		t.Errorf("%d errors, %q", len(p.Errors), p.Detail)
	}
}

// An answer does not grow with what was sent.
func TestAnswersAreShort(t *testing.T) {
	s := serve(t)
	long := strings.Repeat("x", 1<<20)
	for _, body := range []string{
		`{"` + long + `":1}`,
		`{"channel":"` + long + `","event":"` + long + `","data":1,"key":"` + long + `","exclude":["` + long + `"]}`,
		`{"` + long + `":1,"` + long + `":2}`,
		long,
	} {
		x := s.publish(t, body)
		if x.Status == http.StatusOK || len(x.Body) > 4000 {
			t.Errorf("status %d, %d bytes", x.Status, len(x.Body))
		}
	}
	for _, path := range []string{"/v1/disconnect", "/v1/tokens"} {
		for _, body := range []string{
			`{"` + long + `":1}`,
			`{"user":"` + long + `","connection":"` + long + `","reason":"` + long + `"}`,
			`{"user":"ada","subscribe":["` + long + `"],"ttl":"` + long + `"}`,
		} {
			if x := s.do(t, call{path: path, body: body}); x.Status == http.StatusOK || len(x.Body) > 4000 {
				t.Errorf("%s: status %d, %d bytes", path, x.Status, len(x.Body))
			}
		}
	}
}

// Detail sentences quote what strangers sent; they must stay JSON.
func TestQuotedTextStaysJSON(t *testing.T) {
	s := serve(t)
	name, err := json.Marshal(strings.Repeat("é\"\\\u2028", 30))
	if err != nil {
		t.Fatal(err)
	}
	p := wantRefused(t, s.publish(t, `{"channel":"c","event":"e","data":1,`+string(name)+`:1}`), 422, "invalid_item")
	if len(p.Errors) != 1 {
		t.Errorf("errors %+v", p.Errors)
	}
}
