package config

import (
	"fmt"
	"math"
	"net"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"relay/cmd/relay/internal/flags"
)

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
)

func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, unfit(quote(s)+" is neither true nor false", "")
	}
	return b, nil
}

func parseInteger(s string, low, high int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, unfit(quote(s)+" is not a whole number", "")
	}
	if n < low || n > high {
		return 0, unfit(fmt.Sprintf("%d is out of range: %d to %d", n, low, high), "")
	}
	return n, nil
}

// parseSize reads bytes: a plain number, or one with KiB or MiB behind it.
func parseSize(s string, low, high int) (int, error) {
	digits, unit := s, 1
	if d, ok := strings.CutSuffix(s, "KiB"); ok {
		digits, unit = d, kibibyte
	} else if d, ok := strings.CutSuffix(s, "MiB"); ok {
		digits, unit = d, mebibyte
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > math.MaxInt/unit {
		return 0, unfit(quote(s)+" is not a size in bytes", "write it like 65536, 64KiB or 8MiB")
	}
	if n *= unit; n < low || n > high {
		return 0, unfit(fmt.Sprintf("%s is out of range: %s to %s", s, formatSize(low), formatSize(high)), "")
	}
	return n, nil
}

func formatSize(n int) string {
	switch {
	case n >= mebibyte && n%mebibyte == 0:
		return strconv.Itoa(n/mebibyte) + "MiB"
	case n >= kibibyte && n%kibibyte == 0:
		return strconv.Itoa(n/kibibyte) + "KiB"
	}
	return strconv.Itoa(n)
}

func parseDuration(s string, low time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		hint := "write it like 90s, 10m or 1h30m"
		if _, err := strconv.Atoi(s); err == nil {
			hint = "a number needs a unit: " + s + "s, " + s + "m or " + s + "h"
		}
		return 0, unfit(quote(s)+" is not a duration", hint)
	}
	if d < low {
		return 0, unfit(s+" is too short: at least "+flags.FormatDuration(low), "")
	}
	return d, nil
}

func parseAddress(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		hint := "write it like 127.0.0.1:8080, or :8080 for every address of this machine"
		if _, err := strconv.ParseUint(s, 10, 16); err == nil {
			hint = "write 127.0.0.1:" + s + ", or :" + s + " for every address of this machine"
		}
		return "", unfit(quote(s)+" is not an address with a port", hint)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", unfit(fmt.Sprintf("the port of %q is not a number from 0 to 65535", s), "")
	}
	if strings.ContainsFunc(host, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("/@?#", r) }) {
		return "", unfit(fmt.Sprintf("the host of %q is neither a name nor an IP address", s), "")
	}
	return s, nil
}

func parsePublicPath(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	switch {
	case s[0] != '/':
		return "", unfit(quote(s)+" does not begin with a slash", "write "+quote("/"+strings.TrimRight(s, "/")))
	case strings.HasSuffix(s, "/"):
		hint := "write " + quote(strings.TrimRight(s, "/"))
		if strings.Trim(s, "/") == "" {
			hint = "leave it out: paths have no prefix then"
		}
		return "", unfit(quote(s)+" ends with a slash", hint)
	case path.Clean(s) != s:
		return "", unfit(quote(s)+" has empty or dotted parts", "write "+quote(path.Clean(s)))
	case strings.ContainsFunc(s, func(r rune) bool { return !isPathRune(r) }):
		return "", unfit(quote(s)+" holds something other than letters, digits, and - . _ ~ /", "")
	}
	return s, nil
}

// isPathRune allows the unreserved characters of RFC 3986, section 2.3: what
// an Ingress, a browser and the relay surely spell the same.
func isPathRune(r rune) bool {
	return r == '/' || isUnreserved(r)
}

func isUnreserved(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r)
}

// maxPrefixBytes keeps names in Redis short; each key and message has one.
const maxPrefixBytes = 128

func parsePrefix(s string) (string, error) {
	switch {
	case s == "":
		return "", unfit("it must not be empty", "the relay's names would mix with others in that Redis; the default is relay:")
	case len(s) > maxPrefixBytes:
		return "", unfit(fmt.Sprintf("it has %d bytes; at most %d are possible", len(s), maxPrefixBytes), "")
	case strings.ContainsAny(s, "{}"):
		return "", unfit(quote(s)+" holds a brace", "braces decide about a name's slot in Redis Cluster; leave them out")
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }):
		return "", unfit(quote(s)+" holds white space or characters that cannot be printed", "")
	}
	return s, nil
}

// maxGenerationBytes holds a namespace, a workload and a label of Kubernetes.
const maxGenerationBytes = 512

func parseGeneration(s string) (string, error) {
	switch {
	case len(s) > maxGenerationBytes:
		return "", unfit(fmt.Sprintf("it has %d bytes; at most %d are possible", len(s), maxGenerationBytes), "")
	case strings.ContainsFunc(s, func(r rune) bool { return !isPathRune(r) }):
		return "", unfit(quote(s)+" holds something other than letters, digits, and - . _ ~ /",
			"take it from the label pod-template-hash, or controller-revision-hash, by the downward API")
	}
	return s, nil
}
