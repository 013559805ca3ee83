-- Reads, in one step, where a channel stands and what follows a position.
-- See resume.go for the arguments; bus.Decide draws the conclusions.
local stream, head = KEYS[1], KEYS[2]
local positionTTL, freshTag, from, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local h = redis.call('GET', head)
if h and string.match(h, '^%d+%-%d+%-%w%w%w%w%w%w$') then
	redis.call('PEXPIRE', head, positionTTL)
else
	local t = redis.call('TIME')
	redis.call('UNLINK', stream)
	h = string.format('%.0f-0-%s', t[1] * 1000 + math.floor(t[2] / 1000), freshTag)
	redis.call('SET', head, h, 'PX', positionTTL)
	return {h, 1}
end
if from == '' then
	return {h, 0}
end
return {h, 0, redis.call('XRANGE', stream, from, '+', 'COUNT', count), redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)}
