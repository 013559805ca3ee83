package redisbus

import (
	"strings"

	"github.com/redis/rueidis"
)

// refusesAll knows the errors of a server that executes no writes at the
// moment, whatever they are about.
func refusesAll(err *rueidis.RedisError) bool {
	return begins(err, "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN")
}

// notExecuted knows the errors by which a server refuses a command for the
// moment, so that it may be sent again.
func notExecuted(err *rueidis.RedisError) bool {
	return refusesAll(err) || elsewhere(err)
}

// elsewhere knows the errors by which a node says that it does not serve a
// slot, now or any more.
func elsewhere(err *rueidis.RedisError) bool {
	return begins(err, "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")
}

// forbidden knows the error of a user who lacks a permission.
func forbidden(err *rueidis.RedisError) bool { return begins(err, "NOPERM") }

func begins(err *rueidis.RedisError, prefixes ...string) bool {
	text := err.Error()
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}
