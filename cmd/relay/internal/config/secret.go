package config

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// rereadEvery is how often at most the file of a secret is looked at.
const rereadEvery = time.Second

// Secret is a value that is never shown and may live in a file. Its methods
// may be called by many goroutines; a nil Secret is one that is not set.
type Secret struct {
	// current is what Get returns.
	current atomic.Pointer[string]

	// Fixed after construction.
	path  string // empty unless it comes from a file
	read  ReadFile
	check func(string) *Problem

	// mu guards what follows. Nobody waits for it: whoever finds it held goes
	// on with the current value, so a file system that hangs costs one goroutine.
	mu      sync.Mutex
	next    time.Time
	failing bool
	report  func(error)
}

// NewSecret makes a secret that does not come from a file.
func NewSecret(text string) *Secret {
	s := new(Secret)
	s.current.Store(&text)
	return s
}

// openSecret reads a secret from a file. check judges its value, now and
// whenever the file changes.
func openSecret(path string, read ReadFile, check func(string) *Problem) (*Secret, error) {
	s := &Secret{path: path, read: read, check: check, next: time.Now().Add(rereadEvery)}
	text, err := s.load()
	if err != nil {
		return nil, err
	}
	s.current.Store(&text)
	return s, nil
}

// Get returns the value, or "" if there is none. A change of the file is seen
// within about a second. When the file cannot be read any more, or holds
// something unfit, the last good value stays: an emptied file must not open a
// door that had a lock when the relay started.
func (s *Secret) Get() string {
	if s == nil {
		return ""
	}
	if s.path != "" {
		s.refresh()
	}
	return *s.current.Load()
}

// List returns the value as the items between commas and line breaks.
func (s *Secret) List() []string { return splitKeys(s.Get()) }

// IsSet reports whether there is a value.
func (s *Secret) IsSet() bool { return s.Get() != "" }

// String keeps the value out of logs and messages.
func (s *Secret) String() string {
	if s.IsSet() {
		return "(set, hidden)"
	}
	return "(not set)"
}

// GoString does the same for the %#v verb.
func (s *Secret) GoString() string { return s.String() }

// LogValue does the same for slog.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText does the same for encoders.
func (s *Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Secret) onFailure(report func(error)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = report
}

// refresh reads the file again if it is time. It compares content rather than
// the time of the last change, because two changes can share a timestamp.
func (s *Secret) refresh() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	now := time.Now()
	if now.Before(s.next) {
		return
	}
	s.next = now.Add(rereadEvery)
	text, err := s.load()
	if err != nil {
		if !s.failing && s.report != nil {
			s.report(err)
		}
		s.failing = true
		return
	}
	s.failing = false
	if text != *s.current.Load() {
		s.current.Store(&text)
	}
}

// load reads and checks the file. One line break at its end is not part of the
// secret: editors and `echo` add it.
func (s *Secret) load() (string, error) {
	file := "the file " + quote(s.path)
	content, err := s.read(s.path)
	if err != nil {
		return "", unfit(file+" cannot be read: "+cause(err), "")
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" {
		return "", unfit(file+" is empty", "")
	}
	if p := s.check(text); p != nil {
		return "", unfit(file+" is unfit: "+p.Text, p.Hint)
	}
	return text, nil
}

// cause is the reason of a file error without operation and path, which the
// message has already.
func cause(err error) string {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err.Error()
}

func splitKeys(text string) []string {
	var keys []string
	for key := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
