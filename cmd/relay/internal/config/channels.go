package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"relay/cmd/relay/internal/flags"
	"relay/cmd/relay/internal/suggest"
	"relay/event"
)

// channelsKey is the one key of the YAML file that is no Setting: a list of
// rules fits into neither a flag nor a variable.
const channelsKey = "channels"

// channelsAfter is the setting behind which the rules stand in what lists settings.
const channelsAfter = "position_ttl"

// channelSettings are the settings a rule may give its channels; what it does
// not give is as everywhere.
var channelSettings = []string{"history_size", "history_ttl", "position_ttl"}

// Retention says how much of a channel is kept.
type Retention struct {
	// Size is events; 0 means no history.
	Size int
	// PositionTTL is never less than TTL.
	TTL, PositionTTL time.Duration
}

// Retention returns what the first rule that names the channel says, else what
// holds everywhere. The relay's own channels are nobody's to name.
func (c *Config) Retention(channel string) Retention {
	if !strings.HasPrefix(channel, "_") {
		for i := range c.channels {
			if c.channels[i].match.Match(channel) {
				return c.channels[i].keep
			}
		}
	}
	return c.retention()
}

// retention is what holds everywhere.
func (c *Config) retention() Retention {
	return Retention{Size: c.HistorySize, TTL: c.HistoryTTL, PositionTTL: c.PositionTTL}
}

// channelRule is one item of the list, checked.
type channelRule struct {
	match event.Pattern
	keep  Retention
	file  string
	line  int
}

// fileRule is one item as the file holds it.
type fileRule struct {
	match string
	line  int
	// Text of those of channelSettings that it gives.
	values map[string]fileValue
}

// channels reads the list.
func (r *fileReader) channels(key ast.Node, list ast.Node) {
	if line := lineOf(r.channelsAt); line > 0 {
		r.refuse(key, channelsKey, fmt.Sprintf("it has been given in line %d", line), "leave one of the two")
		return
	}
	r.channelsAt = key
	items, ok := list.(*ast.SequenceNode)
	if !ok {
		r.refuse(key, channelsKey, "it must be a list of rules", ruleHint)
		return
	}
	for _, item := range items.Values {
		r.rule(item)
	}
}

const ruleHint = `write each like {match: "orders.*", history_size: 1000}`

func (r *fileReader) rule(item ast.Node) {
	var entries []*ast.MappingValueNode
	switch item := item.(type) {
	case *ast.MappingNode:
		entries = item.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{item}
	}
	if len(entries) == 0 {
		r.refuse(item, channelsKey, "the list holds something that is not a rule", ruleHint)
		return
	}
	before := len(r.problems)
	rule := fileRule{line: lineOf(entries[0].Key), values: make(map[string]fileValue)}
	for _, entry := range entries {
		r.ruleEntry(&rule, entry)
	}
	if _, ok := rule.values["match"]; !ok && len(r.problems) == before {
		r.refuse(entries[0].Key, channelsKey, "the rule has no match, so it names no channel", ruleHint)
	}
	// A rule with a problem takes no part in the checks over all of them.
	if len(r.problems) == before {
		rule.match = rule.values["match"].items[0]
		r.rules = append(r.rules, rule)
	}
}

func (r *fileReader) ruleEntry(rule *fileRule, entry *ast.MappingValueNode) {
	known := append([]string{"match"}, channelSettings...)
	text, ok := entry.Key.(*ast.StringNode)
	if !ok {
		r.refuse(entry, channelsKey, "the name of a rule's field is plain text", "")
		return
	}
	key := text.Value
	if !slices.Contains(known, key) {
		hint := "a rule has " + strings.Join(known, ", ")
		if near, ok := suggest.Nearest(key, known); ok {
			hint = "did you mean " + near + "?"
		}
		r.refuse(text, channelsKey, "a rule has no field "+quote(key), hint)
		return
	}
	if before, twice := rule.values[key]; twice {
		r.refuse(text, channelsKey, fmt.Sprintf("%s has been given in line %d", key, before.line), "leave one of the two")
		return
	}
	s := r.known[key]
	if key == "match" {
		s = &Setting{value: value{accepts: shapeText}}
	}
	items, problem, hint := readValue(s, entry.Value)
	if entry.Value != nil && entry.Value.Type() == ast.AliasType {
		problem, hint = "it is a YAML alias", asteriskHint
	}
	if problem != "" {
		r.refuse(text, channelsKey+": "+key, problem, hint)
	}
	rule.values[key] = fileValue{items: items, line: lineOf(text)}
}

