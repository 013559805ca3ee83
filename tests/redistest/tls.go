package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TLS is an authority that nobody knows but the test, and a certificate of it
// for every server on 127.0.0.1.
type TLS struct {
	CA string // the authority's certificate, a PEM file

	cert, key string // files
}

// NewTLS makes both, valid for an hour.
func NewTLS(tb testing.TB) *TLS {
	tb.Helper()
	dir := tb.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		must(tb, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "redis"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature,
		// Both: the nodes of a Cluster are each other's clients.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	authorityKey, serverKey := newKey(tb), newKey(tb)
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	must(tb, err)
	cert, err := x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey)
	must(tb, err)
	key, err := x509.MarshalPKCS8PrivateKey(serverKey)
	must(tb, err)
	return &TLS{
		CA:   file("ca.pem", "CERTIFICATE", ca),
		cert: file("cert.pem", "CERTIFICATE", cert), key: file("key.pem", "PRIVATE KEY", key),
	}
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	return key
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// StartTLS is Start for a server that speaks TLS on a port of its own. It asks
// for no client's certificate.
func StartTLS(tb testing.TB, t *TLS, args ...string) *Server {
	tb.Helper()
	addr := FreeAddr(tb)
	s := Start(tb, append(t.args(addr), args...)...)
	s.tls = addr
	return s
}

func (t *TLS) args(addr string) []string {
	_, port, _ := net.SplitHostPort(addr)
	return []string{
		"--tls-port", port, "--tls-cert-file", t.cert, "--tls-key-file", t.key,
		"--tls-ca-cert-file", t.CA, "--tls-auth-clients", "no",
	}
}

// TLSURL is the address of a server that StartTLS made.
func (s *Server) TLSURL() string { return "rediss://" + s.tls }

// StartTLSCluster runs masters that speak TLS to clients and to each other.
func StartTLSCluster(tb testing.TB, t *TLS, masters int) *Cluster {
	tb.Helper()
	c := &Cluster{tb: tb, tls: t}
	c.form(masters, 0)
	return c
}
