package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed page
var page embed.FS

// policy is the page's Content-Security-Policy. 'self' covers the page's
// WebSocket too: since CSP level 3 it matches ws and wss on the page's own
// host and port, so no other host need be named. Trusted types forbid every way to turn text into markup:
// what strangers publish is shown here, next to a token.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes stands here because the system's own table differs from
// machine to machine, and with nosniff a wrong type is a page without script.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".json": "application/json",
}

// asset is one file of the page, ready to serve.
type asset struct {
	body        []byte
	contentType string
	etag        string
}

func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	return &asset{
		body:        body,
		contentType: contentTypes[path.Ext(name)],
		etag:        `"` + hex.EncodeToString(sum[:12]) + `"`,
	}
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("ETag", a.etag)
	// Ask each time: after an upgrade of the relay, half an old page would speak to it.
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// pageFiles returns the embedded files by name. Reading what the compiler
// embedded cannot fail, so an error is a bug and stops the program.
func pageFiles() map[string][]byte {
	entries, err := fs.ReadDir(page, "page")
	if err != nil {
		panic("console: embedded page: " + err.Error())
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		body, err := fs.ReadFile(page, "page/"+entry.Name())
		if err != nil {
			panic("console: embedded page: " + err.Error())
		}
		files[entry.Name()] = body
	}
	return files
}
