package load

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"sync"
)

// The data of an event is an object with one string of fixed width and a
// filling: {"b":"LANE NUMBER TIME","p":"words"}. Fixed widths can be read
// without a JSON decoder, which would cost more than the relay does.
const (
	laneDigits   = 4
	numberDigits = 12
	timeDigits   = 19
	stampBytes   = laneDigits + 1 + numberDigits + 1 + timeDigits

	dataHead    = `{"b":"`
	dataFilling = `","p":"`
	dataTail    = `"}`
	// MinData is the size of the smallest data.
	MinData = len(dataHead) + stampBytes + len(dataFilling) + len(dataTail)
)

// EventName is the name of the load tester's events.
const EventName = "bench"

// stamp is what an event says about itself.
type stamp struct {
	lane   int
	number uint64
	sent   int64
}

// appendEvent appends an event as POST /v1/events takes it, with data of size
// bytes.
func appendEvent(b []byte, channel string, s stamp, size int) []byte {
	b = append(b, `{"channel":`...)
	b = strconv.AppendQuote(b, channel) // names made by the load tester need no escape
	b = append(b, `,"event":"`+EventName+`","data":`+dataHead...)
	b = appendDigits(b, uint64(s.lane), laneDigits)
	b = append(b, ' ')
	b = appendDigits(b, s.number, numberDigits)
	b = append(b, ' ')
	b = appendDigits(b, uint64(s.sent), timeDigits)
	b = append(b, dataFilling...)
	b = appendFilling(b, s.number, max(size-MinData, 0))
	return append(b, dataTail+"}"...)
}

// appendFilling appends n bytes of words, another piece for each number, which
// shrink when compressed, as people's data does: an event of 1 KB to two thirds.
func appendFilling(b []byte, number uint64, n int) []byte {
	all := words()
	for at := int(number * 97 % uint64(len(all))); n > 0; at = 0 {
		piece := all[at:min(len(all), at+n)]
		b = append(b, piece...)
		n -= len(piece)
	}
	return b
}

// words are made once, and only if something is published.
var words = sync.OnceValue(func() []byte {
	dice := rand.New(rand.NewPCG(1, 2)) // the same for all runs
	vocabulary := make([][]byte, 400)
	for i := range vocabulary {
		for range 2 + dice.IntN(8) {
			vocabulary[i] = append(vocabulary[i], byte('a'+dice.IntN(26)))
		}
		vocabulary[i] = append(vocabulary[i], ' ')
	}
	var b []byte
	for len(b) < 64<<10 {
		b = append(b, vocabulary[dice.IntN(len(vocabulary))]...)
	}
	return b
})

func appendDigits(b []byte, n uint64, width int) []byte {
	at := len(b) + width
	for range width {
		b = append(b, '0')
	}
	for i := at - 1; n > 0 && i >= at-width; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

var dataMark = []byte(`"data":` + dataHead)

// readStamp finds the stamp in an event frame.
func readStamp(frame []byte) (s stamp, ok bool) {
	at := bytes.Index(frame, dataMark)
	if at < 0 || len(frame) < at+len(dataMark)+stampBytes {
		return s, false
	}
	b := frame[at+len(dataMark):]
	lane, ok1 := readDigits(b[:laneDigits])
	b = b[laneDigits+1:]
	number, ok2 := readDigits(b[:numberDigits])
	b = b[numberDigits+1:]
	sent, ok3 := readDigits(b[:timeDigits])
	return stamp{int(lane), number, int64(sent)}, ok1 && ok2 && ok3
}

func readDigits(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}
