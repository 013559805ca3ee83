package event

// Outcome is what came of something, as metrics tell it. Where a reset can come
// of it, its cause is the outcome.
type Outcome string

// Outcomes of a publish request that was handed to the bus.
const (
	// PublishTaken: the bus has all its events.
	PublishTaken Outcome = "taken"
	// PublishReused: an idempotency key had come with another event. The bus
	// has the others.
	PublishReused Outcome = "key_reused"
	// PublishFailed: the bus did not take some, or did not say so.
	PublishFailed Outcome = "failed"
)

// Outcomes of a resume.
const (
	// ResumeFresh: live from now on, with no past to go on from.
	ResumeFresh Outcome = "fresh"
	// ResumeStart: all that history held was asked for.
	ResumeStart Outcome = "start"
	// ResumeRecovered: everything that was missed was found.
	ResumeRecovered Outcome = "recovered"
)
