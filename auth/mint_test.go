package auth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"relay/auth"
	"relay/event"
)

func TestMintIsVerified(t *testing.T) {
	tests := map[string]struct {
		user     string
		patterns []event.Pattern
		ttl      time.Duration
	}{
		"usual":       {"ana", []event.Pattern{"orders.*", "news"}, time.Hour},
		"no patterns": {"ana", nil, time.Hour},
		"everything":  {"ana", []event.Pattern{"*"}, time.Second},
		"strange":     {`<a href="x">&amp;</a> 🐙`, []event.Pattern{"Raum <1> & „2“"}, 24 * time.Hour},
		"centuries":   {"ana", nil, 1<<63 - 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token, expires, err := auth.Mint([]byte(testSecret), test.user, test.patterns, test.ttl, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			grant, err := newVerifier().Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			if grant.User != test.user || !slices.Equal(grant.Subscribe, test.patterns) || !grant.Expires.Equal(expires) {
				t.Errorf("grant is %+v, want user %q, patterns %q, expires %v", grant, test.user, test.patterns, expires)
			}
		})
	}
}

func TestMintRoundsUp(t *testing.T) {
	now := time.Unix(1000, 0)
	tests := []struct {
		ttl  time.Duration
		want int64
	}{
		{time.Nanosecond, 1001},
		{time.Second, 1001},
		{time.Second + 1, 1002},
		{time.Hour, 4600},
	}
	for _, test := range tests {
		_, expires, err := auth.Mint([]byte(testSecret), "ana", nil, test.ttl, now)
		if err != nil {
			t.Fatal(err)
		}
		if expires.Unix() != test.want || expires.Nanosecond() != 0 {
			t.Errorf("ttl %v: expires at %v, want second %d", test.ttl, expires, test.want)
		}
	}
}

func TestMintRefuses(t *testing.T) {
	var many, long []event.Pattern
	for i := range 1001 {
		many = append(many, "a")
		if i < 100 {
			long = append(long, event.Pattern(fmt.Sprintf("%s%d", strings.Repeat("x", 200), i)))
		}
	}
	now := time.Now()
	tests := map[string]struct {
		secret   string
		user     string
		patterns []event.Pattern
		ttl      time.Duration
		now      time.Time
		word     string
	}{
		"no secret":         {"", "ana", nil, time.Hour, now, "32"},
		"short secret":      {testSecret[1:], "ana", nil, time.Hour, now, "32"},
		"no user":           {testSecret, "", nil, time.Hour, now, "needs a name"},
		"long user":         {testSecret, strings.Repeat("é", 128), nil, time.Hour, now, "255"},
		"user with a tab":   {testSecret, "a\tb", nil, time.Hour, now, "U+0009"},
		"user not UTF-8":    {testSecret, "\xff", nil, time.Hour, now, "UTF-8"},
		"unparsed pattern":  {testSecret, "ana", []event.Pattern{"a*b"}, time.Hour, now, `"a*b"`},
		"too many patterns": {testSecret, "ana", many, time.Hour, now, "1001"},
		"too long a token":  {testSecret, "ana", long, time.Hour, now, "8192"},
		"no time to live":   {testSecret, "ana", nil, 0, now, "time to live"},
		"negative time":     {testSecret, "ana", nil, -time.Hour, now, "time to live"},
		"the year 10000":    {testSecret, "ana", nil, time.Hour, time.Unix(253402300799, 0), "10000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token, _, err := auth.Mint([]byte(test.secret), test.user, test.patterns, test.ttl, test.now)
			if err == nil {
				t.Fatalf("made %q", token)
			}
			if token != "" {
				t.Errorf("an error, and a token all the same: %q", token)
			}
			if !strings.Contains(err.Error(), test.word) {
				t.Errorf("error %q does not say %q", err, test.word)
			}
		})
	}
}
