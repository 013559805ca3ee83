// Command app stands for the app beside the relay: its pods take events from
// the test and hand them to the relay on loopback, as a backend does.
//
//	app                     serve
//	app find PORT ADDR…     print at which address the test can be reached
//
// It is a static program, because its image holds nothing else.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	addr  = ":3000"
	relay = "http://127.0.0.1:8081"
	// linger is how long the app still listens after SIGTERM: until then new
	// requests come, since not everybody has heard yet that the pod leaves.
	linger = 5 * time.Second
	// patience is longer than the relay's own, which answers within 10 s.
	patience = 15 * time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 2 && args[0] == "find" {
		return find(os.Stdout, args[1], args[2:])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return serve(ctx)
}

// serve answers until ctx has ended, and then as long as requests may still
// be on their way.
func serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/events", publish)
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: patience}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	time.Sleep(linger)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return server.Shutdown(ctx)
}

// publish hands an event to the relay. What the relay did not answer is a 503:
// the test may repeat it.
func publish(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, relay+"/v1/events", r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req.ContentLength = r.ContentLength
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer res.Body.Close()
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

// find prints the first address at which somebody listens on the port: that of
// the pod's own gateway, or one of those given.
func find(w io.Writer, port string, addrs []string) error {
	if gateway := gateway(); gateway != "" {
		addrs = slices.Insert(addrs, 0, gateway)
	}
	for _, a := range addrs {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(a, port), 2*time.Second)
		if err == nil {
			_ = conn.Close()
			_, err = fmt.Fprintln(w, a)
			return err
		}
	}
	return errors.New("nobody listens on port " + port + " of " + strings.Join(addrs, ", "))
}

// gateway is the address behind the default route, or "": proc(5), whose
// addresses are hexadecimal and in the processor's order.
func gateway() string {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[1] != "00000000" {
			continue
		}
		if b, err := hex.DecodeString(fields[2]); err == nil && len(b) == 4 {
			return net.IPv4(b[3], b[2], b[1], b[0]).String()
		}
	}
	return ""
}
