package auth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"relay/auth"
	"relay/event"
)

// claimsInForce never expire as far as a test is concerned: 2100-01-01.
const claimsInForce = `{"sub":"ana","exp":4102444800,"subscribe":["orders.*","news"]}`

func TestVerifyGrants(t *testing.T) {
	grant, err := newVerifier().Verify(signedClaims(claimsInForce))
	if err != nil {
		t.Fatal(err)
	}
	if grant.User != "ana" {
		t.Errorf("user is %q, want ana", grant.User)
	}
	if want := time.Unix(4102444800, 0); !grant.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", grant.Expires, want)
	}
	for channel, want := range map[string]bool{"orders.42": true, "news": true, "newspaper": false, "order": false} {
		if got := grant.Allows(channel); got != want {
			t.Errorf("Allows(%q) = %v, want %v", channel, got, want)
		}
	}
}

func TestVerifyAccepts(t *testing.T) {
	tests := map[string]string{
		"no subscribe claim":      `{"sub":"ana","exp":4102444800}`,
		"empty subscribe claim":   `{"sub":"ana","exp":4102444800,"subscribe":[]}`,
		"every channel":           `{"sub":"ana","exp":4102444800,"subscribe":["*"]}`,
		"claims of other people":  `{"sub":"ana","exp":4102444800,"aud":7,"iss":["x"],"role":{"a":[1]},"EXP":"x"}`,
		"nbf and iat in the past": `{"sub":"ana","exp":4102444800,"nbf":1,"iat":1.5}`,
		"exp with a fraction":     `{"sub":"ana","exp":4102444800.25}`,
		"exp in exponent form":    `{"sub":"ana","exp":4.1024448e9}`,
		"user of 255 bytes":       `{"sub":"` + strings.Repeat("a", 255) + `","exp":4102444800}`,
		"user of many scripts":    `{"sub":"Zoë 🐙 \u00e9","exp":4102444800}`,
		"1000 patterns":           `{"sub":"ana","exp":4102444800,"subscribe":[` + strings.Repeat(`"a",`, 999) + `"a"]}`,
	}
	for name, claims := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := newVerifier().Verify(signedClaims(claims)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVerifyRefusesClaims(t *testing.T) {
	tests := map[string]struct {
		claims string
		code   event.Code
		words  []string
	}{
		"expired":          {`{"sub":"ana","exp":1000000000}`, event.CodeTokenExpired, []string{"expired at 2001-09-09T01:46:40Z"}},
		"expired in 1970":  {`{"sub":"ana","exp":0}`, event.CodeTokenExpired, []string{"1970-01-01T00:00:00Z"}},
		"missing exp":      {`{"sub":"ana"}`, event.CodeTokenInvalid, []string{`no "exp"`}},
		"exp as string":    {`{"sub":"ana","exp":"4102444800"}`, event.CodeTokenInvalid, []string{`"exp"`, "number"}},
		"exp null":         {`{"sub":"ana","exp":null}`, event.CodeTokenInvalid, []string{`"exp"`, "number"}},
		"exp negative":     {`{"sub":"ana","exp":-1}`, event.CodeTokenInvalid, []string{"out of range"}},
		"exp in ms":        {`{"sub":"ana","exp":4102444800000}`, event.CodeTokenInvalid, []string{"not milliseconds"}},
		"exp beyond float": {`{"sub":"ana","exp":1e999}`, event.CodeTokenInvalid, []string{`"exp"`}},
		"exp in capitals":  {`{"sub":"ana","EXP":4102444800}`, event.CodeTokenInvalid, []string{`no "exp"`}},
		"nbf ahead":        {`{"sub":"ana","exp":4102444800,"nbf":4102444000}`, event.CodeTokenInvalid, []string{"valid from 2099-12-31T23:46:40Z", `"nbf"`}},
		"nbf as string":    {`{"sub":"ana","exp":4102444800,"nbf":"1"}`, event.CodeTokenInvalid, []string{`"nbf"`, "number"}},
		"iat ahead":        {`{"sub":"ana","exp":4102444800,"iat":4102444000}`, event.CodeTokenInvalid, []string{"valid from", `"iat"`}},
		"iat as object":    {`{"sub":"ana","exp":4102444800,"iat":{}}`, event.CodeTokenInvalid, []string{`"iat"`, "number"}},

		"missing sub":          {`{"exp":4102444800}`, event.CodeTokenInvalid, []string{`no "sub"`}},
		"sub number":           {`{"sub":42,"exp":4102444800}`, event.CodeTokenInvalid, []string{`"sub"`, "string"}},
		"sub null":             {`{"sub":null,"exp":4102444800}`, event.CodeTokenInvalid, []string{`"sub"`, "string"}},
		"sub empty":            {`{"sub":"","exp":4102444800}`, event.CodeTokenInvalid, []string{"needs a name"}},
		"sub too long":         {`{"sub":"` + strings.Repeat("a", 256) + `","exp":4102444800}`, event.CodeTokenInvalid, []string{"255", "256"}},
		"sub with a line":      {`{"sub":"a\nb","exp":4102444800}`, event.CodeTokenInvalid, []string{"control characters", "U+000A"}},
		"sub with C1":          {`{"sub":"a\u0085","exp":4102444800}`, event.CodeTokenInvalid, []string{"control characters"}},
		"sub twice":            {`{"sub":"ana","sub":"bob","exp":4102444800}`, event.CodeTokenInvalid, []string{"no name comes twice"}},
		"sub not UTF-8":        {"{\"sub\":\"\xff\",\"exp\":4102444800}", event.CodeTokenInvalid, []string{"UTF-8"}},
		"sub half a surrogate": {`{"sub":"\ud800","exp":4102444800}`, event.CodeTokenInvalid, []string{"UTF-8"}},

		"subscribe a string":      {`{"sub":"ana","exp":4102444800,"subscribe":"news"}`, event.CodeTokenInvalid, []string{`"subscribe"`, "list of strings"}},
		"subscribe null":          {`{"sub":"ana","exp":4102444800,"subscribe":null}`, event.CodeTokenInvalid, []string{"list of strings"}},
		"subscribe with a number": {`{"sub":"ana","exp":4102444800,"subscribe":["a",1]}`, event.CodeTokenInvalid, []string{"list of strings"}},
		"subscribe with null":     {`{"sub":"ana","exp":4102444800,"subscribe":[null]}`, event.CodeTokenInvalid, []string{"a channel needs a name"}},
		"pattern in the middle":   {`{"sub":"ana","exp":4102444800,"subscribe":["a*b"]}`, event.CodeTokenInvalid, []string{`pattern "a*b"`}},
		"pattern with braces":     {`{"sub":"ana","exp":4102444800,"subscribe":["ok","{a}"]}`, event.CodeTokenInvalid, []string{`pattern "{a}"`}},
		"pattern of the relay":    {`{"sub":"ana","exp":4102444800,"subscribe":["_canary"]}`, event.CodeTokenInvalid, []string{"relay's own"}},
		"1001 patterns":           {`{"sub":"ana","exp":4102444800,"subscribe":[` + strings.Repeat(`"a",`, 1000) + `"a"]}`, event.CodeTokenInvalid, []string{"1000", "1001"}},

		"claims null":        {`null`, event.CodeTokenInvalid, []string{"JSON object"}},
		"claims a list":      {`[]`, event.CodeTokenInvalid, []string{"JSON object"}},
		"claims a string":    {`"exp"`, event.CodeTokenInvalid, []string{"JSON object"}},
		"claims empty":       {`{}`, event.CodeTokenInvalid, []string{`no "exp"`}},
		"claims not JSON":    {`{"sub":`, event.CodeTokenInvalid, []string{"not a client token"}},
		"claims and garbage": {claimsInForce + `x`, event.CodeTokenInvalid, []string{"not a client token"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newVerifier().Verify(signedClaims(test.claims))
			wantTokenError(t, err, test.code, test.words...)
		})
	}
}

func TestVerifyRefusesSignatures(t *testing.T) {
	good := signedClaims(claimsInForce)
	parts := strings.Split(good, ".")
	otherClaims := b64(`{"sub":"root","exp":4102444800,"subscribe":["*"]}`)
	tests := map[string]string{
		"alg none":               b64(`{"alg":"none"}`) + "." + parts[1] + ".",
		"alg none, signed":       handMade(testSecret, `{"alg":"none"}`, claimsInForce),
		"alg None":               b64(`{"alg":"None"}`) + "." + parts[1] + ".",
		"alg hs256":              handMade(testSecret, `{"alg":"hs256"}`, claimsInForce),
		"alg unknown":            handMade(testSecret, `{"alg":"HS257"}`, claimsInForce),
		"alg missing":            handMade(testSecret, `{"typ":"JWT"}`, claimsInForce),
		"alg a list":             handMade(testSecret, `{"alg":["HS256"]}`, claimsInForce),
		"alg under another key":  handMade(testSecret, `{"ALG":"HS256"}`, claimsInForce),
		"HS512":                  signedHS512(),
		"RS256":                  signedRS256(t),
		"RS256 named, HMAC'd":    handMade(testSecret, `{"alg":"RS256"}`, claimsInForce),
		"HMAC with a public key": handMade(publicPEM(t), hs256, claimsInForce),
		"another secret":         handMade("another secret that is long enough", hs256, claimsInForce),
		"empty secret":           handMade("", hs256, claimsInForce),
		"key in the header":      handMade("my own key, 32 bytes at the least", `{"alg":"HS256","jwk":{"kty":"oct","k":"bXkgb3duIGtleSwgMzIgYnl0ZXMgYXQgdGhlIGxlYXN0"}}`, claimsInForce),
		"no signature":           parts[0] + "." + parts[1] + ".",
		"half a signature":       parts[0] + "." + parts[1] + "." + parts[2][:20],
		"signature of others":    parts[0] + "." + otherClaims + "." + parts[2],
		"expired and forged":     handMade("another secret that is long enough", hs256, `{"sub":"ana","exp":1}`),
		"malformed and forged":   handMade("another secret that is long enough", hs256, `{"sub":7}`),
	}
	want := newVerifier()
	_, first := want.Verify(tests["another secret"])
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := want.Verify(token)
			wantTokenError(t, err, event.CodeTokenInvalid, "HS256", "RELAY_JWT_SECRET")
			if err.Error() != first.Error() {
				t.Errorf("the sentence %q tells this case from another secret's", err)
			}
		})
	}
}

