package hub

// subscriptions is a list from which any of its members can be taken out at
// once: each knows its place. The order means nothing. Owned by the worker of
// its topic.
type subscriptions struct{ list []*subscription }

func (l *subscriptions) empty() bool { return len(l.list) == 0 }

func (l *subscriptions) add(s *subscription) {
	s.in, s.place = l, len(l.list)
	l.list = append(l.list, s)
}

// remove takes s out, moving the last one to its place.
func (l *subscriptions) remove(s *subscription) {
	end := len(l.list) - 1
	moved := l.list[end]
	l.list[s.place], moved.place = moved, s.place
	l.list[end] = nil
	l.list = l.list[:end]
	s.in = nil
}

// takeAll empties the list.
func (l *subscriptions) takeAll() []*subscription {
	list := l.list
	l.list = nil
	for _, s := range list {
		s.in = nil
	}
	return list
}
