import { createHash } from 'node:crypto'
import type { Limits, Locks } from '../../guard.ts'
import { LONGEST_PENALTY } from '../../sliding.ts'
import type { Commands } from './commands.ts'
import { encodeKey, valueName } from './keys.ts'
import { listOf } from './reader.ts'
import type { Script } from './scripts.ts'

/*
 * Locks and limits on the server, by its clock alone. For a name ENC (see keys.ts) there are, all in one slot:
 *
 *   palier:{ENC}:k   the owner of the lock; gone when it ended
 *   palier:{ENC}:f   the fence granted last; kept for a month after it
 *   palier:{ENC}:r   a limit: start of the window in milliseconds, taken in it, taken in the one before
 *   palier:{ENC}:n   a count: start of the window in milliseconds, its end, counted in it
 *
 * Each call is one script, and no value is ever written without its expiry in the same command. A `false` from a script
 * is a null reply. Nothing is sent twice by us, but for a script the server did not know.
 */
const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })

/** How long the last fence of a name is remembered: a server's clock does not go back by more than that. */
const FENCE_KEPT = 30 * 86_400_000

/**
 * KEYS: lock, fence. ARGV: owner, ttl, how long to keep the fence. The clock in microseconds is below 2^53 until the
 * year 2255; it makes fences grow where the last one was lost, by a failover or by eviction.
 */
const ACQUIRE = `
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
local last = redis.pcall('GET', KEYS[2])
if type(last) == 'string' then last = tonumber(last) else last = nil end
local time = redis.call('TIME')
local fence = string.format('%.0f', math.max((last or 0) + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], fence, 'PX', ARGV[3])
return fence`

/** KEYS: lock. ARGV: owner, ttl. */
const RENEW = `
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

/** KEYS: lock. ARGV: owner. */
const RELEASE = `
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`

/**
 * KEYS: counters. ARGV: limit, window, cost. The same steps as `slide` in sliding.ts, where they are explained; what
 * cannot be read counts as nothing taken. Numbers leave as texts: Lua would shorten long ones.
 */
const TAKE = `
local limit, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local start, current, previous = now, 0, 0
local back = false
local kept = redis.pcall('GET', KEYS[1])
if type(kept) == 'string' then
  local a, b, c = string.match(kept, '^(%d+) (%d+) (%d+)$')
  if a then
    a, b, c = tonumber(a), tonumber(b), tonumber(c)
    if a > now then
      back, current, previous = true, b, c
    elseif now - a < window then
      start, current, previous = a, b, c
    elseif now - a < 2 * window then
      start, previous = a + window, b
    end
  end
end
local left = window - (now - start)
local used = current + math.ceil(previous * left / window)
local allowed = used + cost <= limit
local taken = current
if allowed then taken = current + cost end
if (allowed and cost > 0) or back then
  local text = string.format('%.0f %.0f %.0f', start, taken, previous)
  redis.call('SET', KEYS[1], text, 'PX', string.format('%.0f', 2 * window - (now - start)))
end
local remaining = limit - used
if allowed then remaining = remaining - cost end
local reset = 0
if taken > 0 then reset = left + window elseif previous > 0 then reset = left end
local function lighter(sum, room)
  if sum <= room then return 0 end
  return window - math.floor(room * window / sum)
end
local retry = 0
if not allowed then
  local room = limit - cost - current
  if cost > limit then retry = window
  elseif room >= 0 then retry = lighter(previous, room) - (window - left)
  else retry = left + lighter(current, limit - cost) end
end
local function whole(number) return string.format('%.0f', number) end
return {allowed and 1 or 0, whole(math.max(0, remaining)), whole(reset), whole(retry)}`

/**
 * KEYS: count. ARGV: window, cost, the number and the growth of a penalty (a growth of 0: none), its longest window. The
 * same steps as `tally` in sliding.ts; what cannot be read counts as nothing counted.
 */
const COUNT = `
local window, cost, above, growth = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local start, ends, count = now, now + window, 0
local known, back = false, false
local kept = redis.pcall('GET', KEYS[1])
if type(kept) == 'string' then
  local a, b, c = string.match(kept, '^(%d+) (%d+) (%d+)$')
  if a then
    a, b, c = tonumber(a), tonumber(b), tonumber(c)
    if now < b then
      known, back = true, a > now
      start, ends, count = a, b, c
      if back then start, ends = now, now + b - a end
    end
  end
end
if not known and cost <= 0 then return {'0', '0'} end
count = math.min(${Number.MAX_SAFE_INTEGER}, math.max(0, count + cost))
if growth > 0 and cost > 0 and count > above then
  start, ends = now, now + math.min(tonumber(ARGV[5]), window * growth ^ (count - above - 1))
end
local function whole(number) return string.format('%.0f', number) end
if cost ~= 0 or back then
  redis.call('SET', KEYS[1], whole(start) .. ' ' .. whole(ends) .. ' ' .. whole(count), 'PX', whole(ends - now))
end
return {whole(count), whole(ends - now)}`

const WRITE = { write: true }

/**
 * `renew` and `release` succeed for the owner alone. Mutual exclusion does not outlive a failover that lost the grant,
 * nor a server that evicts keys of any kind (`allkeys-*`) and is short of memory: what must be exact needs the fence.
 */
export function createRedisLocks(commands: Commands): Locks {
  const acquire = script(ACQUIRE)
  const renew = script(RENEW)
  const release = script(RELEASE)
  const lockName = (name: string): string => `${valueName(encodeKey(name))}:k`
  const fenceName = (name: string): string => `${valueName(encodeKey(name))}:f`
  const done = (reply: unknown): boolean => Number(reply) === 1
  return {
    async acquire(name, owner, ttl) {
      const keys = [lockName(name), fenceName(name)]
      const fence = await commands.run(acquire, keys, [owner, String(ttl), String(FENCE_KEPT)], WRITE)
      return fence === null ? undefined : Number(String(fence))
    },
    async renew(name, owner, ttl) {
      return done(await commands.run(renew, [lockName(name)], [owner, String(ttl)], WRITE))
    },
    async release(name, owner) {
      return done(await commands.run(release, [lockName(name)], [owner], WRITE))
    },
  }
}

/** A failover that loses the counters admits at most what one more window does. */
export function createRedisLimits(commands: Commands): Limits {
  const take = script(TAKE)
  const count = script(COUNT)
  const limitName = (key: string): string => `${valueName(encodeKey(key))}:r`
  const countName = (key: string): string => `${valueName(encodeKey(key))}:n`
  return {
    async take(key, { limit, window }, cost) {
      const args = [String(limit), String(window), String(cost)]
      const reply = listOf(await commands.run(take, [limitName(key)], args, WRITE))
      const [allowed = 0, remaining = 0, resetAfter = 0, retryAfter = 0] = reply.map(each => Number(String(each)))
      return { allowed: allowed === 1, remaining, resetAfter, retryAfter }
    },
    async count(key, window, cost, penalty) {
      const { above = 0, growth = 0 } = penalty ?? {}
      const args = [window, cost, above, growth, LONGEST_PENALTY].map(String)
      const reply = listOf(await commands.run(count, [countName(key)], args, WRITE))
      const [counted = 0, resetAfter = 0] = reply.map(each => Number(String(each)))
      return { count: counted, resetAfter }
    },
    async reset(key) {
      const name = limitName(key)
      await commands.send(['UNLINK', name, countName(key)], { key: name, write: true })
    },
  }
}
