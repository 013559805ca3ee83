//go:build !linux

package floor

import (
	"context"
	"errors"
	"io"
)

// Supported tells whether Run can.
const Supported = false

// Run needs epoll.
func Run(context.Context, io.Writer) error {
	return errors.New("the floor is measured with epoll, which only Linux has")
}
