//go:build !linux

package main

import "net"

// clientSockets says how clients' connections are made: as the system does,
// whose keep-alive finds dead ones in the end.
func clientSockets() net.ListenConfig { return net.ListenConfig{} }
