//go:build !linux

package load

func newDriver(c *Crowd, _ endpoint) driver { return newPlain(c) }
