package event

// Code names what is wrong so that a program can act on it. The list is
// closed: it stands in openapi.yaml and docs/errors.md, and a test compares.
type Code string

// Codes of the HTTP API, of refused handshakes, and of error frames.
const (
	// The request as a whole.
	CodeInvalidJSON      Code = "invalid_json"
	CodeInvalidRequest   Code = "invalid_request"
	CodeTooLarge         Code = "too_large"
	CodeUnauthorized     Code = "unauthorized"
	CodeForbidden        Code = "forbidden"
	CodeOriginForbidden  Code = "origin_forbidden"
	CodeHostForbidden    Code = "host_forbidden"
	CodeNotFound         Code = "not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeTooMany          Code = "too_many"
	CodeUnavailable      Code = "unavailable"
	CodeDraining         Code = "draining"
	CodeNotConfigured    Code = "not_configured"
	CodeInternal         Code = "internal"

	// One item of a publish request.
	CodeInvalidItem     Code = "invalid_item"
	CodeUnknownField    Code = "unknown_field"
	CodeWrongType       Code = "wrong_type"
	CodeMissingField    Code = "missing_field"
	CodeInvalidChannel  Code = "invalid_channel"
	CodeInvalidName     Code = "invalid_event_name"
	CodeDataTooLarge    Code = "data_too_large"
	CodeTooManyChannels Code = "too_many_channels"
	CodeInvalidExclude  Code = "invalid_exclude"
	CodeInvalidKey      Code = "invalid_key"
	CodeKeyReused       Code = "key_reused"

	// Client tokens.
	CodeTokenMissing Code = "token_missing"
	CodeTokenInvalid Code = "token_invalid"
	CodeTokenExpired Code = "token_expired"

	// Frames.
	CodeBadFrame          Code = "bad_frame"
	CodeAlreadySubscribed Code = "already_subscribed"
	CodeNotSubscribed     Code = "not_subscribed"
)
