package event

// Reason says why a connection ended or something was dropped. It is the same
// word in the log, in the metrics, and in what the client is told.
type Reason string

// Reasons for which a connection ends.
const (
	// ReasonClientClosed: the client left properly.
	ReasonClientClosed Reason = "client_closed"
	// ReasonConnectionLost: reading from or writing to the client failed.
	ReasonConnectionLost Reason = "connection_lost"
	// ReasonPingTimeout: the client did not answer a ping.
	ReasonPingTimeout Reason = "ping_timeout"
	// ReasonSlow: the client read more slowly than events came, until its
	// queue was full. It can resume.
	ReasonSlow Reason = "too_slow"
	// ReasonDraining: this relay is leaving.
	ReasonDraining Reason = "draining"
	// ReasonMaxAge: the connection is as old as one may become, and its client
	// is to look for a relay anew.
	ReasonMaxAge Reason = "max_age"
	// ReasonDisconnected: the app asked for it.
	ReasonDisconnected Reason = "disconnected"
	// ReasonTokenMissing: no token came in time.
	ReasonTokenMissing Reason = "token_missing"
	// ReasonTokenInvalid: a token came and was refused.
	ReasonTokenInvalid Reason = "token_invalid"
	// ReasonTokenExpired: the token's time is over and no fresh one came.
	ReasonTokenExpired Reason = "token_expired"
	// ReasonForbidden: the client may have nothing of what it asked for.
	ReasonForbidden Reason = "forbidden"
	// ReasonBadFrame: too many frames that could not be understood, or a query.
	ReasonBadFrame Reason = "bad_frame"
	// ReasonTooBig: a frame over the limit.
	ReasonTooBig Reason = "too_big"
	// ReasonTooMany: too many connections, or frames in too short a time.
	ReasonTooMany Reason = "too_many"
	// ReasonUnavailable: the bus could not serve a subscription in time.
	ReasonUnavailable Reason = "unavailable"
)

// Reasons for which an event, or what looked like one, is dropped.
const (
	// DropMalformed: what came from the bus is not an event.
	DropMalformed Reason = "malformed"
	// DropOverflow: a worker was too far behind; the channel heals from history.
	DropOverflow Reason = "worker_overflow"
	// DropDuplicate: the event had been applied already.
	DropDuplicate Reason = "duplicate"
	// DropUnaligned: an event without history came while its channel was being healed and did not fit the wait.
	DropUnaligned Reason = "unaligned"
)

// ResetCause says why a client has to refetch.
type ResetCause string

// The causes of a reset.
const (
	// ResetTrimmed: history no longer reaches back to the cursor.
	ResetTrimmed ResetCause = "trimmed"
	// ResetDiverged: the cursor belongs to a history that was lost (a
	// failover that lost writes, a flush, a restored backup).
	ResetDiverged ResetCause = "diverged"
	// ResetUnknown: the channel's last position is not known any more, or the
	// cursor cannot be read.
	ResetUnknown ResetCause = "unknown"
)
