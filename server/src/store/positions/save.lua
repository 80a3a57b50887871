-- Keeps the newer of what is there and what is brought, by (fix time, seq): T3. One call a shard, all drivers of a tick.
-- KEYS[1] hash of driver number → record; ARGV driver number, record, driver number, record, …
-- Answers the driver numbers whose record was older than what is there. The same record again is no fault.
-- A record begins with two big-endian doubles: fix time and seq.
local numbers = {}
for i = 1, #ARGV, 2 do
  numbers[#numbers + 1] = ARGV[i]
end
local held = redis.call('HMGET', KEYS[1], unpack(numbers))
local older, newer = {}, {}
for i = 1, #numbers do
  local brought = ARGV[i * 2]
  local there = held[i]
  local t, s = struct.unpack('>dd', brought)
  local ht, hs = -1, -1
  if there and #there >= 16 then
    ht, hs = struct.unpack('>dd', there)
  end
  if t > ht or (t == ht and s >= hs) then
    newer[#newer + 1] = numbers[i]
    newer[#newer + 1] = brought
  else
    older[#older + 1] = tonumber(numbers[i])
  end
end
if #newer > 0 then
  redis.call('HSET', KEYS[1], unpack(newer))
end
return older
