package config

import (
	"fmt"
	"net"
	"time"

	"relay/cmd/relay/internal/flags"
	"relay/hostport"
)

// derive fills in what follows from other settings.
func (c *Config) derive() {
	loopback := hostport.IsLoopbackListen(c.PublicAddr)
	c.Console = c.console == toggleOn || c.console == toggleAuto && loopback
	c.OpenLocal = loopback && !c.inPod && !c.canAdmit()
	// A proxy on this machine makes the loopback address reachable for others
	// and need not show it. So the page takes test events by itself only where
	// nothing was set up yet; beyond that somebody has to ask for it.
	c.ConsolePublish = c.Console && (c.OpenLocal || c.console == toggleOn) &&
		loopback && hostport.IsLoopbackListen(c.APIAddr) && !c.APIKeys.IsSet()
}

// rule is something that several settings must fulfil together. It is
// reported at the first of them, and not asked if one of them has a problem of
// its own.
type rule struct {
	settings []string
	// broken says what is wrong, or "".
	broken func(c *Config) (text, hint string)
}

// judge applies the rules.
func (j *job) judge() {
	byName := make(map[string]*Setting)
	for _, s := range j.loader.settings {
		byName[s.Name] = s
	}
rules:
	for _, r := range rules {
		for _, name := range r.settings {
			if j.failed[name] {
				continue rules
			}
		}
		if text, hint := r.broken(j.config); text != "" {
			first := byName[r.settings[0]]
			where := j.config.origins[first.Name].where(first)
			j.problems = append(j.problems, &Problem{Where: where, Text: text, Hint: hint})
		}
	}
}

// eventRoom is what an event's frame needs beside its data: names, position
// and the wire's own text.
const eventRoom = 4 * kibibyte

var rules = []rule{
	{[]string{"public_addr", "jwt_secret", "public_channels", "open"}, func(c *Config) (string, string) {
		const hint = "set RELAY_JWT_SECRET for clients with tokens, RELAY_PUBLIC_CHANNELS for channels that anyone may read, " +
			"or RELAY_OPEN=true if the whole world may read everything"
		switch {
		case c.canAdmit():
			return "", ""
		case !hostport.IsLoopbackListen(c.PublicAddr):
			return fmt.Sprintf("%s can be reached from other machines, and nothing says who may subscribe", quote(c.PublicAddr)), hint
		case c.inPod:
			return "in a pod no channel is open by itself, and nothing says who may subscribe", hint
		}
		return "", ""
	}},
	{[]string{"api_addr", "api_keys"}, func(c *Config) (string, string) {
		if hostport.IsLoopbackListen(c.APIAddr) || c.APIKeys.IsSet() {
			return "", ""
		}
		return fmt.Sprintf("%s can be reached from other machines, and without keys anyone there could publish", quote(c.APIAddr)),
			"set RELAY_API_KEYS, or let the API listen on 127.0.0.1"
	}},
	{[]string{"api_addr", "public_addr"}, func(c *Config) (string, string) { return clash(c.APIAddr, "public_addr", c.PublicAddr) }},
	{[]string{"ops_addr", "public_addr"}, func(c *Config) (string, string) { return clash(c.OpsAddr, "public_addr", c.PublicAddr) }},
	{[]string{"ops_addr", "api_addr"}, func(c *Config) (string, string) { return clash(c.OpsAddr, "api_addr", c.APIAddr) }},
	{[]string{"position_ttl", "history_ttl"}, func(c *Config) (string, string) {
		if c.PositionTTL >= c.HistoryTTL {
			return "", ""
		}
		return fmt.Sprintf("%s is less than history_ttl, %s: history could not be continued",
			flags.FormatDuration(c.PositionTTL), flags.FormatDuration(c.HistoryTTL)), "raise position_ttl or lower history_ttl"
	}},
	{[]string{"max_request_bytes", "max_event_bytes"}, func(c *Config) (string, string) {
		if c.MaxRequestBytes >= c.MaxEventBytes {
			return "", ""
		}
		return fmt.Sprintf("%s is less than max_event_bytes, %s: no request could hold the largest event",
			formatSize(c.MaxRequestBytes), formatSize(c.MaxEventBytes)), "raise max_request_bytes or lower max_event_bytes"
	}},
	{[]string{"drain_window", "drain_delay", "grace_period"}, func(c *Config) (string, string) {
		need := c.DrainDelay + c.DrainWindow + DrainMargin
		if c.GracePeriod == 0 || need <= c.GracePeriod {
			return "", ""
		}
		hint := fmt.Sprintf("set terminationGracePeriodSeconds to %d or more, and RELAY_GRACE_PERIOD to the same", (need+time.Second-1)/time.Second)
		if fits := c.GracePeriod - c.DrainDelay - DrainMargin; fits > 0 {
			hint = "set RELAY_DRAIN_WINDOW to " + flags.FormatDuration(fits) + " or less, or " + hint
		}
		return fmt.Sprintf("%s, with RELAY_DRAIN_DELAY (%s) before it and %s to end, is longer than RELAY_GRACE_PERIOD, %s: the pod would be killed before its clients are released",
			flags.FormatDuration(c.DrainWindow), flags.FormatDuration(c.DrainDelay), flags.FormatDuration(DrainMargin), flags.FormatDuration(c.GracePeriod)), hint
	}},
	{[]string{"queue_bytes", "max_event_bytes"}, func(c *Config) (string, string) {
		if c.QueueBytes >= c.MaxEventBytes+eventRoom {
			return "", ""
		}
		return fmt.Sprintf("%s cannot hold the largest event (max_event_bytes, %s, and %s for the rest of it): each would close the client",
			formatSize(c.QueueBytes), formatSize(c.MaxEventBytes), formatSize(eventRoom)), "raise queue_bytes or lower max_event_bytes"
	}},
}

// clash says that two listeners want the same port of the same address.
func clash(addr, otherName, other string) (string, string) {
	host, port, _ := net.SplitHostPort(addr)
	otherHost, otherPort, _ := net.SplitHostPort(other)
	if port != otherPort || port == "0" || host != otherHost && !isWildcard(host) && !isWildcard(otherHost) {
		return "", ""
	}
	return fmt.Sprintf("%s is the port of %s, %s, as well", quote(addr), otherName, quote(other)), "give each listener its own port"
}

func isWildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
