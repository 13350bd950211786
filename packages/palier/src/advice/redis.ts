import { systemClock } from '../clock.ts'
import { messageOf } from '../link.ts'
import { type Commands, createCommands } from '../stores/redis/commands.ts'
import { borrowedPort } from '../stores/redis/borrowed.ts'
import type { RedisStoreOptions } from '../stores/redis/client.ts'
import { keyOfName } from '../stores/redis/keys.ts'
import { ownedPort } from '../stores/redis/owned.ts'
import type { Reply } from '../stores/redis/port.ts'
import { targetOf } from '../stores/redis/target.ts'
import type { Finding } from './finding.ts'
import { bytesText, plural } from './words.ts'

/** What a Redis server says of itself; undefined where it does not tell this user. */
export interface RedisFacts {
  readonly version: string | undefined
  readonly mode: string | undefined
  readonly role: string | undefined
  readonly usedBytes: number | undefined
  /** 0: no limit. */
  readonly maxmemory: number | undefined
  readonly policy: string | undefined
  readonly appendonly: boolean | undefined
  /** The `save` setting: empty when no snapshots are made. */
  readonly save: string | undefined
  readonly saveFailed: boolean
  /** Keys of all databases, and those of them that never expire. */
  readonly keys: number
  readonly lasting: number
  /** False: this user may not read CONFIG, so what is known comes from INFO. */
  readonly configReadable: boolean
}

const CONNECT_WITHIN = 2000

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply))

/** CONFIG GET gives pairs as a flat list, or as a map, which some clients turn into an object. */
function settingOf(reply: Reply, name: string): string | undefined {
  if (Array.isArray(reply)) {
    const list = (reply as readonly Reply[]).map(textOf)
    const index = list.indexOf(name)
    return index < 0 ? undefined : list[index + 1]
  }
  if (typeof reply !== 'object' || reply === null) return undefined
  const value = (reply as unknown as Readonly<Record<string, Reply>>)[name]
  return value === undefined ? undefined : textOf(value)
}

async function configOf(commands: Commands, name: string): Promise<string | undefined> {
  try {
    return settingOf(await commands.send(['CONFIG', 'GET', name]), name)
  } catch {
    // NOPERM, or a hosted Redis without CONFIG: what INFO says must do.
    return undefined
  }
}

/** `db0:keys=12,expires=3,...` of every database. */
function keysOf(keyspace: string): { keys: number; lasting: number } {
  let keys = 0
  let lasting = 0
  for (const [, all, expiring] of keyspace.matchAll(/^db\d+:keys=(\d+),expires=(\d+)/gm)) {
    keys += Number(all)
    lasting += Number(all) - Number(expiring)
  }
  return { keys, lasting }
}

/** Gathers what `CONFIG GET` and `INFO` tell. */
export function factsOf(info: string, config: Readonly<Record<string, string | undefined>>): RedisFacts {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim()
  const number = (text: string | undefined): number | undefined =>
    text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
  const onOff = config['appendonly'] ?? field('aof_enabled')
  const saveFailed = field('rdb_last_bgsave_status') === 'err' || field('aof_last_write_status') === 'err'
  return {
    version: field('redis_version'),
    mode: field('redis_mode'),
    role: field('role'),
    usedBytes: number(field('used_memory')),
    maxmemory: number(config['maxmemory'] ?? field('maxmemory')),
    policy: config['maxmemory-policy'] ?? field('maxmemory_policy'),
    appendonly: onOff === undefined ? undefined : onOff === 'yes' || onOff === '1',
    save: config['save'],
    saveFailed,
    ...keysOf(info),
    configReadable: Object.values(config).some(value => value !== undefined),
  }
}

const SETTINGS = ['maxmemory', 'maxmemory-policy', 'appendonly', 'save'] as const
const SECTIONS = ['server', 'memory', 'persistence', 'replication', 'keyspace'] as const

