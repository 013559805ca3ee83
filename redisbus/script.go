package redisbus

import (
	"crypto/sha1" // Redis names scripts by their SHA-1; nothing is secured by it
	"encoding/hex"

	"github.com/redis/rueidis"
)

// script is sent by its hash; its text goes out only when the server says
// that it does not know the hash (a restart, SCRIPT FLUSH, a failover). The
// driver's own script type does that too, but not as part of a pipeline.
type script struct{ text, hash string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text, hex.EncodeToString(sum[:])}
}

func (s script) command(client rueidis.Client, full bool, keys, args []string) rueidis.Completed {
	if full {
		return client.B().Eval().Script(s.text).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
	}
	return client.B().Evalsha().Sha1(s.hash).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}
