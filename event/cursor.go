package event

import (
	"crypto/sha256"
	"encoding/base64"
)

// ChannelHash stands for a channel's name in a cursor over several channels.
// Two names of one client's stream would have to collide in 48 bits to be
// confused, and then the tags of their positions still differ.
type ChannelHash [8]byte

// HashChannel makes the hash of a name: 48 bits of SHA-256 in URL-safe base64.
func HashChannel(name string) ChannelHash {
	sum := sha256.Sum256([]byte(name))
	var h ChannelHash
	base64.RawURLEncoding.Encode(h[:], sum[:6])
	return h
}

// AppendCursorEntry adds one channel's position to the text of a cursor over
// several channels: "HASH.POSITION", joined by "~". (The cursor of a stream
// over one channel is that channel's position and nothing else.)
func AppendCursorEntry(b []byte, h ChannelHash, p Position) []byte {
	if len(b) > 0 {
		b = append(b, '~')
	}
	b = append(b, h[:]...)
	b = append(b, '.')
	return p.Append(b)
}
