package main

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	openapi "relay"
	"relay/api"
	"relay/auth"
	"relay/bus"
	"relay/cmd/relay/internal/config"
	"relay/hostport"
	"relay/hub"
	"relay/membus"
	"relay/metrics"
	"relay/redisbus"
	"relay/transport/handshake"
	"relay/transport/socket"
)

// relay is one running relay: the rooms, wired, and its three listeners.
type relay struct {
	config  *config.Config
	log     *slog.Logger
	bus     bus.Bus
	hub     *hub.Hub
	loop    *socket.Loop
	metrics *metrics.Metrics
	health  *health
	shared  *sharedSecret
	// In the order in which they are told to stop.
	public, api, ops *listener

	leaving sync.Once
	left    <-chan struct{} // closed when the drain is over; set by leaving
}

// newRelay builds a relay and listens. The error is about an address or the
// bus's options; a Redis that cannot be reached is none.
func newRelay(cfg *config.Config, log *slog.Logger) (r *relay, err error) {
	r = &relay{config: cfg, log: log, metrics: metrics.New()}
	if r.bus, err = newBus(cfg, log, r.metrics); err != nil {
		return nil, err
	}
	r.hub = hub.New(r.bus, hub.Options{
		MaxConnections: cfg.MaxConnections, MaxChannels: cfg.MaxChannels, MaxAge: cfg.MaxConnectionAge,
		Generation: cfg.Generation, Metrics: r.metrics, Log: log,
	})
	r.shared = shareSecret(cfg.Secret, r.bus)
	if r.loop, err = socket.NewLoop(r.hub.PingInterval()); err != nil {
		r.shared.close()
		r.hub.Close()
		r.bus.Close()
		return nil, err
	}
	r.health = newHealth(r.bus, r.hub, cfg.ReadyStrict)
	r.metrics.RegisterProcess(metrics.Process{
		Version: version(), MaxConnections: cfg.MaxConnections, Healthy: r.bus.Healthy, Draining: r.hub.Draining,
		QueuedBytes: r.loop.QueuedBytes, WaitingBytes: r.hub.WaitingBytes, MemoryLimit: memoryLimit,
	})
	if err := r.listen(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func newBus(cfg *config.Config, log *slog.Logger, counts *metrics.Metrics) (bus.Bus, error) {
	keep := func(channel string) bus.Retention { return bus.Retention(cfg.Retention(channel)) }
	if !cfg.RedisURL.IsSet() {
		return membus.New(keep), nil
	}
	b, err := redisbus.Open(redisbus.Options{
		URL: cfg.RedisURL.Get(), Fresh: cfg.RedisURL.Get, Prefix: cfg.Prefix, Retention: keep,
		MaxEventBytes: cfg.MaxEventBytes, Metrics: counts, Log: log,
	})
	if err != nil {
		return nil, err
	}
	counts.RegisterCanaryAge(b.CanaryAge)
	counts.RegisterClock(b.ClockAhead)
	return b, nil
}

// listen opens the three listeners, so that a taken port stops the start and
// is not found out later.
func (r *relay) listen() error {
	policy, err := newPolicy(r.config, r.shared.get)
	if err != nil {
		return err
	}
	if r.public, err = listenOn("public", r.config.PublicAddr, clientSockets(), r.log); err != nil {
		return err
	}
	if r.api, err = listenOn("api", r.config.APIAddr, net.ListenConfig{}, r.log); err != nil {
		return err
	}
	if r.ops, err = listenOn("ops", r.config.OpsAddr, net.ListenConfig{}, r.log); err != nil {
		return err
	}
	app := r.newAPI()
	r.public.server.Handler = r.publicRoutes(policy, app)
	r.api.net = unwatched{r.api.net}
	r.api.server.Handler = app
	// Against a body that comes a byte a second.
	r.api.server.ReadTimeout, r.ops.server.ReadTimeout = time.Minute, bodyPatience
	r.ops.server.Handler = r.opsRoutes()
	return nil
}

func newPolicy(cfg *config.Config, shared func() []byte) (*handshake.Policy, error) {
	var tokens *auth.Verifier
	if cfg.JWTSecret.IsSet() {
		tokens = auth.NewVerifier(secretBytes(cfg.JWTSecret))
	}
	return handshake.New(handshake.Options{
		Tokens: tokens, Tickets: auth.NewTickets(shared), Public: cfg.PublicChannels, Open: cfg.Open, OpenLocal: cfg.OpenLocal,
		Origins: cfg.AllowedOrigins, LoopbackOrigins: hostport.IsLoopbackListen(cfg.PublicAddr),
	})
}

func (r *relay) newAPI() *api.API {
	return api.New(api.Options{
		Bus: r.bus, Rooms: r.hub, Leaver: r, Keys: r.config.APIKeys.List, Tokens: secretBytes(r.config.JWTSecret),
		MaxEventBytes: r.config.MaxEventBytes, MaxRequestBytes: r.config.MaxRequestBytes,
		Loopback: hostport.IsLoopbackListen(r.config.APIAddr), Log: r.log, Metrics: r.metrics, OpenAPI: openapi.OpenAPI,
	})
}

func secretBytes(s *config.Secret) func() []byte {
	return func() []byte { return []byte(s.Get()) }
}

// run serves until ctx is done, then leaves politely. The error is that of a
// listener that failed.
func (r *relay) run(ctx context.Context) error {
	failed := make(chan error, 3)
	for _, l := range r.listeners() {
		go func() { failed <- l.serve() }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	r.leave()
	return err
}

func (r *relay) listeners() []*listener { return []*listener{r.public, r.api, r.ops} }

// closeSoon closes, and does not wait for what takes longer than it may: the
// bus of a Redis that does not answer takes seconds to let go of it, and the
// process is about to end anyway.
func (r *relay) closeSoon() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		r.close()
	}()
	select {
	case <-closed:
		r.log.Info("stopped")
	case <-time.After(2 * stopPatience):
		r.log.Warn("stopped, without waiting for the connections to Redis to end")
	}
}

// close ends everything at once.
func (r *relay) close() {
	var stopping sync.WaitGroup
	for _, l := range r.listeners() {
		if l != nil {
			stopping.Go(l.stop)
		}
	}
	stopping.Wait()
	r.hub.Close()
	r.loop.Close()
	r.shared.close()
	r.bus.Close()
}
