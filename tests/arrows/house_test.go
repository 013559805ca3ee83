package arrows

// house says who may lean on whom, from the ground up: floor by floor, and
// beside each room the rooms it may import. All of those stand on lower
// floors; doors, above all, do not know each other. A new package gets its
// place here before it gets its first import.
var house = []floor{
	{"words", rooms{
		".":        "", // openapi.yaml as bytes
		"event":    "",
		"hostport": "",
		"retry":    "",
	}},
	{"errors over HTTP", rooms{
		"problem": "event",
	}},
	{"contracts", rooms{
		"auth": "event",
		"bus":  "event",
	}},
	{"the test of a contract", rooms{
		"bus/bustest": "bus event",
	}},
	{"rooms", rooms{
		"hub":      "bus auth event retry",
		"membus":   "bus event",
		"redisbus": "bus event retry",
		"metrics":  "event",
	}},
	{"what doors share", rooms{
		"transport/handshake": "auth event problem hostport",
		"transport/native":    "hub event",
		"transport/socket":    "",
	}},
	{"doors", rooms{
		"api":            "hub bus auth problem event hostport",
		"client":         "event retry",
		"console":        "problem event",
		"transport/poll": "transport/handshake transport/native hub auth problem event",
		"transport/sse":  "transport/handshake transport/native transport/socket hub auth problem event",
		"transport/ws":   "transport/handshake transport/native transport/socket hub auth problem event",
	}},
	// The load tester stands beside the house and uses nothing of it: what
	// measures a relay from outside must not change with its inside.
	{"the load tester's tools", rooms{
		"bench/floor":   "",
		"bench/plot":    "",
		"bench/measure": "",
		"bench/process": "",
	}},
	{"the load tester's load", rooms{
		"bench/load": "bench/measure",
	}},
	{"the load tester", rooms{
		"bench": "bench/floor bench/load bench/measure bench/process",
	}},
	{"the load tester's reports", rooms{
		"bench/report": "bench bench/plot",
	}},
	// So does what writes the relay into Kubernetes' files: it is text.
	{"manifests", rooms{
		"sidecar": "",
	}},
	{"what the program's rooms share", rooms{
		"cmd/relay/internal/suggest": "",
	}},
	{"flags", rooms{
		"cmd/relay/internal/flags": "cmd/relay/internal/suggest",
	}},
	{"settings", rooms{
		"cmd/relay/internal/config": "cmd/relay/internal/flags cmd/relay/internal/suggest event hostport",
	}},
	{"the program", rooms{
		"cmd/relay": everything,
	}},
}

// modules says which rooms may import a module from outside, so that changing
// our minds about one stays a matter of one room. Tests may use any module of
// this list; one that is not in it fails, so a new dependency is seen.
var modules = map[string]string{
	"github.com/coder/websocket":          "transport/ws client",
	"github.com/go-chi/chi/v5":            "api cmd/relay bench/floor",
	"github.com/go-json-experiment/json":  "api auth redisbus transport/native",
	"github.com/goccy/go-yaml":            "cmd/relay/internal/config sidecar",
	"github.com/golang-jwt/jwt/v5":        "auth",
	"github.com/prometheus/client_golang": "metrics",
	"github.com/redis/rueidis":            "redisbus cmd/relay/internal/config",
	"golang.org/x/sys":                    "cmd/relay transport/socket bench/floor bench/load bench/process",
	"golang.org/x/term":                   "cmd/relay",
	"golang.org/x/time":                   "redisbus transport/ws",

	"github.com/chromedp/cdproto":   onlyTests,
	"github.com/chromedp/chromedp":  onlyTests,
	"github.com/getkin/kin-openapi": onlyTests,
	"go.uber.org/goleak":            onlyTests,
}

// programOnly is what only packages below cmd may import: a room that reads a
// flag or a signal on its own cannot be run twice in one process, as tests do.
var programOnly = []string{"flag", "os/signal"}
