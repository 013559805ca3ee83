package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"relay"
)

// contract is openapi.yaml, made strict: a response must not hold a field
// that the document does not name. (Clients must ignore such fields, but this
// relay must not send them.)
var contract = sync.OnceValue(func() *openapi3.T {
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

// exchange is a request and what was answered.
type exchange struct {
	request     *http.Request
	requestBody []byte
	status      int
	header      http.Header
	body        []byte
}

// checkContract holds an exchange against openapi.yaml: every answer must be
// described there, and what was accepted must be a request as described.
func checkContract(t *testing.T, x exchange) {
	t.Helper()
	doc := contract()
	route, params := findOperation(doc, x.request.Method, x.request.URL)
	if route == nil || x.status == http.StatusNotFound {
		if x.status != http.StatusNotFound && x.status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s is not in openapi.yaml and was answered %d", x.request.Method, x.request.URL, x.status)
		}
		if err := doc.Components.Schemas["Problem"].Value.VisitJSON(decodeAny(t, x.body)); err != nil {
			t.Errorf("%s %s: %d is no Problem: %v\n%s", x.request.Method, x.request.URL, x.status, err, x.body)
		}
		return
	}
	request := x.request.Clone(t.Context())
	request.Header.Set("Content-Type", "application/json")
	request.Body = http.NoBody
	if x.requestBody != nil {
		request.Body = io.NopCloser(bytes.NewReader(x.requestBody))
	}
	in := &openapi3filter.RequestValidationInput{
		Request: request, Route: route, PathParams: params,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true,
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		},
	}
	if x.status == http.StatusOK {
		if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
			t.Errorf("%s %s was accepted, but is not in openapi.yaml: %v", request.Method, request.URL, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: x.status, Header: x.header, Options: in.Options,
	}
	out.SetBodyBytes(x.body)
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("%s %s: the answer %d is not in openapi.yaml: %v\n%s", request.Method, request.URL, x.status, err, x.body)
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

func decodeAny(t *testing.T, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, body)
	}
	return v
}

func TestContractIsValid(t *testing.T) {
	if err := contract().Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The helper above must be able to fail.
func TestContractRefuses(t *testing.T) {
	problem := contract().Components.Schemas["Problem"].Value
	good := map[string]any{
		"type": "urn:relay:problem:not_found", "title": "Not Found", "status": 404.0, "code": "not_found", "detail": "x",
	}
	if err := problem.VisitJSON(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(map[string]any){
		"unknown code":  func(p map[string]any) { p["code"] = "odd" },
		"missing":       func(p map[string]any) { delete(p, "detail") },
		"unknown field": func(p map[string]any) { p["hint"] = "x" },
		"wrong type":    func(p map[string]any) { p["status"] = "404" },
	} {
		bad := maps.Clone(good)
		spoil(bad)
		if problem.VisitJSON(bad) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The frames' examples are frames, and events carry any JSON value, null too.
func TestContractFrames(t *testing.T) {
	schemas := contract().Components.Schemas
	for _, name := range []string{"ServerFrame", "ClientFrame"} {
		frame := schemas[name].Value
		for kind, ref := range frame.Discriminator.Mapping {
			schema := schemas[ref.Ref[strings.LastIndexByte(ref.Ref, '/')+1:]]
			if schema == nil || schema.Value.Example == nil {
				t.Errorf("%s %q has no example", name, kind)
				continue
			}
			if err := frame.VisitJSON(schema.Value.Example); err != nil {
				t.Errorf("%s %q: %v", name, kind, err)
			}
		}
		if len(frame.Discriminator.Mapping) != len(frame.OneOf) {
			t.Errorf("%s: %d kinds, %d schemas", name, len(frame.Discriminator.Mapping), len(frame.OneOf))
		}
	}
	for _, data := range []any{nil, true, 1.5, "x", []any{nil}, map[string]any{"a": nil}} {
		frame := map[string]any{"type": "event", "channel": "c", "event": "e", "data": data}
		if err := schemas["ServerFrame"].Value.VisitJSON(frame); err != nil {
			t.Errorf("data %v: %v", data, err)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
