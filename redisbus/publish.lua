-- Publishes events of one channel, in order. See publish.go for the arguments.
--
-- Scripts do not roll back, so all that can fail comes before the first write:
-- whether this user may announce, and every key's look-up (wrong type). Then
-- history, whose first XADD Redis may still refuse (out of memory, wrong
-- type), then what depends on it, and the announcement last. If the script
-- were cut off in the middle, the head would be behind the stream: an XADD in
-- the same millisecond is refused for its ID and begins a new history, a later
-- one breaks the chain of tags, and either way readers notice.
local stream, head = KEYS[1], KEYS[2]
local size, ttl, positionTTL, keyTTL = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local publish, freshTag = ARGV[5], ARGV[6]

if not redis.acl_check_cmd(publish, stream, '') then
	return redis.error_reply('NOPERM this user may not ' .. publish .. ' to ' .. stream)
end

-- Where the channel stands. Read once, at the first event that history keeps.
local clock, ms, offset, tag
-- When the last event before these was published.
local before

local function newHistory()
	redis.call('UNLINK', stream)
	ms, offset, tag = clock, 0, freshTag
end

local function readHead()
	local t = redis.call('TIME')
	clock = t[1] * 1000 + math.floor(t[2] / 1000)
	local h = redis.call('GET', head)
	if not h then
		return newHistory()
	end
	local a, b, c = string.match(h, '^(%d+)%-(%d+)%-(%w%w%w%w%w%w)$')
	if not a then
		return newHistory()
	end
	ms, offset, tag = tonumber(a), tonumber(b), c
	before = ms
end

local function add(newTag, json)
	local id = string.format('%d-%d', math.max(clock, ms), offset + 1)
	return id, redis.pcall('XADD', stream, 'MAXLEN', '~', size, id, 'e', newTag .. ' ' .. tag .. ' ' .. json)
end

local function append(newTag, json)
	local id, reply = add(newTag, json)
	if type(reply) == 'table' and reply.err and string.find(reply.err, 'equal or smaller', 1, true) then
		-- The stream knows of events that the head does not.
		newHistory()
		id, reply = add(newTag, json)
	end
	if type(reply) == 'table' and reply.err then
		return nil, nil, reply
	end
	local previous = tag
	ms, offset, tag = math.max(clock, ms), offset + 1, newTag
	return id .. '-' .. newTag, previous
end

local replies, messages, used, store = {}, {}, {}, {}
local item = 0
local nextKey = 3

for k = 3, #KEYS do
	used[KEYS[k]] = redis.call('GET', KEYS[k]) or nil
end

for i = 7, #ARGV, 3 do
	local newTag, print, json = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	item = item + 1
	local key, known
	if print ~= '' then
		key = KEYS[nextKey]
		nextKey = nextKey + 1
		known = used[key]
	end
	if known then
		local knownPrint, position = string.match(known, '^(%S+) (%S*)$')
		replies[item] = knownPrint == print and '=' .. position or '!'
	else
		local position = ''
		if newTag ~= '' then
			if not clock then
				readHead()
			end
			local previous, err
			position, previous, err = append(newTag, json)
			if err then
				return err
			end
			replies[item] = position
			json = position .. ' ' .. previous .. ' ' .. json
		end
		messages[item] = json
		if key then
			used[key] = print .. ' ' .. position
			store[#store + 1] = key
		end
	end
end

if clock then
	-- One part in 64 of the TTL may pass before what is older goes: a busy
	-- channel would look for it with every event and find none.
	local slice = math.max(1, ttl / 64)
	if before and math.floor(before / slice) ~= math.floor(clock / slice) then
		redis.call('XTRIM', stream, 'MINID', '~', string.format('%d', math.max(0, clock - ttl)))
	end
	redis.call('PEXPIRE', stream, ttl)
	redis.call('SET', head, string.format('%d-%d-', ms, offset) .. tag, 'PX', positionTTL)
end
for _, key in ipairs(store) do
	redis.call('SET', key, used[key], 'PX', keyTTL)
end
for i = 1, item do
	if messages[i] then
		local receivers = redis.call(publish, stream, messages[i])
		replies[i] = replies[i] or receivers
	end
end
return replies
