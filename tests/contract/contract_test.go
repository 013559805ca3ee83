package contract_test

import (
	"maps"
	"strings"
	"testing"

	"relay/tests/contract"
)

func TestContractIsValid(t *testing.T) {
	if err := contract.Document().Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The helper above must be able to fail.
func TestContractRefuses(t *testing.T) {
	problem := contract.Document().Components.Schemas["Problem"].Value
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
	schemas := contract.Document().Components.Schemas
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
