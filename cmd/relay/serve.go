package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"relay/cmd/relay/internal/config"
)

// serve runs a relay until ctx is done.
func serve(ctx context.Context, p *program, cfg *config.Config, log *slog.Logger) error {
	cfg.WatchSecrets(func(err error) {
		log.Error("a secret's file cannot be used; the value from before stays in force", "error", err)
	})
	r, err := newRelay(cfg, log)
	if err != nil {
		return err
	}
	for _, notice := range cfg.Notices() {
		log.Warn(notice)
	}
	log.Info("listening", "public", r.public.net.Addr().String(), "api", r.api.net.Addr().String(),
		"ops", r.ops.net.Addr().String(), "bus", busName(cfg), "relay", r.hub.ID(), "version", version())
	if cfg.Console {
		r.greet(p.stdout)
	}
	return r.run(ctx)
}

func busName(cfg *config.Config) string {
	if !cfg.RedisURL.IsSet() {
		return "in-process: this relay stands alone"
	}
	return cfg.ShownRedisURL()
}

// greet tells a newcomer the two steps to a first event.
func (r *relay) greet(w io.Writer) {
	key := ""
	if r.config.APIKeys.IsSet() {
		key = ` -H "Authorization: Bearer $RELAY_API_KEY"`
	}
	fmt.Fprintf(w, `
  Open  %s%s/

  then publish an event and see it arrive there:

  curl %s/v1/events%s -d '{"channel":"demo","event":"greeting","data":{"hello":"world"}}'

`, r.public.url(), r.config.PublicPath, r.api.url(), key)
}
