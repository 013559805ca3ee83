package api

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"relay/event"
	"relay/problem"
)

// item is one event of a publish request: what to publish, in one or several channels.
type item struct {
	channels  []string
	name      string
	data      []byte // compact, and no part of the body: history keeps it
	exclude   []string
	transient bool
	key       string // its own; the header's is added later
}

const itemFields = "channel, channels, event, data, exclude, history and key"

// itemReader reads the items of a publish request.
type itemReader struct {
	*reader
	maxData int
	compact []byte // reused
}

// itemReaders are used again: what a decoder grows to would be half of all
// memory that a publish takes.
var itemReaders = sync.Pool{New: func() any { return &itemReader{reader: newReader(nil)} }}

// release gives the reader back, unless a large body has made it large.
func (r *itemReader) release() {
	if len(r.src) > DefaultMaxEventBytes {
		return
	}
	r.reset(nil)
	itemReaders.Put(r)
}

// readItems reads the body of a publish request. list says whether it was an
// array. If anything is wrong anywhere, there are no items but a problem.
func readItems(body []byte, maxData int) (items []item, list bool, p *problem.Problem) {
	r := itemReaders.Get().(*itemReader)
	defer r.release()
	r.reset(body)
	r.maxData = maxData
	switch r.kind() {
	case jsontext.KindBeginObject:
		items = []item{r.readItem()}
	case jsontext.KindBeginArray:
		list = true
		if items, p = r.readList(); p != nil {
			return nil, list, p
		}
	default:
		r.mismatch("an object or an array")
	}
	r.end()
	switch p := r.syntaxProblem(); {
	case p != nil:
		return nil, list, p
	case items == nil:
		return nil, list, invalidRequest("The body must be one event (a JSON object) or several (an array of objects).")
	case len(items) == 0:
		return nil, list, invalidRequest("The array is empty; it must hold at least one event.")
	case len(r.problems) > 0:
		return nil, list, itemsProblem(r.problems, r.unlisted)
	}
	return items, list, nil
}

func (r *itemReader) readList() ([]item, *problem.Problem) {
	items := []item{}
	r.open(jsontext.KindBeginArray, "")
	for r.more(jsontext.KindEndArray) {
		if len(items) == event.MaxItems {
			return nil, invalidRequest(fmt.Sprintf("The array holds more than %d events; nothing was published. Send several requests.", event.MaxItems))
		}
		r.item = len(items)
		items = append(items, r.readItem())
	}
	return items, nil
}

func (r *itemReader) readItem() (it item) {
	if !r.open(jsontext.KindBeginObject, "an object") {
		return it
	}
	var one, many, name, data bool
	for r.more(jsontext.KindEndObject) {
		switch member := r.member(); string(member) {
		case "channel":
			one = true
			it.channels = r.channel(it.channels)
		case "channels":
			many = true
			it.channels = r.channels(it.channels)
		case "event":
			name = true
			it.name = r.eventName()
		case "data":
			data = true
			it.data = r.data()
		case "exclude":
			it.exclude = r.exclude()
		case "history":
			keep, ok := r.boolean()
			it.transient = ok && !keep
		case "key":
			it.key = r.key()
		default:
			r.unknown(member, itemFields)
		}
	}
	switch {
	case one && many:
		r.note(event.CodeInvalidChannel, `An event has either "channel" or "channels", not both.`)
	case !one && !many:
		r.note(event.CodeMissingField, `"channel" is missing: say where to publish (or "channels", for several).`)
	}
	if !name {
		r.note(event.CodeMissingField, `"event" is missing: give the event a name, such as "order.paid".`)
	}
	if !data {
		// Not taken for null: a name mistyped would publish nothing and answer 200.
		r.note(event.CodeMissingField, `"data" is missing: any JSON value will do; say null if there is none.`)
	}
	return it
}