func TestVerifyRefusesText(t *testing.T) {
	good := signedClaims(claimsInForce)
	parts := strings.Split(good, ".")
	tests := map[string]struct {
		token string
		words []string
	}{
		"garbage":                  {"garbage", []string{"not a client token"}},
		"one dot":                  {"a.b", []string{"not a client token"}},
		"two dots only":            {"..", []string{"not a client token"}},
		"three dots":               {good + ".x", []string{"not a client token"}},
		"dot at the end":           {good + ".", []string{"not a client token"}},
		"header not JSON":          {b64("x") + "." + parts[1] + "." + parts[2], []string{"not a client token"}},
		"header a list":            {b64("[]") + "." + parts[1] + "." + parts[2], []string{"not a client token"}},
		"Bearer before it":         {"Bearer " + good, []string{"not a client token"}},
		"quotes around it":         {`"` + good + `"`, []string{"not a client token"}},
		"line break at the end":    {good + "\n", []string{"not a client token"}},
		"line break inside":        {good[:len(good)-3] + "\n" + good[len(good)-3:], []string{"not a client token"}},
		"padding":                  {good + "=", []string{"not a client token"}},
		"standard base64":          {parts[0] + "." + parts[1] + ".+/", []string{"not a client token"}},
		"NUL":                      {"\x00", []string{"not a client token"}},
		"JWE of five parts":        {"a.b.c.d.e", []string{"not a client token"}},
		"too long":                 {signedClaims(`{"sub":"ana","exp":4102444800,"x":"` + strings.Repeat("x", event.MaxTokenBytes) + `"}`), []string{"at most 8192 bytes"}},
		"critical header":          {handMade(testSecret, `{"alg":"HS256","crit":["b64"],"b64":false}`, claimsInForce), []string{"crit"}},
		"loose bits in the base64": {loosen(good), []string{"not a client token"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newVerifier().Verify(test.token)
			wantTokenError(t, err, event.CodeTokenInvalid, test.words...)
		})
	}

	_, err := newVerifier().Verify("")
	wantTokenError(t, err, event.CodeTokenMissing, "empty")
}

