package bench

// Progress is how far a test is.
type Progress struct {
	// Done is from 0 to 1.
	Done float64
	// Text says what is being done.
	Text string
}

// progress counts runs of unequal length as if they were equal; nobody minds.
type progress struct {
	tell        func(Progress)
	done, total float64
	text        string
}

func newProgress(tell func(Progress), plans []planned) *progress {
	p := &progress{tell: tell}
	for _, plan := range plans {
		p.total += float64(plan.options.Runs * plan.scenario.cases * plan.options.targets())
	}
	return p
}

// targets is how many things are measured in turn.
func (o *Options) targets() int {
	if o.hasFloor() || o.hasTwin() {
		return 2
	}
	return 1
}

// at says how far the run under way is, from 0 to 1.
func (p *progress) at(fraction float64) {
	if p.tell != nil {
		p.tell(Progress{min((p.done+min(fraction, 1))/p.total, 1), p.text})
	}
}

func (p *progress) begin(text string) {
	p.text = text
	p.at(0)
}

func (p *progress) end() { p.done++ }