/** What one connection is asked; a borrowed client stays open. Rejects when the server does not answer. */
async function ask<T>(options: RedisStoreOptions, questions: (commands: Commands) => Promise<T>): Promise<T> {
  const { client, url, connect, sentinel } = options
  const target = targetOf(url, connect, sentinel)
  const port = client === undefined ? ownedPort(target, systemClock, undefined) : borrowedPort(client, systemClock)
  const commands = createCommands(port, systemClock, CONNECT_WITHIN, target.password)
  try {
    return await questions(commands)
  } finally {
    commands.close()
    await port.close()
  }
}

/** Asks on a connection of its own, closed afterwards, or on the client given. Rejects when the server does not answer. */
export function readRedis(options: RedisStoreOptions): Promise<RedisFacts> {
  return ask(options, async commands => {
    const told: string[] = []
    for (const section of SECTIONS) {
      try {
        told.push(textOf(await commands.send(['INFO', section])))
      } catch (error) {
        if (!messageOf(error).includes('NOPERM')) throw error
      }
    }
    const config: Record<string, string | undefined> = {}
    for (const name of SETTINGS) config[name] = await configOf(commands, name)
    return factsOf(told.join('\n'), config)
  })
}

/** How a Redis lies among others. */
export interface RedisSurroundings {
  /** Who may use it without a password: programs of other machines too, or those of this machine alone. */
  readonly open: 'network' | 'machine' | undefined
  /** Milliseconds its clock is ahead of ours; below 0, behind. Undefined when it could not be asked. */
  readonly clockAhead: number | undefined
  /** Of a sample of its keys, those that no cache of this namespace made. */
  readonly strangers: number
}

const SAMPLE = '200'
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/

/** Names that say nothing of a namespace (locks, limits, long keys) count as ours. */
function isStranger(name: string, prefix: string): boolean {
  if (!name.startsWith('palier:')) return true
  const key = keyOfName(name.replace(/:l$/, ''))
  return typeof key === 'string' && !key.startsWith(prefix)
}

/** `prefix` begins every key of the namespace. Rejects when the server does not answer. */
export function readSurroundings(options: RedisStoreOptions, prefix: string): Promise<RedisSurroundings> {
  const { host, password } = targetOf(options.url, options.connect, options.sentinel)
  const open = options.client !== undefined || password !== undefined ? undefined : LOOPBACK.test(host)
  return ask(options, async commands => {
    await commands.send(['PING']).catch(() => undefined)
    const askedAt = Date.now()
    const time = await commands.send(['TIME']).catch(() => undefined)
    const ourTime = (askedAt + Date.now()) / 2
    const [seconds, micros] = Array.isArray(time) ? (time as readonly Reply[]).map(one => Number(textOf(one))) : []
    const page = await commands.send(['SCAN', '0', 'COUNT', SAMPLE]).catch(() => undefined)
    const names: unknown = Array.isArray(page) ? (page as readonly unknown[])[1] : undefined
    const keys = Array.isArray(names) ? (names as readonly Reply[]).map(textOf) : []
    return {
      open: open === undefined ? undefined : open ? 'machine' : 'network',
      clockAhead: seconds === undefined ? undefined : Math.round(seconds * 1000 + (micros ?? 0) / 1000 - ourTime),
      strangers: keys.filter(name => isStranger(name, prefix)).length,
    }
  })
}

/** More than a round trip and a time server explain. */
const SKEW = 2000

/** `shared`: other people have accounts on this machine. */
export function judgeSurroundings(
  { open, clockAhead, strangers }: RedisSurroundings,
  shared: boolean,
): readonly Finding[] {
  const found: Finding[] = []
  if (open === 'network') {
    const text = 'Redis takes commands over the network without a password.'
    found.push(
      finding('warning', text, 'Set a password (requirepass or an ACL user), and let only this application reach it.'),
    )
  } else if (open === 'machine' && (shared || strangers > 0)) {
    const who = shared ? 'every account of this machine' : 'every program of this machine'
    const proof = strangers > 0 ? ` ${plural(strangers, 'key', 'keys')} of a sample there are not of this cache.` : ''
    const text = `Redis has no password, so ${who} can read and change what is cached.${proof}`
    found.push(
      finding(shared ? 'warning' : 'note', text, 'Set a password, or use a Redis of your own behind a socket.'),
    )
  }
  if (clockAhead !== undefined && Math.abs(clockAhead) > SKEW) {
    const text = `The clock of Redis is ${Math.abs(clockAhead)} ms ${clockAhead > 0 ? 'ahead of' : 'behind'} this machine's.`
    found.push(
      finding('warning', text, 'Let both follow a time server: history and times shown to people are off by that.'),
    )
  }
  return found
}

