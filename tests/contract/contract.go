// Package contract holds what a relay says against openapi.yaml.
package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"relay"
)

// Document is openapi.yaml, made strict: a response must not hold a field
// that the document does not name. (Clients must ignore such fields, but this
// relay must not send them.)
var Document = sync.OnceValue(func() *openapi3.T {
	// A stream is text; its frames are held against their own schema.
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromData(relay.OpenAPI)
	if err != nil {
		panic(err)
	}
	for _, s := range doc.Components.Schemas {
		closeSchema(s)
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for _, response := range op.Responses.Map() {
				for _, media := range response.Value.Content {
					closeSchema(media.Schema)
				}
			}
		}
	}
	return doc
})

func closeSchema(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Ref != "" {
		return // closed where it is defined
	}
	s := ref.Value
	if len(s.Properties) > 0 && s.Type.Is("object") {
		closed := false
		s.AdditionalProperties = openapi3.AdditionalProperties{Has: &closed}
	}
	for _, p := range s.Properties {
		closeSchema(p)
	}
	closeSchema(s.Items)
}

// Exchange is a request and what was answered.
type Exchange struct {
	Request *http.Request
	// RequestBody is what was sent; nil if nothing was.
	RequestBody []byte
	Status      int
	Header      http.Header
	Body        []byte
}

// Check holds an exchange against openapi.yaml: every answer must be
// described there, and what was accepted must be a request as described.
func Check(t testing.TB, x Exchange) {
	t.Helper()
	ctx := context.Background()
	doc := Document()
	route, params := findOperation(doc, x.Request.Method, x.Request.URL)
	if route == nil || x.Status == http.StatusNotFound {
		if x.Status != http.StatusNotFound && x.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s is not in openapi.yaml and was answered %d", x.Request.Method, x.Request.URL, x.Status)
		}
		if err := doc.Components.Schemas["Problem"].Value.VisitJSON(decodeAny(t, x.Body)); err != nil {
			t.Errorf("%s %s: %d is no Problem: %v\n%s", x.Request.Method, x.Request.URL, x.Status, err, x.Body)
		}
		return
	}
	request := x.Request.Clone(ctx)
	request.Header.Set("Content-Type", "application/json")
	request.Body = http.NoBody
	if x.RequestBody != nil {
		request.Body = io.NopCloser(bytes.NewReader(x.RequestBody))
	}
	in := &openapi3filter.RequestValidationInput{
		Request: request, Route: route, PathParams: params,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true,
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		},
	}
	if x.Status == http.StatusOK || x.Status == http.StatusNoContent {
		if err := openapi3filter.ValidateRequest(ctx, in); err != nil {
			t.Errorf("%s %s was accepted, but is not in openapi.yaml: %v", request.Method, request.URL, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: x.Status, Header: x.Header, Options: in.Options,
	}
	out.SetBodyBytes(x.Body)
	if err := openapi3filter.ValidateResponse(ctx, out); err != nil {
		t.Errorf("%s %s: the answer %d is not in openapi.yaml: %v\n%s", request.Method, request.URL, x.Status, err, x.Body)
	}
}

// CheckFrame holds a frame against a schema: ServerFrame or ClientFrame.
func CheckFrame(t testing.TB, schema string, frame []byte) {
	t.Helper()
	if err := Document().Components.Schemas[schema].Value.VisitJSON(decodeAny(t, frame)); err != nil {
		t.Errorf("the frame is not in openapi.yaml: %v\n%s", err, frame)
	}
}

// findOperation finds the operation for a path by its template. The names in
// a path may hold encoded slashes, so it compares the path as it was sent.
func findOperation(doc *openapi3.T, method string, u *url.URL) (*routers.Route, map[string]string) {
	sent := strings.Split(u.EscapedPath(), "/")
	for template, item := range doc.Paths.Map() {
		params, ok := matchPath(strings.Split(template, "/"), sent)
		if !ok {
			continue
		}
		op := item.Operations()[method]
		if op == nil {
			return nil, nil
		}
		return &routers.Route{Spec: doc, Path: template, PathItem: item, Method: method, Operation: op}, params
	}
	return nil, nil
}

func matchPath(template, sent []string) (map[string]string, bool) {
	if len(template) != len(sent) {
		return nil, false
	}
	params := make(map[string]string)
	for i, part := range template {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			value, err := url.PathUnescape(sent[i])
			if err != nil || value == "" {
				return nil, false
			}
			params[strings.TrimSuffix(name, "}")] = value
			continue
		}
		if part != sent[i] {
			return nil, false
		}
	}
	return params, true
}

func decodeAny(t testing.TB, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, body)
	}
	return v
}
