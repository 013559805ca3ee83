package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"relay/auth"
	"relay/event"
)

// FuzzVerify feeds any text. Whatever is accepted must carry this secret's
// HMAC, computed here without the library.
func FuzzVerify(f *testing.F) {
	good := signedClaims(claimsInForce)
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		"", ".", "..", "...", "a.b.c", good, good + "\n", good + "=", "Bearer " + good,
		b64(`{"alg":"none"}`) + "." + parts[1] + ".",
		handMade(testSecret, `{"alg":"RS256"}`, claimsInForce),
		handMade("another secret that is long enough", hs256, claimsInForce),
		handMade(testSecret, `{"alg":"HS256","crit":[]}`, claimsInForce),
		handMade(testSecret, hs256, `{"sub":7}`),
		handMade(testSecret, hs256, `null`),
		strings.Repeat("a", event.MaxTokenBytes+1),
	} {
		f.Add(seed)
	}
	v := newVerifier()
	f.Fuzz(func(t *testing.T, token string) {
		grant, err := v.Verify(token)
		if !soundAnswer(t, grant, err) {
			return
		}
		signed, signature := cutLast(token, ".")
		mac := hmac.New(sha256.New, []byte(testSecret))
		mac.Write([]byte(signed))
		if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
			t.Fatalf("accepted %q, whose signature should be %q", token, want)
		}
	})
}

// FuzzVerifyClaims signs whatever claims come, so that they reach their decoder.
func FuzzVerifyClaims(f *testing.F) {
	for _, seed := range []string{
		claimsInForce, `{}`, `null`, `[]`, `"x"`, `1`, ``, `{`, "{\"sub\":\"\xff\"}",
		`{"sub":"ana","exp":"4102444800"}`,
		`{"sub":"ana","exp":1e308}`,
		`{"sub":"ana","exp":4102444800.999999999999}`,
		`{"sub":"ana","exp":253402300799.9999}`,
		`{"sub":"ana","exp":4102444800,"nbf":-0.0,"iat":1e-300}`,
		`{"sub":"ana","exp":4102444800,"subscribe":["*","a b *","_x"]}`,
		`{"sub":"ana","exp":4102444800,"subscribe":[[[[[[]]]]]]}`,
		`{"sub":"a\u0000","exp":4102444800}`,
		`{"sub":"ana","sub":"bob","exp":4102444800}`,
	} {
		f.Add(seed)
	}
	v := newVerifier()
	f.Fuzz(func(t *testing.T, claims string) {
		grant, err := v.Verify(signedClaims(claims))
		soundAnswer(t, grant, err)
	})
}

// soundAnswer checks what holds for every answer and reports whether the
// token was accepted.
func soundAnswer(t *testing.T, grant auth.Grant, err error) bool {
	t.Helper()
	if err != nil {
		refusal, ok := errors.AsType[*auth.TokenError](err)
		if !ok || refusal.Detail == "" {
			t.Fatalf("error is %T (%v), want a *auth.TokenError with a detail", err, err)
		}
		switch refusal.Code {
		case event.CodeTokenMissing, event.CodeTokenInvalid, event.CodeTokenExpired:
		default:
			t.Fatalf("code is %q", refusal.Code)
		}
		if strings.Contains(refusal.Detail, testSecret) {
			t.Fatalf("detail %q holds the secret", refusal.Detail)
		}
		if grant.User != "" || grant.Subscribe != nil || !grant.Expires.IsZero() {
			t.Fatalf("refused, and granted %+v", grant)
		}
		return false
	}
	if err := auth.CheckUser(grant.User); err != nil {
		t.Fatalf("user %q: %v", grant.User, err)
	}
	for _, p := range grant.Subscribe {
		if _, err := event.ParsePattern(string(p)); err != nil {
			t.Fatal(err)
		}
	}
	if y := grant.Expires.UTC().Year(); y > 9999 || !grant.Expires.After(time.Unix(0, 0)) {
		t.Fatalf("expires %v", grant.Expires)
	}
	return true
}

// cutLast cuts around the last separator, which must be there.
func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	return s[:i], s[i+len(sep):]
}
