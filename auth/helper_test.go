package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"relay/auth"
	"relay/event"
)

const testSecret = "0123456789abcdef0123456789abcdef"

func newVerifier() *auth.Verifier {
	return auth.NewVerifier(func() []byte { return []byte(testSecret) })
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// handMade signs any header and any claims with HMAC-SHA256 and without the
// library under test.
func handMade(secret, header, claims string) string {
	signed := b64(header) + "." + b64(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + b64(string(mac.Sum(nil)))
}

const hs256 = `{"alg":"HS256","typ":"JWT"}`

func signedClaims(claims string) string { return handMade(testSecret, hs256, claims) }

// wantTokenError checks that err is a refusal with this code, that its
// sentence holds each of the words, and that it gives no secret away.
func wantTokenError(t *testing.T, err error, code event.Code, words ...string) {
	t.Helper()
	refusal, ok := errors.AsType[*auth.TokenError](err)
	if !ok {
		t.Fatalf("error is %T (%v), want a *auth.TokenError", err, err)
	}
	if refusal.Code != code {
		t.Errorf("code is %q, want %q (%s)", refusal.Code, code, refusal.Detail)
	}
	if refusal.Error() != refusal.Detail {
		t.Errorf("Error() is %q, want the detail %q", refusal.Error(), refusal.Detail)
	}
	if !strings.HasSuffix(refusal.Detail, ".") {
		t.Errorf("detail %q is not a sentence", refusal.Detail)
	}
	if strings.Contains(refusal.Detail, testSecret) {
		t.Errorf("detail %q holds the secret", refusal.Detail)
	}
	for _, w := range words {
		if !strings.Contains(refusal.Detail, w) {
			t.Errorf("detail %q does not say %q", refusal.Detail, w)
		}
	}
}
