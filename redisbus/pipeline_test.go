package redisbus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/redis/rueidis"
)

// stuckRedis answers a batch when it is told to. Each reply is an error that
// names its place in the batch.
type stuckRedis struct {
	rueidis.Client // nil: nothing else is asked of it

	sent   chan int // how many commands a batch has
	answer chan struct{}
}

func (r *stuckRedis) Mode() rueidis.ClientMode { return rueidis.ClientModeStandalone }

func (r *stuckRedis) B() rueidis.Builder { return rueidis.Builder{} }

func (r *stuckRedis) DoMulti(_ context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	r.sent <- len(commands)
	<-r.answer
	replies := make([]rueidis.RedisResult, len(commands))
	for i := range replies {
		replies[i] = rueidis.NewErrorResult(fmt.Errorf("reply %d of %d", i, len(commands)))
	}
	return replies
}

// stuck returns a pipeline that has as many batches under way as may be.
func stuck(t *testing.T) (*pipeline, *stuckRedis) {
	t.Helper()
	b := &Bus{}
	b.ctx, b.cancel = context.WithCancel(t.Context())
	l := &pipeline{bus: b}
	redis := &stuckRedis{sent: make(chan int, 10), answer: make(chan struct{})}
	for range maxUnderway {
		hand(t, l, redis, parcelFor(t.Context(), 1))
		<-redis.sent
	}
	return l, redis
}

// parcelFor has groups that are a command each.
func parcelFor(ctx context.Context, commands int) *parcel {
	p := newParcel(ctx, nil)
	for range commands {
		p.add(&group{keys: []string{"c"}, items: []item{{}}})
	}
	return p
}

func hand(t *testing.T, l *pipeline, redis rueidis.Client, p *parcel) {
	t.Helper()
	if err := l.send(redis, p); err != nil {
		t.Fatalf("a parcel is refused: %v", err)
	}
}

func TestWhatWaitsGoesOutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, redis := stuck(t)
		var parcels []*parcel
		for range 50 {
			parcels = append(parcels, parcelFor(t.Context(), 2))
			hand(t, l, redis, parcels[len(parcels)-1])
		}
		redis.answer <- struct{}{}
		if n := <-redis.sent; n != 100 {
			t.Errorf("the next batch has %d commands; want 100", n)
		}
		close(redis.answer)
		for i, p := range parcels {
			for k, g := range p.groups {
				g.await()
				if want := fmt.Sprintf("reply %d of 100", 2*i+k); g.reply.err.Error() != want {
					t.Fatalf("command %d of parcel %d got %q; want %q", k, i, g.reply.err, want)
				}
			}
		}
		synctest.Wait()
		if l.underway != 0 || l.held != 0 {
			t.Errorf("%d batches are under way and %d bytes held after the last answer", l.underway, l.held)
		}
	})
}

func TestWhoGaveUpIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, redis := stuck(t)
		ctx, giveUp := context.WithCancel(t.Context())
		p := parcelFor(ctx, 1)
		hand(t, l, redis, p)
		hand(t, l, redis, parcelFor(t.Context(), 3))
		giveUp()
		p.groups[0].await()
		if err := p.groups[0].reply.err; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up is told %v", err)
		}
		close(redis.answer)
		if n := <-redis.sent; n != 3 {
			t.Errorf("the next batch has %d commands; want the 3 of the other", n)
		}
		synctest.Wait()
		if l.held != 0 {
			t.Errorf("%d bytes are held after the last answer", l.held)
		}
	})
}

func TestMoreThanCanBeHeldIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, redis := stuck(t)
		large := parcelFor(t.Context(), 1)
		large.size = maxHeld - l.held
		hand(t, l, redis, large)
		refused := l.send(redis, parcelFor(t.Context(), 1))
		if !errors.Is(refused, errOverwhelmed) {
			t.Fatalf("one more is told %v; want %v", refused, errOverwhelmed)
		}
		var p pulse
		p.note(refused, true)
		if _, err := p.admit(); err != nil {
			t.Errorf("that a node has too much to do is taken for silence: %v", err)
		}
		close(redis.answer)
		large.await()
		synctest.Wait()
		hand(t, l, redis, parcelFor(t.Context(), 1))
	})
}

func TestNothingIsSentAfterClose(t *testing.T) {
	b := &Bus{}
	b.ctx, b.cancel = context.WithCancel(t.Context())
	b.Close()
	l := &pipeline{bus: b}
	if err := l.send(nil, parcelFor(t.Context(), 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a closed bus takes a parcel: %v", err)
	}
}
