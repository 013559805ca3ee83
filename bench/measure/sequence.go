package measure

import "slices"

// Order counts what went wrong with numbered events.
type Order struct {
	Lost       int `json:"lost"`
	Duplicate  int `json:"duplicate"`
	OutOfOrder int `json:"out_of_order"`
}

// Add adds another's counts.
func (o *Order) Add(other Order) {
	o.Lost += other.Lost
	o.Duplicate += other.Duplicate
	o.OutOfOrder += other.OutOfOrder
}

// Sequence follows the numbers 0, 1, 2 … of one stream of events. Its zero
// value waits for 0.
type Sequence struct {
	next uint64
	// missing are the numbers below next that have not come, in order. There
	// are none unless something is wrong.
	missing []span
}

type span struct{ from, to uint64 } // to is not part of it

// See takes the number that has come, and says what was wrong with it. Only
// a stream that has ended has lost anything: see End.
func (s *Sequence) See(n uint64) Order {
	switch {
	case n == s.next:
		s.next++
		return Order{}
	case n > s.next:
		s.missing = append(s.missing, span{s.next, n})
		s.next = n + 1
		return Order{}
	case s.fill(n):
		return Order{OutOfOrder: 1}
	}
	return Order{Duplicate: 1}
}

// fill takes n out of the missing numbers, if it is one.
func (s *Sequence) fill(n uint64) bool {
	for i, m := range s.missing {
		if n < m.from || n >= m.to {
			continue
		}
		var left []span
		if m.from < n {
			left = append(left, span{m.from, n})
		}
		if n+1 < m.to {
			left = append(left, span{n + 1, m.to})
		}
		s.missing = slices.Replace(s.missing, i, i+1, left...)
		return true
	}
	return false
}

// End returns how many of the first sent numbers never came.
func (s *Sequence) End(sent uint64) Order {
	var lost uint64
	for _, m := range s.missing {
		lost += m.to - m.from
	}
	if sent > s.next {
		lost += sent - s.next
	}
	return Order{Lost: int(lost)}
}