// loosen sets a bit of the last character that decodes to nothing: 32 bytes
// are 42 full characters and four bits of the 43rd.
func loosen(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

func TestVerifyToTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier()
		token, expires, err := auth.Mint([]byte(testSecret), "ana", nil, time.Minute, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(expires) - time.Nanosecond)
		if _, err := v.Verify(token); err != nil {
			t.Errorf("a nanosecond before it expires: %v", err)
		}
		time.Sleep(time.Nanosecond)
		_, err = v.Verify(token)
		wantTokenError(t, err, event.CodeTokenExpired, "2000-01-01T00:01:00Z")
	})
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier()
		// Ten seconds are allowed for clocks that differ.
		start := time.Now().Add(50 * time.Second)
		for _, name := range []string{"nbf", "iat"} {
			token := signedClaims(`{"sub":"ana","exp":4102444800,"` + name + `":946684860}`)
			_, err := v.Verify(token)
			wantTokenError(t, err, event.CodeTokenInvalid, "2000-01-01T00:01:00Z", name)
		}
		time.Sleep(time.Until(start) - time.Nanosecond)
		if _, err := v.Verify(signedClaims(`{"sub":"ana","exp":4102444800,"iat":946684860}`)); err == nil {
			t.Error("a token from more than ten seconds ahead was accepted")
		}
		time.Sleep(time.Nanosecond)
		for _, name := range []string{"nbf", "iat"} {
			token := signedClaims(`{"sub":"ana","exp":4102444800,"` + name + `":946684860}`)
			if _, err := v.Verify(token); err != nil {
				t.Errorf("%s is ten seconds ahead: %v", name, err)
			}
		}
	})
}

