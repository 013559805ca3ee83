package api

import (
	"fmt"
	"net/http"
	"strconv"

	"relay/bus"
	"relay/event"
	"relay/problem"
)

var keyRule = fmt.Sprintf("An idempotency key has 1 to %d printable ASCII characters.", event.MaxKeyBytes)

func validKey(key string) bool {
	if key == "" || len(key) > event.MaxKeyBytes {
		return false
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// headerKey returns the Idempotency-Key of the request, empty if it has none.
// The header is taken as it is: quotes around a key are part of it.
func headerKey(r *http.Request) (string, *problem.Problem) {
	sent := r.Header["Idempotency-Key"]
	if len(sent) == 0 {
		return "", nil
	}
	if len(sent) > 1 || !validKey(sent[0]) {
		return "", problem.New(http.StatusBadRequest, event.CodeInvalidKey,
			keyRule+" The header Idempotency-Key must stand once and hold one; nothing was published.")
	}
	return sent[0], nil
}

// keyOf returns the key under which item i is published: its own, or the
// header's, which stands for a whole list.
func keyOf(it *item, i int, list bool, header string) string {
	switch {
	case it.key != "":
		return it.key
	case header == "" || !list:
		return header
	}
	return header + "/" + strconv.Itoa(i)
}

// reused finds the items of one request whose key stands before, on the same
// channel, with another event. The bus would find them too, but only after it
// had published others.
func (b *batch) reused() (wrong []problem.Item) {
	if len(b.items) < 2 {
		return nil
	}
	type place struct{ channel, key string }
	first := make(map[place]int)
	for i := range b.publications {
		p := &b.publications[i]
		if p.Key == "" {
			continue
		}
		at := place{p.Channel, p.Key}
		j, seen := first[at]
		if !seen {
			first[at] = i
			continue
		}
		if bus.FingerprintOf(&b.publications[j]) != bus.FingerprintOf(p) {
			wrong = append(wrong, b.keyError(i, fmt.Sprintf(
				"Item %d has the same key on channel %q but is another event. Give each event a key of its own.",
				b.origin[j], clip(p.Channel))))
		}
	}
	return wrong
}

// keyError ascribes a problem with the key of publication i to its item.
func (b *batch) keyError(i int, detail string) problem.Item {
	n := b.origin[i]
	pointer := ""
	if b.list {
		pointer = "/" + strconv.Itoa(n)
	}
	if b.items[n].key != "" {
		pointer += "/key"
	}
	return problem.Item{Index: n, Pointer: pointer, Code: event.CodeKeyReused, Detail: detail}
}
