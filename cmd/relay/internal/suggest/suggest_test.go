package suggest_test

import (
	"testing"

	"relay/cmd/relay/internal/suggest"
)

func TestNearest(t *testing.T) {
	settings := []string{"history_size", "history_ttl", "position_ttl", "open"}
	for _, tt := range []struct {
		word, want string
		ok         bool
	}{
		{"histroy_size", "history_size", true},
		{"history-size", "history_size", true},
		{"historyttl", "history_ttl", true},
		{"opne", "open", true},
		{"ope", "open", true},
		{"port", "", false},
		{"something_else", "", false},
		{"", "", false},
	} {
		got, ok := suggest.Nearest(tt.word, settings)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("Nearest(%q) = %q, %v; want %q, %v", tt.word, got, ok, tt.want, tt.ok)
		}
	}
}

func TestNearestOfNothing(t *testing.T) {
	if got, ok := suggest.Nearest("word", nil); ok {
		t.Errorf("suggested %q out of nothing", got)
	}
}
