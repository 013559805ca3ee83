package config

import "strings"

// Problem is one thing wrong with the settings.
type Problem struct {
	// Where leads to the value: "--history-ttl", "RELAY_HISTORY_TTL" or
	// "relay.yaml:3: history_ttl".
	Where string
	// Text says what is wrong, Hint (if any) what to do about it.
	Text, Hint string
}

func (p *Problem) Error() string {
	if p.Where == "" {
		return p.Text
	}
	return p.Where + ": " + p.Text
}

// Problems is everything wrong with the settings, so that one start tells all.
type Problems []*Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a Problem.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// unfit makes the error of a value; the loader adds where it came from.
func unfit(text, hint string) *Problem { return &Problem{Text: text, Hint: hint} }
