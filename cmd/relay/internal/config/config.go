// Package config turns flags, environment variables and a YAML file into one
// plain struct. The table in settings.go defines every setting once; flags,
// variables, keys, help, `relay config` and docs/settings.md come from it.
//
// Nothing here touches the process: flags, environment and files are handed
// in, so that a test can load any combination. cmd/relay is the only caller.
package config

import (
	"log/slog"
	"time"

	"relay/cmd/relay/internal/flags"
	"relay/event"
)

// Config is every setting in force, checked. It is not changed after Load;
// only secrets that come from files follow their files.
type Config struct {
	// PublicAddr, APIAddr and OpsAddr are what the three listeners listen on,
	// as net.Listen takes them. Port 0 lets the system choose.
	PublicAddr, APIAddr, OpsAddr string
	// PublicPath is empty, or a path with a slash in front and none behind.
	PublicPath string
	// Console says whether the page at "/" is served.
	Console bool
	// ConsolePublish says whether it takes test events.
	ConsolePublish bool

	// RedisURL is empty for the in-process bus. It may hold a password.
	RedisURL *Secret
	// Prefix stands before every name in Redis. Never empty.
	Prefix string

	// APIKeys lists the keys of the api listener; none is only possible on loopback.
	APIKeys *Secret
	// JWTSecret signs client tokens; empty, or at least 32 bytes.
	JWTSecret *Secret
	// Secret signs what relays hand to clients for each other; empty (it is made
	// and shared), or at least 32 bytes.
	Secret *Secret
	// PublicChannels are for everybody, with or without a token.
	PublicChannels []event.Pattern
	// Open: every channel is for everybody.
	Open bool
	// OpenLocal: nothing that could authenticate a client is configured and
	// the public address is loopback, outside of a pod, so every channel is
	// for everybody whose request did not come through a proxy.
	OpenLocal bool
	// AllowedOrigins holds "*", "scheme://host[:port]" and
	// "scheme://*.host[:port]", in lower case and without default ports.
	AllowedOrigins []string

	// What is kept of channels that no rule names; see Retention.
	// HistorySize is events per channel; 0 means no history.
	HistorySize int
	HistoryTTL  time.Duration
	// PositionTTL is never less than HistoryTTL.
	PositionTTL time.Duration

	// Sizes in bytes.
	MaxEventBytes, MaxRequestBytes, MaxFrameBytes int
	// QueueBytes is what may wait for one connection.
	QueueBytes     int
	MaxConnections int
	// MaxChannels is per connection.
	MaxChannels int

	ReadyStrict bool
	// DrainDelay is how long clients are still taken, DrainWindow over what time
	// they are then released.
	DrainDelay, DrainWindow time.Duration
	// GracePeriod is what a pod has to stop; 0: not known. Else the two and
	// DrainMargin fit into it.
	GracePeriod time.Duration
	// Generation names the relays that are rolled out together; may be empty.
	Generation string
	// MaxConnectionAge is 0 for any age.
	MaxConnectionAge time.Duration
	LogLevel         slog.Level
	LogFormat        LogFormat

	// The rules of the list channels, in their order; see Retention.
	channels []channelRule

	// What Load keeps for its own later steps and for WriteYAML.
	console toggle
	inPod   bool
	read    ReadFile
	origins map[string]origin
}

// DrainMargin is what a pod's grace must hold beside delay and window: for the
// last clients to answer, and for the end of the process.
const DrainMargin = 5 * time.Second

// LogFormat is how log lines are written.
type LogFormat string

// The formats; auto is text on a terminal and JSON elsewhere.
const (
	LogAuto LogFormat = "auto"
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// ReadFile returns the content of a file; os.ReadFile outside of tests.
type ReadFile func(path string) ([]byte, error)

// Load reads all settings: args are the command line's flags, environ is what
// os.Environ returns. The error is flag.ErrHelp or a *flags.Error if the
// command line could not be read, else Problems with everything that is wrong.
func Load(args, environ []string, read ReadFile) (*Config, error) {
	fs := flags.New("relay")
	loader := Bind(fs)
	rest, err := flags.Parse(fs, args)
	if err != nil {
		return nil, err
	}
	if err := flags.NoArguments(rest); err != nil {
		return nil, err
	}
	return loader.Load(environ, read)
}

// ShownRedisURL is the Redis URL for logs, without its password.
func (c *Config) ShownRedisURL() string {
	shown, _ := hidePassword(c.RedisURL.Get())
	return shown
}

// WatchSecrets names the function that is told, once per failure, when the
// file of a secret can no longer be read or holds something unfit. The value
// read before stays in force meanwhile.
func (c *Config) WatchSecrets(report func(error)) {
	for _, s := range []*Secret{c.RedisURL, c.APIKeys, c.JWTSecret, c.Secret} {
		s.onFailure(report)
	}
}

// Notices are sentences about consequences of the settings that whoever
// starts the relay should hear even though nothing is wrong.
func (c *Config) Notices() []string {
	switch {
	case c.OpenLocal:
		return []string{"every channel is open to everyone on this machine, because no client authentication is configured; " +
			"set jwt_secret or public_channels before others can reach the public address"}
	case c.Open:
		return []string{"every channel is open to everyone who can reach the public address, because open is set"}
	}
	return nil
}

// canAdmit reports whether a client can get a grant without OpenLocal.
func (c *Config) canAdmit() bool {
	return c.Open || c.JWTSecret.IsSet() || len(c.PublicChannels) > 0
}
