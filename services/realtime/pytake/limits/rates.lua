-- Takes events from the budget of a user: all decisions of one turn of the loop at once.
--
-- KEYS[i]  a user's budget: the time (µs) at which it would be whole again
-- ARGV[1]  µs between two events   ARGV[2]  µs of tolerance   ARGV[2 + i]  how many to take
-- Returns for each key how many were granted, and µs to wait for the next one.

local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local answers = {}
for i, key in ipairs(KEYS) do
  local whole_at = math.max(tonumber(redis.call('GET', key) or now), now)
  local granted, wanted = 0, tonumber(ARGV[2 + i])
  while granted < wanted and whole_at - tolerance <= now do
    whole_at = whole_at + interval
    granted = granted + 1
  end
  if granted > 0 then
    local keep = math.ceil((whole_at - now) / 1000)
    redis.call('SET', key, string.format('%.0f', whole_at), 'PX', math.max(keep, 1))
  end
  answers[#answers + 1] = granted
  answers[#answers + 1] = math.max(0, whole_at - tolerance - now)
end
return answers
