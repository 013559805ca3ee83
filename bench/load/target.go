package load

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// endpoint is where one of the relay's listeners is.
type endpoint struct {
	addr string // host:port to dial
	host string // what the Host header says
	path string // prefix of every path
	tls  *tls.Config
}

// parseEndpoint reads the URL of a listener, such as http://127.0.0.1:8080.
func parseEndpoint(text string) (endpoint, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return endpoint{}, fmt.Errorf("the relay's URL %q must begin with http:// or https:// and name a host", text)
	}
	e := endpoint{host: u.Host, path: strings.TrimSuffix(u.EscapedPath(), "/")}
	port := u.Port()
	if u.Scheme == "https" {
		e.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	e.addr = net.JoinHostPort(u.Hostname(), port)
	return e, nil
}

// CheckURL tells what is wrong with the URL of a listener.
func CheckURL(text string) error {
	_, err := parseEndpoint(text)
	return err
}
