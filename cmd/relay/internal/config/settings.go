package config

import (
	"time"

	"relay/event"
)

// Groups of settings, in the order of help and reference.
const (
	groupListeners = "Listeners"
	groupRedis     = "Redis"
	groupAccess    = "Who may connect"
	groupHistory   = "History"
	groupLimits    = "Limits"
	groupRunning   = "Running"
)

// table is the one definition of every setting.
func table() []*Setting {
	return []*Setting{
		{
			Name: "public_addr", Group: groupListeners, Default: "127.0.0.1:8080",
			Help: "Where clients connect.",
			Doc: "WebSocket and EventSource clients connect here. An address that is not loopback needs a way to tell " +
				"who may subscribe: `jwt_secret`, `public_channels` or `open`; without one the relay refuses to start. " +
				"Port 0 lets the system choose.",
			value: address(func(c *Config) *string { return &c.PublicAddr }),
		},
		{
			Name: "api_addr", Group: groupListeners, Default: "127.0.0.1:8081",
			Help: "Where the app publishes.",
			Doc:  "The publish API listens here. An address that is not loopback needs `api_keys`; without them the relay refuses to start.",

			value: address(func(c *Config) *string { return &c.APIAddr }),
		},
		{
			Name: "ops_addr", Group: groupListeners, Default: "127.0.0.1:8082", PodDefault: ":8082",
			Help:  "Where probes and metrics are served.",
			Doc:   "`/livez`, `/readyz`, `/startupz` and `/metrics` are served here. In a Kubernetes pod the default is every address, because the kubelet asks from outside.",
			value: address(func(c *Config) *string { return &c.OpsAddr }),
		},
		{
			Name: "public_path", Group: groupListeners,
			Help:  "Prefix of every path on the public address, like /relay.",
			Doc:   "For an Ingress host that is shared with the app: with `/relay`, clients connect to `/relay/v1/ws`. It begins with a slash and does not end with one.",
			value: publicPath(func(c *Config) *string { return &c.PublicPath }),
		},
		{
			Name: "console", Group: groupListeners, Default: "auto",
			Help: "Serve the page at / that shows events live: auto, true or false.",
			Doc: "`auto` serves it when `public_addr` is loopback. It can publish test events while `public_addr` and `api_addr` are both " +
				"loopback and no API key is set; but once clients need a token or channels are public, and in a pod, only if this is `true`: " +
				"a proxy on the same machine could then let others do it.",
			value: onOffAuto(func(c *Config) *toggle { return &c.console }),
		},
		{
			Name: "redis_url", Group: groupRedis, Secret: true,
			Help: "Redis or Valkey that joins the relays; empty: one relay by itself.",
			Doc: "`redis://user:password@host:6379`, `rediss://` for TLS, `unix:///path/to/redis.sock` for a socket; further hosts as " +
				"`?addr=host2:6379`, Sentinel with `?master_set=NAME`. Redis 7.0 or later, or Valkey. Empty keeps events in this process: " +
				"they reach this relay's clients only and are gone when it stops. Characters with a meaning in URLs are percent-encoded in the password.",
			value: redisURL(func(c *Config) **Secret { return &c.RedisURL }),
		},
		{
			Name: "prefix", Group: groupRedis, Default: "relay:",
			Help:  "Stands before every name in Redis.",
			Doc:   "Relays that share a Redis and a prefix serve the same channels. It holds no braces, because they would move names to other slots of a Cluster.",
			value: redisPrefix(func(c *Config) *string { return &c.Prefix }),
		},
		{
			Name: "api_keys", Group: groupAccess, Secret: true,
			Help:  "Keys of the publish API, sent as Authorization: Bearer KEY.",
			Doc:   "Any of the keys will do, so that a key can be replaced while both are valid. In a file, keys stand one a line or comma separated. Without keys, `api_addr` must be loopback.",
			value: apiKeys(func(c *Config) **Secret { return &c.APIKeys }),
		},
		{
			Name: "jwt_secret", Group: groupAccess, Secret: true,
			Help:  "Signs client tokens (HS256); at least 32 bytes.",
			Doc:   "Shared by the relay and whoever makes client tokens. `openssl rand -base64 48` makes a good one.",
			value: jwtSecret(func(c *Config) **Secret { return &c.JWTSecret }),
		},
		{
			Name: "secret", Group: groupAccess, Secret: true,
			Help: "Signs what relays hand to clients for each other; at least 32 bytes.",
			Doc: "The same on every relay that shares a Redis: [resume tickets](draining.md#the-ticket) are signed with it. Empty: the first relay makes one and keeps " +
				"it in Redis, where whoever may read there can read it. A new one needs no care: clients with a ticket of the old one show their token.",
			value: jwtSecret(func(c *Config) **Secret { return &c.Secret }),
		},
		{
			Name: "public_channels", Group: groupAccess,
			Help:  "Channels anyone may subscribe to, like news or news.*",
			Doc:   "Patterns: a channel name, or the beginning of names followed by `*`. Clients need no token for these.",
			value: patterns(func(c *Config) *[]event.Pattern { return &c.PublicChannels }),
		},
		{
			Name: "open", Group: groupAccess, Default: "false",
			Help: "Every channel to everyone.",
			Doc: "Only for data that the whole world may read. On a loopback address with neither `jwt_secret` nor `public_channels`, the relay " +
				"is open by itself and says so, except in a pod and for requests that came through a proxy.",
			value: boolean(func(c *Config) *bool { return &c.Open }),
		},
		{
			Name: "allowed_origins", Group: groupAccess,
			Help: "Web origins whose pages may connect; empty: the relay's own.",
			Doc: "`https://app.example.com`, `https://*.example.com` or `*`, for WebSocket upgrades and for CORS on EventSource and polling. " +
				"Empty allows the origin that the relay itself is reached by; on a loopback address any loopback origin too.",
			value: origins(func(c *Config) *[]string { return &c.AllowedOrigins }),
		},
		{
			Name: "history_size", Group: groupHistory, Default: "256",
			Help:  "Events kept per channel; 0: none.",
			Doc:   "A client that comes back is given what it missed from here. Without history every event is delivered at most once.",
			value: integer(func(c *Config) *int { return &c.HistorySize }, 0, 1_000_000),
		},
		{
			Name: "history_ttl", Group: groupHistory, Default: "10m",
			Help:  "How long events are kept.",
			Doc:   "A client that was away for longer is told to refetch.",
			value: duration(func(c *Config) *time.Duration { return &c.HistoryTTL }, time.Second),
		},
		{
			Name: "position_ttl", Group: groupHistory, Default: "24h",
			Help:  "How long a silent channel's last position is known.",
			Doc:   "It outlives the events, so that a client of a quiet channel can come back without refetching. Not less than `history_ttl`, nor than two minutes: relays that have subscribers renew it every thirty seconds.",
			value: duration(func(c *Config) *time.Duration { return &c.PositionTTL }, 2*time.Minute),
		},
		{
			Name: "max_event_bytes", Group: groupLimits, Default: "64KiB",
			Help:  "Size of one event's data.",
			Doc:   "Counted without white space outside of strings. A longer one is refused when it is published.",
			value: size(func(c *Config) *int { return &c.MaxEventBytes }, 1, 16*mebibyte),
		},
		{
			Name: "max_request_bytes", Group: groupLimits, Default: "8MiB",
			Help:  "Size of one publish request.",
			Doc:   "Enforced while reading. Not less than `max_event_bytes`.",
			value: size(func(c *Config) *int { return &c.MaxRequestBytes }, 1*kibibyte, 256*mebibyte),
		},
		{
			Name: "max_frame_bytes", Group: groupLimits, Default: "16KiB",
			Help:  "Size of one frame from a client.",
			Doc:   "A client that sends a longer one is closed with 1009. Large enough for a token.",
			value: size(func(c *Config) *int { return &c.MaxFrameBytes }, event.MaxTokenBytes+1*kibibyte, 1*mebibyte),
		},
		{
			Name: "max_connections", Group: groupLimits, Default: "100000",
			Help:  "Clients connected to this relay at once.",
			Doc:   "Further ones are told to come back later.",
			value: integer(func(c *Config) *int { return &c.MaxConnections }, 1, 10_000_000),
		},
		{
			Name: "max_channels", Group: groupLimits, Default: "128",
			Help:  "Channels of one connection at once.",
			Doc:   "A client's further subscriptions are refused. An EventSource connection has at most 64 whatever this says.",
			value: integer(func(c *Config) *int { return &c.MaxChannels }, 1, 100_000),
		},
		{
			Name: "queue_bytes", Group: groupLimits, Default: "256KiB",
			Help: "What may wait for one slow connection.",
			Doc: "A client that is further behind for five seconds and does not catch up, or sixty-four times as far at all, is closed with 4408 and " +
				"comes back. What waits is shared by all clients that wait for it. Must hold at least one event: `max_event_bytes` and 4 KiB.",
			value: size(func(c *Config) *int { return &c.QueueBytes }, 4*kibibyte, 16*mebibyte),
		},
		{
			Name: "ready_strict", Group: groupRunning, Default: "false",
			Help: "Not ready whenever Redis is away or refuses to write.",
			Doc: "Without it the relay becomes ready when Redis has answered once, so that a wrong URL stops a rollout, and stays ready through an " +
				"outage of Redis: clients keep their connections and heal afterwards.",
			value: boolean(func(c *Config) *bool { return &c.ReadyStrict }),
		},
		{
			Name: "drain_delay", Group: groupRunning, Default: "5s",
			Help: "How long a relay that is drained still takes clients.",
			Doc: "After `relay drain` the relay is not ready any more, but whoever sends clients to it needs a moment to hear of that. " +
				"Not with SIGTERM alone. [Draining](draining.md) tells all about it.",
			value: duration(func(c *Config) *time.Duration { return &c.DrainDelay }, 0),
		},
		{
			Name: "drain_window", Group: groupRunning, Default: "20s",
			Help:  "Time over which clients are released when the relay stops.",
			Doc:   "Clients are told to come back elsewhere, spread over this time. With `drain_delay` before it, it must fit into the time the system gives a process to stop (30s in Kubernetes).",
			value: duration(func(c *Config) *time.Duration { return &c.DrainWindow }, 0),
		},
		{
			Name: "grace_period", Group: groupRunning, Default: "0s",
			Help: "The pod's terminationGracePeriodSeconds, like 30s.",
			Doc: "With it the relay refuses to start if `drain_delay` and `drain_window` do not fit, and knows how long it may hold clients while other relays are to leave too. " +
				"`0s`: it is not known; nothing is checked, and Kubernetes's default of 30s is assumed for holding.",
			value: duration(func(c *Config) *time.Duration { return &c.GracePeriod }, 0),
		},
		{
			Name: "generation", Group: groupRunning,
			Help: "Names the relays that are rolled out together: the pod-template-hash.",
			Doc: "From the downward API: `metadata.labels['pod-template-hash']`, or `controller-revision-hash` of StatefulSets and DaemonSets. A relay that is drained while " +
				"another generation takes clients holds its own until all of the old ones are drained. Workloads that share a Redis set it like `web/HASH`. Empty: a relay holds nobody.",
			value: generation(func(c *Config) *string { return &c.Generation }),
		},
		{
			Name: "max_connection_age", Group: groupRunning, Default: "0s",
			Help: "How old a connection may become; 0s: any age.",
			Doc: "A client whose connection is nearly as old (the last fifth is drawn by lot) is told `max_age` and comes back, and whoever sends it may choose another relay: " +
				"after scaling up, the new ones get their share. Polling has no connections that age.",
			value: duration(func(c *Config) *time.Duration { return &c.MaxConnectionAge }, 0),
		},
		{
			Name: "log_level", Group: groupRunning, Default: "info",
			Help:  "debug, info, warn or error.",
			Doc:   "Lines below this level are not written.",
			value: logLevel(),
		},
		{
			Name: "log_format", Group: groupRunning, Default: "auto",
			Help:  "auto, text or json.",
			Doc:   "`auto` is text on a terminal and JSON elsewhere. Logs go to standard error.",
			value: logFormat(),
		},
	}
}
