package auth_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"relay/auth"
	"relay/event"
)

func newTickets(secret string) *auth.Tickets {
	return auth.NewTickets(func() []byte { return []byte(secret) })
}

// ticketKey is what tickets of testSecret are signed with.
func ticketKey(tb testing.TB) string {
	tb.Helper()
	key, err := hkdf.Key(sha256.New, []byte(testSecret), nil, "relay: resume ticket", 32)
	if err != nil {
		tb.Fatal(err)
	}
	return string(key)
}

func TestTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		tickets := newTickets(testSecret)
		grant := auth.Grant{User: "ana", Subscribe: []event.Pattern{"a", "b.*"}, Expires: begin.Add(time.Hour)}
		ticket := tickets.Seal(grant, begin)
		// On another relay, at once and until two minutes later.
		for _, after := range []time.Duration{0, time.Minute, auth.TicketTTL} {
			time.Sleep(time.Until(begin.Add(after)))
			got, err := newTickets(testSecret).Open(ticket)
			if err != nil || got.User != grant.User || !slices.Equal(got.Subscribe, grant.Subscribe) || !got.Expires.Equal(grant.Expires) {
				t.Errorf("after %v: %+v, %v", after, got, err)
			}
		}
		time.Sleep(time.Second)
		if got, err := tickets.Open(ticket); err == nil {
			t.Errorf("a second later: %+v", got)
		}
	})
}

// A ticket never outlives the token that it stands for.
func TestTicketEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := newTickets(testSecret)
		ticket := tickets.Seal(auth.Grant{User: "ana", Expires: time.Now().Add(10 * time.Second)}, time.Now())
		if got, err := tickets.Open(ticket); err != nil || got.Subscribe != nil {
			t.Fatalf("%+v, %v", got, err)
		}
		time.Sleep(10 * time.Second)
		if got, err := tickets.Open(ticket); err == nil {
			t.Errorf("the token is over, and the ticket granted %+v", got)
		}
		if again := tickets.Seal(auth.Grant{User: "ana", Expires: time.Now()}, time.Now()); again != "" {
			t.Error("a ticket for a token that is over")
		}
	})
}

func TestNoTicket(t *testing.T) {
	now := time.Now()
	good := auth.Grant{User: "ana", Expires: now.Add(time.Hour)}
	long := good
	for range 40 {
		long.Subscribe = append(long.Subscribe, event.Pattern(strings.Repeat("x", 250)))
	}
	for name, c := range map[string]struct {
		secret string
		grant  auth.Grant
	}{
		"no user":            {testSecret, auth.Grant{Expires: good.Expires}},
		"no end":             {testSecret, auth.Grant{User: "ana"}},
		"a secret too short": {testSecret[:31], good},
		"no secret yet":      {"", good},
		"too long":           {testSecret, long},
	} {
		if ticket := newTickets(c.secret).Seal(c.grant, now); ticket != "" {
			t.Errorf("%s: %q", name, ticket)
		}
	}
}

func TestForeignTickets(t *testing.T) {
	now := time.Now()
	key := ticketKey(t)
	good := newTickets(testSecret).Seal(auth.Grant{User: "ana", Expires: now.Add(time.Hour)}, now)
	token := signedClaims(claimsInForce)
	if _, err := newVerifier().Verify(good); err == nil {
		t.Error("a ticket is taken for a token, where both secrets are the same")
	}
	claims := func(format string, args ...any) string { return handMade(key, hs256, fmt.Sprintf(format, args...)) }
	if _, err := newTickets(testSecret).Open(claims(`{"sub":"ana","exp":4102444800,"iat":%d}`, now.Unix())); err != nil {
		t.Fatalf("the test signs with another key than relays do: %v", err)
	}
	for name, ticket := range map[string]string{
		"empty":             "",
		"a token":           token,
		"cut":               good[:len(good)-1],
		"another signature": good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 43),
		"no signature":      b64(`{"alg":"none"}`) + "." + b64(`{"sub":"ana","exp":4102444800,"iat":4102444700}`) + ".",
		"never issued":      claims(`{"sub":"ana","exp":4102444800}`),
		"issued long ago":   claims(`{"sub":"ana","exp":4102444800,"iat":%d}`, now.Add(-time.Hour).Unix()),
		"issued tomorrow":   claims(`{"sub":"ana","exp":4102444800,"iat":%d}`, now.Add(24*time.Hour).Unix()),
		"for ever":          claims(`{"sub":"ana","iat":%d}`, now.Unix()),
		"for nobody":        claims(`{"exp":4102444800,"iat":%d}`, now.Unix()),
	} {
		if got, err := newTickets(testSecret).Open(ticket); err == nil || got.User != "" {
			t.Errorf("%s: granted %+v, %v", name, got, err)
		}
	}
	if _, err := newTickets("another secret that is long enough").Open(good); err == nil {
		t.Error("another secret's ticket is taken")
	}
	if _, err := newTickets("").Open(good); err == nil {
		t.Error("without a secret a ticket is taken")
	}
}

// FuzzTicket feeds any text as it comes, and as claims that a relay signed.
// What is opened must have a relay's signature, and be young.
func FuzzTicket(f *testing.F) {
	key := ticketKey(f)
	now := time.Now()
	for _, seed := range []string{
		"", ".", "..", "null", `{}`, `[]`, claimsInForce, signedClaims(claimsInForce),
		newTickets(testSecret).Seal(auth.Grant{User: "ana", Expires: now.Add(time.Hour)}, now),
		fmt.Sprintf(`{"sub":"ana","exp":4102444800,"iat":%d,"subscribe":["a","b.*"]}`, now.Unix()),
		fmt.Sprintf(`{"sub":"ana","exp":4102444800,"iat":%d.5,"iat":0}`, now.Unix()),
		fmt.Sprintf(`{"sub":"ana","exp":4102444800,"iat":"%d"}`, now.Unix()),
		`{"sub":"ana","exp":4102444800,"iat":-1e300}`, `{"sub":"ana","exp":4102444800,"iat":null}`,
	} {
		f.Add(seed)
	}
	tickets := newTickets(testSecret)
	f.Fuzz(func(t *testing.T, text string) {
		for _, ticket := range []string{text, handMade(key, hs256, text)} {
			before := time.Now()
			grant, err := tickets.Open(ticket)
			if err != nil {
				if grant.User != "" || grant.Subscribe != nil || !grant.Expires.IsZero() {
					t.Fatalf("refused, and granted %+v", grant)
				}
				continue
			}
			soundAnswer(t, grant, nil)
			if !grant.Expires.After(before) {
				t.Fatalf("granted until %v", grant.Expires)
			}
			signed, signature := cutLast(ticket, ".")
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(signed))
			if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
				t.Fatalf("opened %q, whose signature should be %q", ticket, want)
			}
		}
	})
}
