package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"relay/bench"
)

// progressBar shows how far a long command is: on a terminal as a bar that is
// drawn anew, elsewhere as a line for each step.
type progressBar struct {
	w     io.Writer
	width int // of the terminal; 0: it is none

	mu   sync.Mutex // progress is told by several goroutines
	last string
}

func newProgressBar(w io.Writer) *progressBar {
	b := &progressBar{w: w}
	if file, ok := w.(*os.File); ok && isTerminal(file) {
		b.width = 80
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			b.width = width
		}
	}
	return b
}

const barWidth = 24

func (b *progressBar) show(p bench.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.width == 0 {
		if p.Text != b.last {
			fmt.Fprintf(b.w, "relay bench: %s\n", p.Text)
			b.last = p.Text
		}
		return
	}
	full := int(p.Done * barWidth)
	line := fmt.Sprintf("%s%s %3.0f %%  %s", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), 100*p.Done, p.Text)
	if runes := []rune(line); len(runes) >= b.width {
		line = string(runes[:b.width-1])
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
}

// clear leaves the terminal to what comes next.
func (b *progressBar) clear() {
	if b.width > 0 {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
