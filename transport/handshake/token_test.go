package handshake_test

import (
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"relay/auth"
	"relay/event"
	"relay/transport/handshake"
)

func TestAuthenticateFindsTheToken(t *testing.T) {
	header, query, cookie := mint(t, "header"), mint(t, "query"), mint(t, "cookie")
	p := newPolicy(t, handshake.Options{Tokens: newVerifier(), LoopbackOrigins: true,
		Origins: []string{"https://app.example.com", "https://*.example.org", "*"}})
	tests := []struct {
		name    string
		target  string
		headers []string
		user    string // empty: no token is seen
	}{
		{"none", "/", nil, ""},
		{"header", "/", []string{"Authorization", "Bearer " + header}, "header"},
		{"header in small letters", "/", []string{"authorization", "bearer  " + header + " "}, "header"},
		{"query", "/?token=" + query, nil, "query"},
		{"query, second parameter", "/?channel=a&token=" + query, nil, "query"},
		{"cookie", "/", []string{"Cookie", "a=b; relay_token=" + cookie}, "cookie"},
		{"header before query before cookie", "/?token=" + query, []string{"Authorization", "Bearer " + header, "Cookie", "relay_token=" + cookie}, "header"},
		{"query before cookie", "/?token=" + query, []string{"Cookie", "relay_token=" + cookie}, "query"},
		{"empty header, then query", "/?token=" + query, []string{"Authorization", "Bearer "}, "query"},
		{"empty query, then cookie", "/?token=", []string{"Cookie", "relay_token=" + cookie}, "cookie"},
		{"all empty", "/?token=", []string{"Authorization", "Bearer", "Cookie", "relay_token="}, ""},
		{"another scheme", "/", []string{"Authorization", "Basic dTpw"}, ""},
		{"another scheme, then query", "/?token=" + query, []string{"Authorization", "Basic dTpw"}, "query"},
		{"scheme with a longer name", "/", []string{"Authorization", "BearerX " + header}, ""},
		{"token alone", "/", []string{"Authorization", header}, ""},
		{"parameter of another name", "/?Token=" + query, nil, ""},

		// A cookie comes by itself, so it depends on the page.
		{"cookie, own page", "/", []string{"Origin", "https://relay.test", "Cookie", "relay_token=" + cookie}, "cookie"},
		{"cookie, listed page", "/", []string{"Origin", "https://app.example.com", "Cookie", "relay_token=" + cookie}, "cookie"},
		{"cookie, by pattern", "/", []string{"Origin", "https://x.example.org", "Cookie", "relay_token=" + cookie}, ""},
		{"cookie, loopback page", "/", []string{"Origin", "http://localhost:3000", "Cookie", "relay_token=" + cookie}, ""},
		{"cookie, any page", "/", []string{"Origin", "https://evil.com", "Cookie", "relay_token=" + cookie}, ""},
		{"cookie, null", "/", []string{"Origin", "null", "Cookie", "relay_token=" + cookie}, ""},
		{"cookie, no origin, own page", "/", []string{"Sec-Fetch-Site", "same-origin", "Cookie", "relay_token=" + cookie}, "cookie"},
		{"cookie, no origin, typed", "/", []string{"Sec-Fetch-Site", "none", "Cookie", "relay_token=" + cookie}, "cookie"},
		{"cookie, no origin, another site", "/", []string{"Sec-Fetch-Site", "cross-site", "Cookie", "relay_token=" + cookie}, ""},
		{"cookie, no origin, sister site", "/", []string{"Sec-Fetch-Site", "same-site", "Cookie", "relay_token=" + cookie}, ""},
		{"header, any page", "/", []string{"Origin", "https://evil.com", "Authorization", "Bearer " + header}, "header"},
		{"query, any page", "/?token=" + query, []string{"Origin", "https://evil.com"}, "query"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			access, refusal := p.Authenticate(request("relay.test", test.target, test.headers...))
			wantProblem(t, refusal, 0, "")
			if access.Grant.User != test.user || access.Presented != (test.user != "") {
				t.Errorf("user %q, presented %v; want user %q", access.Grant.User, access.Presented, test.user)
			}
		})
	}
}

