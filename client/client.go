// Package client talks to a relay from Go: Subscribe follows channels over the
// native wire, Publish posts events to the publish API, Drain lets a relay
// leave. `relay sub`, `relay pub`, `relay drain` and the tests are built on it.
//
// Subscribe keeps the promise that the wire makes possible: it reconnects by
// itself, resumes each channel from the last event it saw, and stays away when
// the relay says so. What was lost comes as a frame of type reset, never as a
// silent hole.
package client

import (
	"errors"
	"fmt"
	"net/url"
)

// endpoint joins a base URL and a path of the relay's.
func endpoint(base string, path ...string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the relay's URL cannot be read: %w", err)
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	default:
		return nil, fmt.Errorf("the relay's URL %q must begin with http:// or https://", base)
	}
	if u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the relay's URL is scheme, host and perhaps a path, like http://127.0.0.1:8080")
	}
	return u.JoinPath(path...), nil
}

// ErrUnreachable says that nothing answered.
var ErrUnreachable = errors.New("the relay cannot be reached")

// unreachable makes the error of a request without an answer. The address,
// which the HTTP client repeats, may hold more than people should read.
func unreachable(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
