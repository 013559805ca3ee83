package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// listener is one address and its HTTP server.
type listener struct {
	name   string
	net    net.Listener
	server *http.Server
}

func listenOn(name, addr string, sockets net.ListenConfig, log *slog.Logger) (*listener, error) {
	l, err := sockets.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("the %s listener cannot use the address %s (set --%s-addr or RELAY_%s_ADDR): %w",
			name, addr, name, strings.ToUpper(name), err)
	}
	return &listener{name: name, net: l, server: &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// A token and a cursor stand in headers or the query, 12 KiB together.
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(log.With("listener", name).Handler(), slog.LevelDebug),
	}}, nil
}

func (l *listener) serve() error {
	if err := l.server.Serve(l.net); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the %s listener failed: %w", l.name, err)
	}
	return nil
}

// stopPatience is how long requests under way may take at the very end.
const stopPatience = time.Second

// stop lets requests under way end, but not for long: streams have been ended
// by the drain, and what is left are publishes of milliseconds.
func (l *listener) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
	_ = l.net.Close() // if it was never served
}

// url is where a person on this machine reaches the listener.
func (l *listener) url() string {
	addr := l.net.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}
