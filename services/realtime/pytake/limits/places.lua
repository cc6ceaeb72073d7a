-- Seats one connection of a user under the cap, in one step.
--
-- KEYS[1]  the user's places: hash of connection id -> "pod opened entered"
-- ARGV[1]  the connection          ARGV[2]  its pod
-- ARGV[3]  the cap                 ARGV[4]  the connection it takes the place of, or ""
-- ARGV[5]  seconds to keep the key
-- ARGV[6]  how many milliseconds ago the connection was opened; 0: now, and it stays
-- ARGV[7…] living pods and the age of their heartbeat: pod, milliseconds, pod …
-- Returns {connection, pod, connection, pod … that must go}, {pods of those that stay}.
--
-- `opened` is in microseconds of Redis's clock, `entered` in milliseconds. The age decides,
-- not the order of arrival: who is entered again after his place was lost is no newcomer.
-- In a rollout, pods of the version before enter a small counter for `opened`: older than
-- any time, and among themselves in the order in which they came. The key `#` is theirs.
--
-- The heartbeats were read up to 2 s ago, so that a pod is gone at 13 s if it shall be at 15.
-- A pod that nobody named may have started just now: its places count while they are fresh.
-- Places are entered again every 10 s; one that was not for half a minute is a ghost.

local GONE_MS, LATE_MS, FRESH_MS, GHOST_MS = 13000, 5000, 15000, 35000
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(now_us / 1000)
local key, new, pod, cap = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local opened_ago = tonumber(ARGV[6])
local age = {}
for i = 7, #ARGV, 2 do age[ARGV[i]] = tonumber(ARGV[i + 1]) end
age[pod] = 0

local must_go, seats = {}, {}
local stored = redis.call('HGETALL', key)
for i = 1, #stored, 2 do
  local id = stored[i]
  if id ~= '#' then
    local its_pod, since, at = string.match(stored[i + 1], '^(%S+) (%d+) (%d+)$')
    local its_age = age[its_pod]
    local entered = now - tonumber(at)
    if id == ARGV[4] and id ~= new then
      redis.call('HDEL', key, id)
      must_go[#must_go + 1] = id
      must_go[#must_go + 1] = its_pod
    elseif entered > GHOST_MS or (its_age or entered - FRESH_MS + GONE_MS) > GONE_MS then
      redis.call('HDEL', key, id)
    elseif id ~= new then
      seats[#seats + 1] = {id = id, pod = its_pod, since = tonumber(since), late = (its_age or 0) > LATE_MS}
    end
  end
end

local opened = now_us - opened_ago * 1000
redis.call('HSET', key, new, string.format('%s %.0f %.0f', pod, opened, now))
redis.call('EXPIRE', key, ARGV[5])
local too_many = #seats + 1 - cap
if opened_ago > 0 then
  seats[#seats + 1] = {id = new, pod = pod, since = opened, late = false}
end

table.sort(seats, function(a, b)
  if a.late ~= b.late then return a.late end
  return a.since < b.since
end)
local stay = {}
for i, seat in ipairs(seats) do
  if i <= too_many then
    redis.call('HDEL', key, seat.id)
    must_go[#must_go + 1] = seat.id
    must_go[#must_go + 1] = seat.pod
  else
    stay[#stay + 1] = seat.pod
  end
end
return {must_go, stay}
