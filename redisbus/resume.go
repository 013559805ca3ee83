package redisbus

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"relay/bus"
	"relay/event"
)

//go:embed resume.lua
var resumeText string

var resumeScript = newScript(resumeText)

// Resume implements bus.Bus. The script reads, bus.Decide decides.
func (b *Bus) Resume(ctx context.Context, channel string, from bus.From, limit int) (bus.Page, error) {
	client, err := b.redis()
	if err != nil {
		return bus.Page{}, err
	}
	var snapshot bus.Snapshot
	err = b.insist(ctx, channel, func() (err error) {
		snapshot, err = b.snapshot(ctx, client, channel, from, limit)
		return err
	})
	if err != nil {
		return bus.Page{}, err
	}
	return bus.Decide(snapshot, from, limit), nil
}

// snapshot reads once.
func (b *Bus) snapshot(ctx context.Context, client rueidis.Client, channel string, from bus.From, limit int) (bus.Snapshot, error) {
	keep := milliseconds(positionLife(b.options.Retention(channel)))
	keys := []string{b.stream(channel), b.head(channel)}
	args := []string{keep, event.NewTag().String(), entryFrom(from), strconv.Itoa(bus.SnapshotSize(limit))}
	reply := client.Do(ctx, resumeScript.command(client, false, keys, args))
	if redisErr, ok := rueidis.IsRedisErr(reply.Error()); ok && redisErr.IsNoScript() {
		reply = client.Do(ctx, resumeScript.command(client, true, keys, args))
	}
	err := reply.Error()
	if redisErr, ok := rueidis.IsRedisErr(err); ok && redisErr.IsTryAgain() {
		if s, ok := b.headAlone(ctx, channel, from); ok {
			return s, nil
		}
	}
	if err != nil {
		return bus.Snapshot{}, fmt.Errorf("%w: %w", bus.ErrUnavailable, err)
	}
	s, err := readSnapshot(channel, reply, &b.listener.outletOf(channel).clock)
	if err != nil {
		return bus.Snapshot{}, fmt.Errorf("history of channel %q in Redis cannot be read: %w", channel, err)
	}
	return s, nil
}

// headAlone reads where a channel stands if that is all it takes: the reader
// is not behind it, or wants no past. While a slot of a Cluster is being moved, Redis
// refuses a script with one key that is there and one that is not, be it not
// there yet or not at all, as the stream of a channel without history.
func (b *Bus) headAlone(ctx context.Context, channel string, from bus.From) (s bus.Snapshot, ok bool) {
	s.Head = b.Heads(ctx, []string{channel})[channel]
	at, given := from.Position()
	return s, !s.Head.IsZero() && !from.Start() && (!given || at.Offset >= s.Head.Offset)
}

// entryFrom is where XRANGE begins; empty if no entries are wanted.
func entryFrom(from bus.From) string {
	if p, ok := from.Position(); ok {
		return strconv.FormatInt(p.Time, 10) + "-" + strconv.FormatUint(p.Offset, 10)
	}
	if from.Start() {
		return "-"
	}
	return ""
}

func readSnapshot(channel string, reply rueidis.RedisResult, node *clock) (s bus.Snapshot, err error) {
	parts, err := reply.ToArray()
	if err != nil {
		return s, err
	}
	if len(parts) != 2 && len(parts) != 4 {
		return s, errReply
	}
	text, err := parts[0].ToString()
	if err != nil {
		return s, err
	}
	if s.Head, err = event.ParsePosition(text); err != nil {
		return s, err
	}
	created, err := parts[1].AsInt64()
	if err != nil {
		return s, err
	}
	s.Created = created == 1
	if len(parts) == 2 {
		return s, nil
	}
	if s.Entries, err = readEntries(channel, parts[2], node); err != nil {
		return s, err
	}
	s.Oldest, err = readOldest(channel, parts[3], node)
	return s, err
}

func readOldest(channel string, reply rueidis.RedisMessage, node *clock) (event.Position, error) {
	entries, err := reply.AsXRange()
	if err != nil || len(entries) == 0 {
		return event.Position{}, err
	}
	d, err := decodeEntry(channel, entries[0].ID, entries[0].FieldValues["e"], node)
	if err == nil {
		return d.Event.ID, nil
	}
	// Somebody else's entry: something is kept, but its number says nothing
	// about what came before it.
	ms, _, _ := strings.Cut(entries[0].ID, "-")
	return event.ParseEntryID(ms, "0")
}

func readEntries(channel string, reply rueidis.RedisMessage, node *clock) ([]bus.Delivery, error) {
	entries, err := reply.AsXRange()
	if err != nil {
		return nil, err
	}
	list := make([]bus.Delivery, 0, len(entries))
	for _, entry := range entries {
		// Somebody else's entry in the stream counts as missing: the chain of
		// tags is broken there, and readers are told to refetch.
		if d, err := decodeEntry(channel, entry.ID, entry.FieldValues["e"], node); err == nil {
			list = append(list, d)
		}
	}
	return list, nil
}