func TestAuthenticateGrants(t *testing.T) {
	token := mint(t, "ana", "orders.*")
	public := []event.Pattern{"news", "weather.*"}
	tests := []struct {
		name    string
		options handshake.Options
		token   string
		user    string
		want    []event.Pattern
	}{
		{"token", handshake.Options{Tokens: newVerifier()}, token, "ana", []event.Pattern{"orders.*"}},
		{"token and public", handshake.Options{Tokens: newVerifier(), Public: public}, token, "ana", []event.Pattern{"orders.*", "news", "weather.*"}},
		{"token and open", handshake.Options{Tokens: newVerifier(), Open: true}, token, "ana", []event.Pattern{"orders.*", "*"}},
		{"no token", handshake.Options{Tokens: newVerifier()}, "", "", nil},
		{"no token, public", handshake.Options{Tokens: newVerifier(), Public: public}, "", "", public},
		{"public only", handshake.Options{Public: public}, "", "", public},
		{"open", handshake.Options{Open: true, Public: public}, "", "", []event.Pattern{"*"}},
		{"open local", handshake.Options{OpenLocal: true}, "", "", []event.Pattern{"*"}},
		{"token where none is taken, public", handshake.Options{Public: public}, token, "", public},
		{"token where none is taken, open", handshake.Options{Open: true}, "garbage", "", []event.Pattern{"*"}},
		{"token where none is taken, open local", handshake.Options{OpenLocal: true}, "garbage", "", []event.Pattern{"*"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPolicy(t, test.options)
			if got := p.TakesTokens(); got != (test.options.Tokens != nil) {
				t.Errorf("TakesTokens() = %v", got)
			}
			access, refusal := p.Authenticate(request("relay.test", "/?token="+url.QueryEscape(test.token)))
			wantProblem(t, refusal, 0, "")
			wantGrant(t, access.Grant, test.user, test.want)
			if access.Presented != (test.user != "") {
				t.Errorf("presented is %v for user %q", access.Presented, test.user)
			}

			if test.token == "" {
				return
			}
			grant, err := p.Verify(test.token)
			if err != nil {
				t.Fatal(err)
			}
			wantGrant(t, grant, test.user, test.want)
		})
	}
}

func wantGrant(t *testing.T, got auth.Grant, user string, patterns []event.Pattern) {
	t.Helper()
	if got.User != user || !slices.Equal(got.Subscribe, patterns) {
		t.Errorf("grant for %q of %q, want %q of %q", got.User, got.Subscribe, user, patterns)
	}
	if got.Expires.IsZero() != (user == "") {
		t.Errorf("grant for %q expires %v", user, got.Expires)
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	expired, _, err := auth.Mint([]byte(testSecret), "ana", nil, time.Second, time.Unix(1_000_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	forged, _, err := auth.Mint([]byte("another secret that is long enough"), "ana", nil, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []handshake.Options{
		{Tokens: newVerifier()},
		{Tokens: newVerifier(), Open: true, Public: []event.Pattern{"news"}},
	} {
		p := newPolicy(t, options)
		for _, test := range []struct {
			token string
			code  event.Code
			word  string
		}{
			{expired, event.CodeTokenExpired, "2001-09-09"},
			{forged, event.CodeTokenInvalid, "RELAY_JWT_SECRET"},
			{"garbage", event.CodeTokenInvalid, "not a client token"},
		} {
			for _, headers := range [][]string{
				{"Authorization", "Bearer " + test.token},
				{"Cookie", "relay_token=" + test.token},
			} {
				access, refusal := p.Authenticate(request("relay.test", "/", headers...))
				wantProblem(t, refusal, 401, test.code, test.word)
				if access.Presented || access.Grant.Subscribe != nil {
					t.Errorf("refused, and granted %+v", access)
				}
			}
			_, err := p.Verify(test.token)
			refusal, ok := errors.AsType[*auth.TokenError](err)
			if !ok || refusal.Code != test.code {
				t.Errorf("Verify: error %v, want a *auth.TokenError with %q", err, test.code)
			}
		}
	}
	_, err = newPolicy(t, handshake.Options{Tokens: newVerifier()}).Verify("")
	refusal, ok := errors.AsType[*auth.TokenError](err)
	if !ok || refusal.Code != event.CodeTokenMissing {
		t.Errorf("Verify of nothing: error %v, want %q", err, event.CodeTokenMissing)
	}
}

func TestMissingToken(t *testing.T) {
	wantProblem(t, handshake.MissingToken(), 401, event.CodeTokenMissing, "Authorization: Bearer", "?token=", "relay_token")
}

// An append to one client's patterns must not reach another's.
func TestGrantsDoNotShareGrowth(t *testing.T) {
	public := make([]event.Pattern, 1, 8)
	public[0] = "news"
	p := newPolicy(t, handshake.Options{Public: public})
	public[0] = "*"

	one, _ := p.Authenticate(request("relay.test", "/"))
	two, _ := p.Authenticate(request("relay.test", "/"))
	_ = append(one.Grant.Subscribe, "a")
	two.Grant.Subscribe = append(two.Grant.Subscribe, "b")
	_ = append(one.Grant.Subscribe, "c")
	if want := []event.Pattern{"news", "b"}; !slices.Equal(two.Grant.Subscribe, want) {
		t.Errorf("patterns are %q, want %q", two.Grant.Subscribe, want)
	}
}
