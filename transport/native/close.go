package native

import "relay/event"

// Close codes of a native WebSocket. What a client should do: come back at
// once or when told (1001, 4408), later (4429, 4503), with a fresh token
// (4401), or not at all (1000, 1009, 4400, 4403). The ranges are RFC 6455's,
// section 7.4.2.
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseTooBig      = 1009
	CloseBadFrame    = 4400
	CloseToken       = 4401
	CloseForbidden   = 4403
	CloseSlow        = 4408
	CloseTooMany     = 4429
	CloseUnavailable = 4503
)

// CloseCode is the code by which a reason is told.
func CloseCode(reason event.Reason) int {
	switch reason {
	case event.ReasonDraining, event.ReasonMaxAge:
		return CloseGoingAway
	case event.ReasonTooBig:
		return CloseTooBig
	case event.ReasonBadFrame:
		return CloseBadFrame
	case event.ReasonTokenMissing, event.ReasonTokenInvalid, event.ReasonTokenExpired:
		return CloseToken
	case event.ReasonForbidden, event.ReasonDisconnected:
		return CloseForbidden
	case event.ReasonSlow:
		return CloseSlow
	case event.ReasonTooMany:
		return CloseTooMany
	case event.ReasonUnavailable:
		return CloseUnavailable
	}
	return CloseNormal
}

// CloseText is the reason as it stands in a close frame: the app's own words
// if there are any, else the relay's one word; at most 123 bytes (RFC 6455,
// section 5.5).
func CloseText(reason event.Reason, text string) string {
	if reason != event.ReasonDisconnected || text == "" {
		return string(reason)
	}
	return event.Cut(text, event.MaxReasonBytes)
}
