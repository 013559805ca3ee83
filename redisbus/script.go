package redisbus

import (
	"crypto/sha1" // Redis names scripts by their SHA-1; nothing is secured by it
	"encoding/hex"
	"strconv"

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

// call is the command's name and the script as it goes out.
func (s script) call(full bool) (name, what string) {
	if full {
		return "EVAL", s.text
	}
	return "EVALSHA", s.hash
}

func (s script) command(client rueidis.Client, full bool, keys, args []string) rueidis.Completed {
	name, what := s.call(full)
	return client.B().Arbitrary(name, what, strconv.Itoa(len(keys))).Keys(keys...).Args(args...).Build()
}
