package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the commands say into testdata instead of comparing")

// Each file in testdata/*.txt is a session at a terminal: lines that begin
// with "$ " are commands, with variables in front if they need some, and what
// follows is all that the command says, then its exit code unless it is 0.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(scripts) == 0 {
		t.Fatal("there are no scripts")
	}
	for _, path := range scripts {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(content))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(content) {
				t.Errorf("%s is not what the commands say now; it would be:\n%s", path, got)
			}
		})
	}
}

// replay runs the commands of a script and returns the script with what they
// say now. Lines before the first command are remarks.
func replay(t *testing.T, script string) string {
	t.Helper()
	var b strings.Builder
	commands := 0
	for line := range strings.Lines(script) {
		command, ok := strings.CutPrefix(line, "$ ")
		switch {
		case ok:
			if commands++; commands > 1 {
				b.WriteString("\n")
			}
			b.WriteString(line)
			b.WriteString(transcript(t, strings.TrimSpace(command)))
		case commands == 0:
			b.WriteString(line)
		}
	}
	if commands == 0 {
		t.Error("the script runs nothing")
	}
	return b.String()
}

func transcript(t *testing.T, command string) string {
	t.Helper()
	words, err := shellWords(command)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	var env []string
	for len(words) > 0 && strings.Contains(words[0], "=") {
		env, words = append(env, words[0]), words[1:]
	}
	if len(words) == 0 || words[0] != "relay" {
		t.Fatalf("%s: not a relay command", command)
	}
	var out strings.Builder
	p := &program{args: words[1:], env: env, stdin: strings.NewReader("from standard input\n"), stdout: &out, stderr: &out}
	if code := run(context.Background(), p); code != 0 {
		fmt.Fprintf(&out, "[exit %d]\n", code)
	}
	return out.String()
}

// shellWords splits a line as a shell does that knows quotes only.
func shellWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	started := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, started = r, true
		case quote == 0 && r == ' ':
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(r)
			started = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}
