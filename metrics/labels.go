package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"relay/event"
)

// The values that labels take. Each has its series from the start: a rate or
// an alert then sees the first refusal, not only the second. A test holds the
// lists against package event.
var (
	transports = []string{"ws", "sse", "poll"}

	closeReasons = []event.Reason{
		event.ReasonClientClosed,
		event.ReasonConnectionLost,
		event.ReasonPingTimeout,
		event.ReasonSlow,
		event.ReasonDraining,
		event.ReasonMaxAge,
		event.ReasonDisconnected,
		event.ReasonTokenMissing,
		event.ReasonTokenInvalid,
		event.ReasonTokenExpired,
		event.ReasonForbidden,
		event.ReasonBadFrame,
		event.ReasonTooBig,
		event.ReasonTooMany,
		event.ReasonUnavailable,
	}

	dropReasons = []event.Reason{
		event.DropMalformed,
		event.DropOverflow,
		event.DropDuplicate,
		event.DropUnaligned,
	}

	resets = []event.ResetCause{
		event.ResetTrimmed,
		event.ResetDiverged,
		event.ResetUnknown,
	}

	alignments = orReset(event.ResumeFresh, event.ResumeRecovered)
	resumes    = orReset(event.ResumeFresh, event.ResumeStart, event.ResumeRecovered)

	published = []event.Outcome{
		event.PublishTaken,
		event.PublishReused,
		event.PublishFailed,
	}

	// refusals are the codes with which doors turn clients away.
	refusals = []event.Code{
		event.CodeInvalidRequest,
		event.CodeMethodNotAllowed,
		event.CodeInvalidChannel,
		event.CodeTooManyChannels,
		event.CodeOriginForbidden,
		event.CodeHostForbidden,
		event.CodeForbidden,
		event.CodeTokenMissing,
		event.CodeTokenInvalid,
		event.CodeTokenExpired,
		event.CodeTooMany,
		event.CodeUnavailable,
		event.CodeDraining,
	}

	codes = []event.Code{
		event.CodeInvalidJSON,
		event.CodeInvalidRequest,
		event.CodeTooLarge,
		event.CodeUnauthorized,
		event.CodeForbidden,
		event.CodeOriginForbidden,
		event.CodeHostForbidden,
		event.CodeNotFound,
		event.CodeMethodNotAllowed,
		event.CodeTooMany,
		event.CodeUnavailable,
		event.CodeDraining,
		event.CodeNotConfigured,
		event.CodeInternal,
		event.CodeInvalidItem,
		event.CodeUnknownField,
		event.CodeWrongType,
		event.CodeMissingField,
		event.CodeInvalidChannel,
		event.CodeInvalidName,
		event.CodeDataTooLarge,
		event.CodeTooManyChannels,
		event.CodeInvalidExclude,
		event.CodeInvalidKey,
		event.CodeKeyReused,
		event.CodeTokenMissing,
		event.CodeTokenInvalid,
		event.CodeTokenExpired,
		event.CodeBadFrame,
		event.CodeAlreadySubscribed,
		event.CodeNotSubscribed,
	}
)

// orReset are outcomes and the causes of a reset.
func orReset(list ...event.Outcome) []event.Outcome {
	for _, cause := range resets {
		list = append(list, event.Outcome(cause))
	}
	return list
}

// other stands in a label for a value that its list lacks. It is never seen
// unless a list was forgotten.
const other = "other"

// byLabel holds something for each value of a label, looked up once: on the
// path of an event this is a look in a small map that nobody writes, not a
// hash of labels under a lock.
type byLabel[V ~string, M any] struct {
	known map[V]M
	child func(label string) M
}

func newByLabel[V ~string, M any](values []V, child func(label string) M) byLabel[V, M] {
	b := byLabel[V, M]{known: make(map[V]M, len(values)), child: child}
	for _, v := range values {
		b.known[v] = child(string(v))
	}
	return b
}

// of returns what belongs to a value.
func (b byLabel[V, M]) of(value V) M {
	if m, ok := b.known[value]; ok {
		return m
	}
	return b.child(other)
}

// observerFor makes the child function of a histogram with one label.
func observerFor(vec *prometheus.HistogramVec) func(string) prometheus.Observer {
	return func(label string) prometheus.Observer { return vec.WithLabelValues(label) }
}

// counterFor makes the child function of a vector with one label.
func counterFor(vec *prometheus.CounterVec) func(string) prometheus.Counter {
	return func(label string) prometheus.Counter { return vec.WithLabelValues(label) }
}