// applyChannels parses the rules, each on top of what holds everywhere.
func (j *job) applyChannels() {
	for _, rule := range j.rules {
		if p, line := j.applyRule(rule); p != nil {
			p.Where = fmt.Sprintf("%s:%d: %s", j.fileName, line, channelsKey)
			j.problems = append(j.problems, p)
		}
	}
}

func (j *job) applyRule(rule fileRule) (*Problem, int) {
	match, err := event.ParsePattern(rule.match)
	if err != nil {
		return unfit(err.Error(), ""), rule.values["match"].line
	}
	for _, earlier := range j.config.channels {
		if covers(earlier.match, match) {
			return unfit(fmt.Sprintf("%s is never reached: the first rule that matches counts, and %s in line %d matches all of it",
				quote(rule.match), quote(string(earlier.match)), earlier.line), "put the narrower pattern first"), rule.line
		}
	}
	everywhere := j.config.retention()
	here := Config{HistorySize: everywhere.Size, HistoryTTL: everywhere.TTL, PositionTTL: everywhere.PositionTTL}
	for _, s := range j.loader.settings {
		v, ok := rule.values[s.Name]
		if !ok {
			continue
		}
		if err := s.set(&here, v.items); err != nil {
			p := asProblem(err)
			p.Text = s.Name + ": " + p.Text
			return p, v.line
		}
	}
	// If what holds everywhere has a problem of its own, that one comes first.
	broken := here.PositionTTL < here.HistoryTTL && !j.failed["position_ttl"] && !j.failed["history_ttl"] && everywhere.PositionTTL >= everywhere.TTL
	if broken {
		return unfit(fmt.Sprintf("for %s, position_ttl (%s) is less than history_ttl (%s): history could not be continued",
			quote(rule.match), flags.FormatDuration(here.PositionTTL), flags.FormatDuration(here.HistoryTTL)),
			"give this rule a longer position_ttl or a shorter history_ttl"), rule.line
	}
	j.config.channels = append(j.config.channels, channelRule{
		match: match, keep: here.retention(), file: j.fileName, line: rule.line,
	})
	return nil, 0
}

// covers reports whether every channel that b names is named by a.
func covers(a, b event.Pattern) bool {
	prefix, wild := strings.CutSuffix(string(a), "*")
	if !wild {
		return a == b
	}
	return strings.HasPrefix(strings.TrimSuffix(string(b), "*"), prefix)
}

// writeChannels writes the rules in force, each with all that it comes to.
func (c *Config) writeChannels(w io.Writer) {
	if len(c.channels) == 0 {
		fmt.Fprintf(w, "%s: []\t# default\n", channelsKey)
		return
	}
	// No tabs: these long lines must not widen the column of the others.
	fmt.Fprintln(w, channelsKey+":")
	for _, rule := range c.channels {
		fmt.Fprintf(w, "  - {match: %s, history_size: %d, history_ttl: %s, position_ttl: %s}  # %s:%d\n", quote(string(rule.match)),
			rule.keep.Size, flags.FormatDuration(rule.keep.TTL), flags.FormatDuration(rule.keep.PositionTTL), rule.file, rule.line)
	}
}

const channelsReference = `
### ` + "`channels`" + `

Other history for some channels. In the YAML file only.

A list of rules. The first one whose ` + "`match`" + ` (a channel name, or the beginning of names followed by ` + "`*`" + `) names a channel counts for it;
what that rule does not give, and every channel that no rule names, is as the three settings above say. A rule that is never reached,
because an earlier one matches all of its channels, stops the start.

` + "```yaml" + `
channels:
  - {match: typing.*, history_size: 0}
  - match: orders.*
    history_size: 5000
    history_ttl: 2h
    position_ttl: 72h
` + "```" + `

All relays that share a Redis should have the same rules: each publishes by its own.
`
