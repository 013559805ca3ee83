package bus

import (
	"crypto/sha256"
	"encoding/binary"
)

// Fingerprint tells whether an idempotency key came with the same event again.
type Fingerprint [16]byte

// FingerprintOf digests all of a publication that its subscribers would see.
// Each part is preceded by its length, so that no two publications share one text.
func FingerprintOf(p *Publication) Fingerprint {
	h := sha256.New()
	var n [8]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part([]byte(p.Channel))
	part([]byte(p.Name))
	part(p.Data)
	kind := "kept"
	if p.Transient {
		kind = "transient"
	}
	part([]byte(kind))
	for _, id := range p.Exclude {
		part([]byte(id))
	}
	return Fingerprint(h.Sum(nil)[:16])
}
