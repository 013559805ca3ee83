-- Publishes events of one channel or of several, in order. See bundle.go for
-- the arguments and the answer.
--
-- Channels have nothing to do with each other: what fails for one is answered
-- for that one. Scripts do not roll back, so of one channel all that can fail
-- comes before its first write: whether this user may announce, and every
-- key's look-up (wrong type). Then history, whose first XADD Redis may still
-- refuse (out of memory, wrong type), then what depends on it, and the
-- announcement last. If the script were cut off in the middle, the head would
-- be behind the stream: an XADD in the same millisecond is refused for its ID
-- and begins a new history, a later one breaks the chain of tags, and either
-- way readers notice.
local publish, freshTag = ARGV[1], ARGV[2]
local size, ttl, positionTTL, keyTTL = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local call, format = redis.call, string.format

local time = call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)

-- A busy channel would renew with every event what lives for minutes, and look
-- for events that are too old and find none. Both are done when the time since
-- the last event has passed from one slice of the TTL to another, and what is
-- renewed lives for a slice more.
local slice = math.max(1, ttl / 64)
local now, late = math.floor(clock / slice), clock + math.ceil(slice)

-- Who may announce what has no name may announce anything.
local anywhere = redis.acl_check_cmd(publish, '', '')

-- The channel at hand, and where it stands. Read at the first event that
-- history keeps.
local stream, head
local ms, offset, tag, renew

local replies, answered = {}, 0
local messages, used, store = {}, {}, {}

local function newHistory()
	call('UNLINK', stream)
	ms, offset, tag, renew = clock, 0, freshTag, true
end

local function readHead()
	local h = call('GET', head)
	local a, b, c
	if h then
		a, b, c = string.match(h, '^(%d+)%-(%d+)%-(%w%w%w%w%w%w)$')
	end
	if not a then
		return newHistory()
	end
	ms, offset, tag = tonumber(a), tonumber(b), c
	renew = math.floor(ms / slice) ~= now
	ms = math.max(clock, ms)
end

local function add(id, entry)
	if not renew then
		-- A stream that was deleted, or evicted, has no TTL when it is made again.
		local added = redis.pcall('XADD', stream, 'NOMKSTREAM', 'MAXLEN', '~', size, id, 'e', entry)
		if added then
			return added
		end
		renew = true
	end
	return redis.pcall('XADD', stream, 'MAXLEN', '~', size, id, 'e', entry)
end

-- Appends an event to history and returns the message that announces it.
local function append(newTag, json)
	local id = format('%d-%d', ms, offset + 1)
	local entry = newTag .. ' ' .. tag .. ' ' .. json
	local added = add(id, entry)
	if added.err and string.find(added.err, 'equal or smaller', 1, true) then
		-- The stream knows of events that the head does not.
		newHistory()
		id, entry = format('%d-1', ms), newTag .. ' ' .. tag .. ' ' .. json
		added = add(id, entry)
	end
	if added.err then
		error(added)
	end
	offset, tag = offset + 1, newTag
	return id .. '-' .. entry
end

-- Publishes the channel's events. They have two arguments each, from first to
-- last, and those with an idempotency key one of the keys from key on.
local function publishChannel(first, last, key, keysEnd)
	if not (anywhere or redis.acl_check_cmd(publish, stream, '')) then
		error(redis.error_reply('NOPERM this user may not ' .. publish .. ' to ' .. stream))
	end
	for k = key, keysEnd - 1 do
		used[KEYS[k]] = call('GET', KEYS[k])
	end
	ms = nil
	local item, stored = 0, 0
	for i = first, last, 2 do
		local label, json = ARGV[i], ARGV[i + 1]
		local newTag, print, known = label, nil, nil
		item = item + 1
		if #label > 6 then
			newTag, print = string.match(label, '^(%w*) (.*)$')
			known = used[KEYS[key]]
		end
		if known then
			local knownPrint, position = string.match(known, '^(%S+) (%S*)$')
			replies[answered + item] = knownPrint == print and '=' .. position or '!'
			messages[item] = false
		else
			messages[item] = json
			replies[answered + item] = false
			if newTag ~= '' then
				if not ms then
					readHead()
				end
				messages[item] = append(newTag, json)
				replies[answered + item] = offset
			end
			if print then
				stored = stored + 1
				store[stored] = KEYS[key]
				used[KEYS[key]] = print .. ' ' .. (newTag ~= '' and format('%d-%d-', ms, offset) .. tag or '')
			end
		end
		if print then
			key = key + 1
		end
	end
	if ms then
		local position = format('%d-%d-', ms, offset) .. tag
		if renew then
			call('XTRIM', stream, 'MINID', '~', format('%d', math.max(0, clock - ttl)))
			call('PEXPIREAT', stream, format('%d', late + ttl))
			call('SET', head, position, 'PXAT', format('%d', late + positionTTL))
		else
			call('SET', head, position, 'KEEPTTL')
		end
	end
	for i = 1, stored do
		call('SET', store[i], used[store[i]], 'PX', keyTTL)
	end
	for i = 1, item do
		if messages[i] then
			local receivers = call(publish, stream, messages[i])
			replies[answered + i] = replies[answered + i] or receivers
		end
	end
	replies[answered] = ms or 0
end

local nextKey, a, all = 1, 7, #ARGV
while a <= all do
	local events, keys = ARGV[a], ARGV[a + 1]
	local first, last = a + 2, a + 1 + 2 * events
	stream, head = KEYS[nextKey], KEYS[nextKey + 1]
	nextKey = nextKey + 2
	answered = answered + 1
	local done, err = pcall(publishChannel, first, last, nextKey, nextKey + keys)
	if done then
		answered = answered + events
	else
		for i = answered + 1, answered + events do
			replies[i] = nil
		end
		replies[answered] = type(err) == 'table' and err or redis.error_reply('ERR ' .. tostring(err))
	end
	nextKey, a = nextKey + keys, last + 1
end
return replies
