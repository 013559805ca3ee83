package config

import (
	"net"
	"net/url"
	"strings"
)

// parseOrigin checks the syntax of an allowed origin and writes it as browsers
// do (RFC 6454, section 6.2): lower case, without the scheme's default port.
func parseOrigin(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	u, err := url.Parse(strings.ToLower(s))
	if err != nil || u.Scheme == "" || u.Host == "" {
		hint := "write it like https://app.example.com, https://*.example.com or *"
		if err == nil && !strings.Contains(s, "/") && strings.Contains(s, ".") {
			hint = "an origin begins with its scheme: https://" + s
		}
		return "", unfit(quote(s)+" is not an origin", hint)
	}
	bare := u.Scheme + "://" + u.Host
	if u.User != nil || bare != strings.ToLower(s) {
		return "", unfit(quote(s)+" has more than scheme, host and port", "write "+bare)
	}
	if rest, _ := strings.CutPrefix(u.Hostname(), "*."); strings.Contains(rest, "*") || strings.HasPrefix(rest, ".") || rest == "" {
		return "", unfit(quote(s)+" has an asterisk where none can be", "an asterisk stands for whole labels at the beginning: https://*.example.com")
	}
	if strings.HasSuffix(u.Host, ":") {
		return "", unfit(quote(s)+" has a colon without a port", "")
	}
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host, _, _ := net.SplitHostPort(u.Host)
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return u.Scheme + "://" + host, nil
	}
	return bare, nil
}
