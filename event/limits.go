package event

// Limits that are part of the contract and have no setting.
const (
	// MaxChannelBytes bounds a channel name.
	MaxChannelBytes = 255
	// MaxNameBytes bounds an event name.
	MaxNameBytes = 128
	// MaxItems bounds the array of one publish request.
	MaxItems = 1000
	// MaxItemChannels bounds the channels of one item.
	MaxItemChannels = 100
	// MaxResults bounds items times channels of one request: the array of
	// 1000 would otherwise stand for 100 000 events.
	MaxResults = 10_000
	// MaxExclude bounds the connections one event excludes; they travel with it.
	MaxExclude = 100
	// MaxKeyBytes bounds an idempotency key.
	MaxKeyBytes = 255
	// MaxConnectionIDBytes bounds the text by which somebody names a connection.
	MaxConnectionIDBytes = 64
	// MaxTokenBytes bounds a client token.
	MaxTokenBytes = 8 << 10
	// MaxCursorBytes bounds a cursor.
	MaxCursorBytes = 4096
	// MaxReasonBytes bounds the text an app gives for a disconnect. A
	// WebSocket close frame carries 123 bytes of reason (RFC 6455, 5.5).
	MaxReasonBytes = 123
)