func TestVerifyFollowsTheSecret(t *testing.T) {
	var secret atomic.Value
	secret.Store([]byte(testSecret))
	v := auth.NewVerifier(func() []byte { return secret.Load().([]byte) })
	const next = "the next secret, of 32 bytes and more"
	before, after := signedClaims(claimsInForce), handMade(next, hs256, claimsInForce)

	if _, err := v.Verify(before); err != nil {
		t.Fatal(err)
	}
	secret.Store([]byte(next))
	_, err := v.Verify(before)
	wantTokenError(t, err, event.CodeTokenInvalid, "RELAY_JWT_SECRET")
	if _, err := v.Verify(after); err != nil {
		t.Error(err)
	}

	for _, short := range []string{"", "x", testSecret[:auth.MinSecretBytes-1]} {
		secret.Store([]byte(short))
		_, err := v.Verify(handMade(short, hs256, claimsInForce))
		wantTokenError(t, err, event.CodeTokenInvalid, "RELAY_JWT_SECRET")
	}
}

func TestGrantIsTheCallersOwn(t *testing.T) {
	v, token := newVerifier(), signedClaims(claimsInForce)
	one, _ := v.Verify(token)
	one.Subscribe[0] = "*"
	two, err := v.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	if want := []event.Pattern{"orders.*", "news"}; !slices.Equal(two.Subscribe, want) {
		t.Errorf("patterns are %q, want %q", two.Subscribe, want)
	}
}

func signedHS512() string {
	signed := b64(`{"alg":"HS512"}`) + "." + b64(claimsInForce)
	mac := hmac.New(sha512.New, []byte(testSecret))
	mac.Write([]byte(signed))
	return signed + "." + b64(string(mac.Sum(nil)))
}

func signedRS256(t *testing.T) string {
	t.Helper()
	signed := b64(`{"alg":"RS256"}`) + "." + b64(claimsInForce)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, rsaKey(t), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(string(signature))
}

// publicPEM is what an attacker of the well-known confusion would use as HMAC key.
func publicPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&rsaKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
