package chaos

import "encoding/json"

// Pub/sub promises less than the relays do: in a Cluster that moves a slot an
// announcement is lost while every connection looks well, and what was heard
// may be heard again. One server over TCP never does either, so the breaker
// does it, with scripts that know the contract of what stands in Redis: the
// stream, the head, and the announcement on the stream's name.

// appendSilently publishes an event that nobody hears. It answers the event's
// id, or nothing if the channel has no head.
const appendSilently = `
local h = redis.call('GET', KEYS[2])
if not h then return '' end
local ms, offset, tag = string.match(h, '^(%d+)%-(%d+)%-(%w+)$')
local t = redis.call('TIME')
local at = string.format('%.0f', math.max(tonumber(ms), t[1] * 1000 + math.floor(t[2] / 1000)))
local id = at .. '-' .. string.format('%.0f', offset + 1)
redis.call('XADD', KEYS[1], id, 'e', ARGV[1] .. ' ' .. tag .. ' ' .. ARGV[2])
redis.call('SET', KEYS[2], id .. '-' .. ARGV[1], 'KEEPTTL')
return id .. '-' .. ARGV[1]`

// replaceNewest puts another event in the place of the newest, as a failover
// does that loses an acknowledged event and takes one that nobody heard. Only
// the tags tell the two histories apart. It answers the new event's id.
const replaceNewest = `
local list = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 2)
if #list < 2 then return '' end
local tag = string.match(list[2][2][2], '^(%w+) ')
local offset = string.match(list[1][1], '%-(%d+)$')
redis.call('XDEL', KEYS[1], list[1][1])
local t = redis.call('TIME')
local ms = math.max(tonumber(string.match(list[1][1], '^%d+')) + 1, t[1] * 1000 + math.floor(t[2] / 1000))
local id = string.format('%.0f', ms) .. '-' .. offset
redis.call('XADD', KEYS[1], id, 'e', ARGV[1] .. ' ' .. tag .. ' ' .. ARGV[2])
redis.call('SET', KEYS[2], id .. '-' .. ARGV[1], 'KEEPTTL')
return id .. '-' .. ARGV[1]`

// announceAgain repeats the announcement of the newest events.
const announceAgain = `
local list = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 3)
for i = #list, 1, -1 do
	local tag, rest = string.match(list[i][2][2], '^(%w+) (.*)$')
	redis.call(ARGV[1], KEYS[1], list[i][1] .. '-' .. tag .. ' ' .. rest)
end
return #list`

// publishUnheard publishes an event whose announcement is lost.
func (r *run) publishUnheard(channel, tag, script string) {
	number := r.truth.next(channel, "")
	text, err := json.Marshal(map[string]any{"event": "beat", "data": data{Number: number}})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	server := r.store.serving(channel)
	if server == nil {
		return
	}
	// No answer is as for a publisher that gets none.
	reply := try(server, "EVAL", script, "2", "relay:"+channel, "{relay:"+channel+"}h", tag, string(text))
	if id, err := parsePosition(reply); err == nil {
		r.truth.ack(channel, id, number)
	}
}

// repeatAnnouncements lets relays hear again what they heard.
func (r *run) repeatAnnouncements(channel string) {
	if server := r.store.serving(channel); server != nil {
		try(server, "EVAL", announceAgain, "1", "relay:"+channel, r.store.announces())
	}
}
