package main

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	none := math.Inf(1)
	for text, want := range map[string]float64{
		"268435456\n": 256 << 20, "max\n": none, "9223372036854771712\n": none, "nonsense": none,
	} {
		name := filepath.Join(t.TempDir(), "memory.max")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := memoryLimitIn([]string{name + ".missing", name}); got != want {
			t.Errorf("%q is read as %v, want %v", text, got, want)
		}
	}
	if got := memoryLimitIn(nil); got != none {
		t.Errorf("without a file: %v", got)
	}
}
