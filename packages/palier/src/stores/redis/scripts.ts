import { createHash } from 'node:crypto'

/** A script of fixed text; the server knows it by its hash after it has seen it once. */
export interface Script {
  readonly text: string
  readonly sha: string
}

const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })

/*
 * Every key is declared and all keys of a call but those of `get` belong to one cluster slot. `pcall` where a value is
 * read: a foreign type under one of our names is an absent record, not an error for the whole batch. The value
 * goes first, because a server out of memory refuses nothing to a script that has already written; the lease goes
 * whether or not the value was taken, so that a refused `set` still voids it.
 */
const GET = `
local out = {}
for i = 1, #KEYS do
  local value = redis.pcall('GET', KEYS[i])
  if type(value) == 'string' then
    out[2 * i - 1] = value
    out[2 * i] = redis.call('PTTL', KEYS[i])
  else
    out[2 * i - 1] = false
    out[2 * i] = 0
  end
end
return out`

/** The same for one key, without the loop: what a lone read costs is felt. */
const GET_ONE = `
local value = redis.pcall('GET', KEYS[1])
if type(value) ~= 'string' then return false end
return {value, redis.call('PTTL', KEYS[1])}`

/** KEYS: value, lease. ARGV: token, ttl, '1' to steal, head seen or '', where the head starts and ends. */
const CLAIM = `
local value = redis.pcall('GET', KEYS[1])
local left = 0
if type(value) == 'string' then left = redis.call('PTTL', KEYS[1]) else value = false end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
  return {value, left, 1}
end
if value and left > 0 and (ARGV[4] == '' or string.sub(value, ARGV[5] + 1, ARGV[6]) ~= ARGV[4]) then
  return {value, left, 0}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {value, left, 1} end
return {value, left, 0}`

/** KEYS: value, lease. ARGV: token, record, ttl. */
const COMMIT = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local done = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
if done.err then return done end
return 1`

/**
 * KEYS: value, lease. ARGV: record, ttl, the last moment in which it may happen or 0. Gives the server's time, negative when it
 * was too late.
 */
const SET = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local latest = tonumber(ARGV[3])
if latest > 0 and now > latest then return -now end
local done = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
if done.err then return done end
return now`

/** KEYS: lease. ARGV: token, ttl. */
const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

/** KEYS: lease. ARGV: token. */
const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

/** KEYS: a key that only chooses the node. ARGV: channel, message. One node per channel keeps a sender's order. */
const PUBLISH = `return redis.call('PUBLISH', ARGV[1], ARGV[2])`

export interface Scripts {
  readonly get: Script
  readonly getOne: Script
  readonly claim: Script
  readonly commit: Script
  readonly set: Script
  readonly renew: Script
  readonly release: Script
  readonly publish: Script
}

export function createScripts(): Scripts {
  return {
    get: script(GET),
    getOne: script(GET_ONE),
    claim: script(CLAIM),
    commit: script(COMMIT),
    set: script(SET),
    renew: script(RENEW),
    release: script(RELEASE),
    publish: script(PUBLISH),
  }
}
