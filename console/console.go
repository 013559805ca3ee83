// Package console serves the built-in page at "/" of the public listener: a
// developer connects, subscribes, watches events arrive and publishes test
// events. The page is embedded, needs no build step, and speaks to the public
// contract only, so it can do nothing that any other client could not. The one
// exception, POST console/events for test events, belongs to the program,
// which mounts it beside this handler. Only cmd/relay uses this package.
package console

import (
	"encoding/json"
	"net/http"

	"relay/event"
	"relay/problem"
)

// Options is what the page has to know about the relay that serves it.
type Options struct {
	// PublicPath is the prefix of every public path: "", or "/prefix" without
	// a slash at its end. The page itself uses relative addresses only.
	PublicPath string
	// Publish says that POST {PublicPath}/console/events takes test events:
	// the page shows its form.
	Publish bool
	// NeedsKey says that the api listener wants a key: the curl line carries one.
	NeedsKey bool
	// APIURL is where the app publishes, such as "http://127.0.0.1:8081". It
	// stands in the curl line.
	APIURL string
	// TakesTokens says that clients may have to show a token: the page then
	// asks for one.
	TakesTokens bool
}

// settings is console/config.json, the page's view of Options.
type settings struct {
	Publish     bool   `json:"publish"`
	NeedsKey    bool   `json:"needs_key"`
	APIURL      string `json:"api_url"`
	TakesTokens bool   `json:"takes_tokens"`
}

// Handler serves the page at {PublicPath}/ and what it needs under
// {PublicPath}/console/. It answers every other path with 404, and methods
// other than GET and HEAD with 405, both as problems.
func Handler(o Options) http.Handler {
	config, err := json.Marshal(settings{Publish: o.Publish, NeedsKey: o.NeedsKey, APIURL: o.APIURL, TakesTokens: o.TakesTokens})
	if err != nil {
		panic("console: three booleans and a string must encode: " + err.Error())
	}
	h := &handler{home: o.PublicPath + "/", assets: make(map[string]*asset)}
	for name, body := range pageFiles() {
		path := h.home + "console/" + name
		if name == "index.html" {
			path = h.home
		}
		h.assets[path] = newAsset(name, body)
	}
	h.assets[h.home+"console/config.json"] = newAsset("config.json", config)
	return h
}

type handler struct {
	home   string            // the page's own path, which ends in a slash
	assets map[string]*asset // by the whole path of the request
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := h.assets[r.URL.Path]
	if !ok && r.URL.Path+"/" != h.home {
		problem.New(http.StatusNotFound, event.CodeNotFound,
			"Nothing is served at this path; the page is at "+h.home+".").Write(w)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem.New(http.StatusMethodNotAllowed, event.CodeMethodNotAllowed,
			"This path answers GET and HEAD only.").Write(w)
		return
	}
	if !ok {
		// Without its last slash, every relative address on the page would miss the prefix.
		http.Redirect(w, r, h.home, http.StatusPermanentRedirect)
		return
	}
	a.serve(w, r)
}
