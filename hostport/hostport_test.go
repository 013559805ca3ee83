package hostport_test

import (
	"testing"

	"relay/hostport"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:1": true, "a.localhost": true, "127.1.2.3:80": true, "[::1]": true,
		"[::ffff:127.0.0.1]:80": true,
		"":                      false, ":80": false, "localhost:": false, "localhost:x": false, "localhost:99999": false,
		"example.com": false, "localhost.example.com": false, "[::1": false, "[::1]80": false,
		"[fe80::1]": false, "127.0.0.1.": false, "2130706433": false, "0x7f.1": false,
	} {
		if got := hostport.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestIsLoopbackListen(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:0": true, "127.9.9.9:80": true, "[::1]:8080": true, "localhost:8080": true, "LOCALHOST:1": true,
		"[::ffff:127.0.0.1]:80": true,
		":8080":                 false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "a.localhost:80": false,
		"example.com:80": false, "127.0.0.1": false, "": false,
	} {
		if got := hostport.IsLoopbackListen(addr); got != want {
			t.Errorf("IsLoopbackListen(%q) = %v, want %v", addr, got, want)
		}
	}
}
