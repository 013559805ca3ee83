package relays

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"testing"
)

const secret = "0123456789abcdef0123456789abcdef"

// sign makes a client token by hand, so that the test does not share the
// relay's own idea of one.
func sign(t *testing.T, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}
