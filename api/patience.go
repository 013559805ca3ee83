package api

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// deadlines are contexts that end when patience does. Those who begin at about
// the same time share one: a timer for each event would be a good part of what
// the event costs.
type deadlines struct {
	mu   sync.Mutex
	ctx  context.Context
	last time.Time // up to which beginnings share ctx
}

// sharedFor is how much longer than patience somebody may have to wait.
const sharedFor = 100 * time.Millisecond

// patient is a context with the values of a request but not its end.
type patient struct {
	context.Context
	request context.Context
}

func (p patient) Value(key any) any { return p.request.Value(key) }

// outliving returns the context of what a request wants done, even if its
// client goes away meanwhile.
func (d *deadlines) outliving(r *http.Request, now time.Time) context.Context {
	return patient{d.from(now), context.WithoutCancel(r.Context())}
}

func (d *deadlines) from(now time.Time) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == nil || now.After(d.last) {
		ctx, cancel := context.WithDeadline(context.Background(), now.Add(sharedFor+patience))
		context.AfterFunc(ctx, cancel)
		d.ctx, d.last = ctx, now.Add(sharedFor)
	}
	return d.ctx
}