const finding = (level: Finding['level'], text: string, advice: string): Finding => ({
  level,
  about: 'redis',
  text,
  advice,
})

function olderThan(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split('.').map(Number)
  return first < major || (first === major && second < minor)
}

const SHARED_ADVICE =
  'If sessions or queues live there too, give them a Redis of their own with noeviction: volatile-lru would spare queues, which never expire, but not sessions, which do. For a cache alone this is the right policy.'

function aboutMemory({ maxmemory, policy, lasting, usedBytes }: RedisFacts): Finding[] {
  if (maxmemory === undefined || policy === undefined) {
    const text = 'This user may not read maxmemory and maxmemory-policy.'
    return [
      finding('note', text, 'Ask whoever runs Redis for a memory limit and a policy of volatile-lru or allkeys-lru.'),
    ]
  }
  const found: Finding[] = []
  if (maxmemory === 0) {
    const text = 'Redis has no memory limit: it grows until the machine has no memory left and kills something.'
    found.push(
      finding(
        'warning',
        text,
        'Set maxmemory, and maxmemory-policy to volatile-lru, or allkeys-lru for a cache alone.',
      ),
    )
  } else if (policy === 'noeviction') {
    const text = `Redis may use ${bytesText(maxmemory)} and evicts nothing (noeviction): once full it refuses each new entry.`
    found.push(
      finding('warning', text, 'Set maxmemory-policy to volatile-lru, or allkeys-lru if only the cache lives there.'),
    )
  }
  if (maxmemory > 0 && policy.startsWith('allkeys-')) {
    const text = `Redis evicts any key when it is full (${policy}), the sessions and queues of other programs included.`
    const proof =
      lasting > 0
        ? ` ${plural(lasting, 'key there never expires and is', 'keys there never expire and are')} not of this cache.`
        : ''
    found.push(finding(lasting > 0 ? 'warning' : 'note', text + proof, SHARED_ADVICE))
  }
  if (maxmemory > 0 && usedBytes !== undefined && usedBytes > maxmemory * 0.95) {
    const text = `Redis is full: ${bytesText(usedBytes)} of ${bytesText(maxmemory)}.`
    found.push(finding('note', text, 'Entries are evicted early; raise maxmemory if the hit rate is low.'))
  }
  return found
}

function aboutPersistence({ appendonly, save, saveFailed }: RedisFacts): Finding[] {
  if (saveFailed) {
    const text = 'Redis could not save to disk the last time it tried, and may refuse all writes (MISCONF).'
    return [finding('warning', text, 'Look at the log of the Redis server and at its disk.')]
  }
  const how = [
    ...(appendonly === true ? ['appendonly'] : []),
    ...(save === undefined || save === '' ? [] : ['snapshots']),
  ]
  if (how.length === 0) return []
  const text = `Redis writes its data to disk (${how.join(' and ')}): a cache does not need that, and pays with disk and memory.`
  return [finding('note', text, 'Switch it off if only the cache lives there: appendonly no, save "".')]
}

/** What is wrong with a Redis, in plain words. */
export function judgeRedis(facts: RedisFacts): readonly Finding[] {
  const { version, role } = facts
  const found: Finding[] = []
  if (version !== undefined && olderThan(version, 6, 2)) {
    found.push(
      finding(
        'warning',
        `Redis ${version} is older than 6.2, the oldest that is tested.`,
        'Upgrade it to a version that still gets fixes.',
      ),
    )
  }
  if (role === 'slave') {
    found.push(finding('warning', 'This Redis is a replica.', 'Point to the primary: a replica takes no writes.'))
  }
  return [...found, ...aboutMemory(facts), ...aboutPersistence(facts)]
}