// channel adds the channel that is read to names.
func (r *itemReader) channel(names []string) []string {
	name, ok := r.text()
	if !ok {
		return names
	}
	if err := event.CheckChannel(name); err != nil {
		r.note(event.CodeInvalidChannel, sentence(err))
		return names
	}
	if slices.Contains(names, name) {
		r.note(event.CodeInvalidChannel, fmt.Sprintf("Channel %q is named twice; name it once.", clip(name)))
		return names
	}
	return append(names, name)
}

func (r *itemReader) channels(names []string) []string {
	if !r.open(jsontext.KindBeginArray, "a list of channel names") {
		return names
	}
	n := 0
	for r.more(jsontext.KindEndArray) {
		if n++; n > event.MaxItemChannels {
			r.value()
			continue
		}
		names = r.channel(names)
	}
	switch {
	case n == 0:
		r.note(event.CodeInvalidChannel, "The list of channels is empty; name at least one.")
	case n > event.MaxItemChannels:
		r.note(event.CodeTooManyChannels, fmt.Sprintf("One event goes to at most %d channels; these are %d. Send several events.", event.MaxItemChannels, n))
	}
	return names
}

func (r *itemReader) eventName() string {
	name, ok := r.text()
	if !ok {
		return ""
	}
	if err := event.CheckName(name); err != nil {
		r.note(event.CodeInvalidName, sentence(err))
	}
	return name
}

func (r *itemReader) data() []byte {
	value := r.value()
	if r.syntax != nil {
		return nil
	}
	r.compact = event.AppendCompact(r.compact[:0], value)
	if len(r.compact) > r.maxData {
		r.note(event.CodeDataTooLarge, fmt.Sprintf("The data has %d bytes as compact JSON, and at most %d are allowed. "+
			"Send less, such as a reference to fetch the rest by, or raise RELAY_MAX_EVENT_BYTES.", len(r.compact), r.maxData))
		return nil
	}
	return bytes.Clone(r.compact)
}

func (r *itemReader) exclude() (ids []string) {
	if !r.open(jsontext.KindBeginArray, "a list of connection IDs") {
		return nil
	}
	n := 0
	for r.more(jsontext.KindEndArray) {
		if n++; n > event.MaxExclude {
			r.value()
			continue
		}
		id, ok := r.text()
		if !ok {
			continue
		}
		if id == "" || len(id) > event.MaxConnectionIDBytes {
			r.note(event.CodeInvalidExclude, connectionIDRule)
			continue
		}
		ids = append(ids, id)
	}
	if n > event.MaxExclude {
		r.note(event.CodeInvalidExclude, fmt.Sprintf("One event excludes at most %d connections; these are %d.", event.MaxExclude, n))
	}
	return ids
}

var connectionIDRule = fmt.Sprintf("A connection's ID has 1 to %d bytes; it is the one that the client was told in its welcome.", event.MaxConnectionIDBytes)

func (r *itemReader) key() string {
	key, ok := r.text()
	if ok && !validKey(key) {
		r.note(event.CodeInvalidKey, keyRule)
	}
	return key
}

func invalidRequest(detail string) *problem.Problem {
	return problem.New(http.StatusBadRequest, event.CodeInvalidRequest, detail)
}

// itemsProblem refuses a request for what is wrong with its items. The detail
// tells the first problem, since many callers show nothing but the detail.
func itemsProblem(items []problem.Item, unlisted int) *problem.Problem {
	detail := "Nothing was published. " + items[0].Detail
	if all := len(items) + unlisted; all > 1 {
		detail += fmt.Sprintf(" This is the first of %d problems (item %d); errors lists %d.", all, items[0].Index, len(items))
	}
	p := problem.New(http.StatusUnprocessableEntity, event.CodeInvalidItem, detail)
	p.Errors = items
	return p
}

// sentence makes an answer of an error's text.
func sentence(err error) string {
	text := err.Error()
	if c := text[0]; 'a' <= c && c <= 'z' {
		text = string(c-'a'+'A') + text[1:]
	}
	return text + "."
}
