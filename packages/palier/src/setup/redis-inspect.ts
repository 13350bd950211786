import { randomBytes } from 'node:crypto'
import { factsOf, type RedisFacts } from '../advice/redis.ts'
import { bytesText } from '../advice/words.ts'
import { keyOfName } from '../stores/redis/keys.ts'
import { type Args, type Reply, reasonOf } from '../stores/redis/port.ts'
import { safeCause } from '../stores/redis/target.ts'
import { openWire, signIn, type Wire } from '../stores/redis/wire.ts'
import type { Address } from './address.ts'
import type { Fact, RedisState, Sentence, Verdict } from './contract.ts'
import { fact, sentence } from './room.ts'

/** What a Redis that lets us in is like. */
export interface Inspection {
  readonly state: RedisState
  readonly text: Sentence
  readonly latency: number | undefined
  readonly facts: readonly Fact[]
  /** It takes what a cache sends. */
  readonly works: boolean
}

const WITHIN = 3000
const SAMPLE = 200

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply))
const listOf = (reply: Reply): readonly Reply[] => (Array.isArray(reply) ? (reply as readonly Reply[]) : [])

/** Undefined when this user may not, or the server does not know the command. */
const tolerant = (wire: Wire, args: Args): Promise<Reply> =>
  wire.send(args).catch((error: unknown) => {
    if (wire.isOpen()) return undefined
    throw error
  })

const REFUSALS: readonly (readonly [RegExp, RedisState])[] = [
  [/^NOAUTH/, 'password'],
  [/^WRONGPASS|invalid password|invalid username|^ERR AUTH|without any password/i, 'wrong password'],
  [/^DENIED/, 'protected'],
  [/^LOADING/, 'loading'],
  [/^READONLY|^MASTERDOWN/, 'replica'],
  [/max number of clients/, 'max clients'],
  [/^MISCONF/, 'misconf'],
  [/^NOPERM/, 'no right'],
]

function refused(error: unknown, { password }: Address): Inspection {
  const reason = reasonOf(error)
  const state = REFUSALS.find(([pattern]) => pattern.test(reason))?.[1] ?? 'unreachable'
  // The first word of a Redis error is its code; only that much of a stranger's words is shown.
  const code = /^[A-Z]{2,}\b/.exec(reason)?.[0] ?? safeCause(error, password).message.slice(0, 80)
  const text = state === 'unreachable' ? sentence('redis.failed', { why: code }) : sentence(`redis.state.${state}`)
  return { state, text, latency: undefined, facts: [], works: false }
}

async function latencyOf(wire: Wire): Promise<number | undefined> {
  const taken: number[] = []
  for (let i = 0; i < 9; i++) {
    const began = performance.now()
    if ((await tolerant(wire, ['PING'])) === undefined) return undefined
    taken.push(performance.now() - began)
  }
  return Number((taken.sort((a, b) => a - b)[4] ?? Number.NaN).toPrecision(3))
}

const isStranger = (name: string): boolean => keyOfName(name.replace(/:l$/, '')) === null && !name.startsWith('palier:')

/** Commands a cache sends; those this user may not send. */
async function missingRights(wire: Wire, address: Address, key: string): Promise<readonly string[]> {
  const tries: readonly Args[] = [
    ['SCAN', '0', 'COUNT', '10'],
    ['UNLINK', key],
    ['EVAL', 'return 1', '0'],
  ]
  const missing: string[] = []
  for (const args of tries) {
    if ((await tolerant(wire, args)) === undefined) missing.push(String(args[0]))
  }
  const listener = openWire(address)
  try {
    await signIn(listener, address)
    if ((await tolerant(listener, ['SUBSCRIBE', `palier:${key}`])) === undefined) missing.push('SUBSCRIBE')
  } finally {
    listener.close()
  }
  return missing
}

/** Writes, reads back and deletes a key that lives five seconds; resolves with the error of the server. */
async function writes(wire: Wire, key: string): Promise<string | undefined> {
  try {
    const said = randomBytes(8).toString('hex')
    await wire.send(['SET', key, said, 'PX', '5000'])
    const read = textOf(await wire.send(['GET', key]))
    await wire.send(['DEL', key])
    return read === said ? undefined : 'ERR'
  } catch (error) {
    if (!wire.isOpen()) throw error
    return reasonOf(error)
  }
}

function versionFact({ version }: RedisFacts): Fact {
  if (version === undefined) return fact('version', 'unknown', 'redis.version', sentence('redis.untold'))
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const old = major < 6 || (major === 6 && minor < 2)
  return fact(
    'version',
    old ? 'warning' : 'good',
    'redis.version',
    sentence(old ? 'redis.version.old' : 'redis.version.is', { version }),
  )
}

function memoryFacts({ maxmemory, policy, usedBytes }: RedisFacts): Fact[] {
  if (maxmemory === undefined) return [fact('memory', 'unknown', 'redis.memory', sentence('redis.untold'))]
  const values = { used: bytesText(usedBytes ?? 0), limit: bytesText(maxmemory) }
  const none = maxmemory === 0
  const memory = none
    ? fact('memory', 'warning', 'redis.memory', sentence('redis.memory.none', values), {
        advice: sentence('redis.memory.advice'),
      })
    : fact(
        'memory',
        (usedBytes ?? 0) > maxmemory * 0.95 ? 'note' : 'good',
        'redis.memory',
        sentence('redis.memory.is', values),
      )
  if (policy === undefined || none) return [memory]
  const stuck = policy === 'noeviction'
  const text = sentence(stuck ? 'redis.policy.noeviction' : 'redis.policy.is', { policy })
  return [
    memory,
    fact('policy', stuck ? 'warning' : 'good', 'redis.policy', text, {
      advice: stuck ? sentence('redis.memory.advice') : undefined,
    }),
  ]
}

interface Seen {
  readonly facts: RedisFacts
  readonly user: string | undefined
  readonly missing: readonly string[]
  readonly failure: string | undefined
  readonly strangers: number
  readonly sampled: number
}

function strangersFact({ strangers, sampled }: Seen, open: boolean): Fact {
  if (strangers === 0)
    return fact('strangers', 'good', 'redis.strangers', sentence('redis.strangers.none', { sampled }))
  const verdict: Verdict = open ? 'bad' : 'note'
  const text = sentence(open ? 'redis.strangers.open' : 'redis.strangers.some', { n: strangers, sampled })
  return fact('strangers', verdict, 'redis.strangers', text)
}

function accessFact(address: Address, open: boolean, shared: boolean): Fact {
  if (!open) return fact('access', 'good', 'redis.access', sentence('redis.access.password'))
  const near = address.host.startsWith('/') || /^(localhost|127\.|::1$)/.test(address.host)
  // A socket in a directory of one's own is closed to others by the rights of files.
  if (address.host.startsWith('/') && !shared)
    return fact('access', 'good', 'redis.access', sentence('redis.access.socket'))
  if (near && !shared) return fact('access', 'note', 'redis.access', sentence('redis.access.machine'))
  return fact('access', 'bad', 'redis.access', sentence(near ? 'redis.access.shared' : 'redis.access.network'), {
    advice: sentence('redis.access.advice'),
  })
}

function rowsOf(seen: Seen, address: Address, open: boolean, shared: boolean): readonly Fact[] {
  const { facts, user, missing, failure } = seen
  const replica = facts.role === 'slave'
  const rows = [
    versionFact(facts),
    ...memoryFacts(facts),
    fact(
      'role',
      replica ? 'bad' : 'good',
      'redis.role',
      sentence(replica ? 'redis.role.replica' : 'redis.role.primary'),
    ),
    missing.length === 0
      ? fact('rights', 'good', 'redis.rights', sentence('redis.rights.all', { user: user ?? 'default' }))
      : fact(
          'rights',
          'bad',
          'redis.rights',
          sentence('redis.rights.missing', { user: user ?? 'default', commands: missing.join(', ') }),
          {
            advice: sentence('redis.rights.advice'),
          },
        ),
    accessFact(address, open, shared),
    strangersFact(seen, open),
  ]
  if (failure === undefined) return rows
  const code = /^[A-Z]+/.exec(failure)?.[0] ?? 'ERR'
  return [fact('write', 'bad', 'redis.write', sentence('redis.write.refused', { code })), ...rows]
}

async function look(wire: Wire, address: Address): Promise<Seen> {
  const key = `palier:{palier-setup-${randomBytes(6).toString('hex')}}`
  const told: string[] = []
  for (const section of ['server', 'memory', 'persistence', 'replication', 'keyspace']) {
    const reply = await tolerant(wire, ['INFO', section])
    if (reply !== undefined) told.push(textOf(reply))
  }
  const config: Record<string, string | undefined> = {}
  for (const name of ['maxmemory', 'maxmemory-policy']) {
    const value = listOf(await tolerant(wire, ['CONFIG', 'GET', name]))[1]
    config[name] = value === undefined ? undefined : textOf(value)
  }
  const user = await tolerant(wire, ['ACL', 'WHOAMI'])
  const page = listOf(await tolerant(wire, ['SCAN', '0', 'COUNT', String(SAMPLE)]))[1]
  const names = listOf(page).map(textOf)
  return {
    facts: factsOf(told.join('\n'), config),
    user: user === undefined ? undefined : textOf(user),
    failure: await writes(wire, key),
    missing: await missingRights(wire, address, key),
    strangers: names.filter(isStranger).length,
    sampled: names.length,
  }
}

/** Signs in and looks; never rejects, and closes its connections. */
export async function inspect(address: Address, shared: boolean): Promise<Inspection> {
  const wire = openWire(address)
  const timer = setTimeout(() => wire.close(), WITHIN)
  try {
    await signIn(wire, address)
    const open = address.password === undefined
    const seen = await look(wire, address)
    if (seen.facts.mode === 'sentinel') {
      return { state: 'sentinel', text: sentence('redis.state.sentinel'), latency: undefined, facts: [], works: false }
    }
    const facts = rowsOf(seen, address, open, shared)
    const replica = seen.facts.role === 'slave'
    const works = seen.failure === undefined && seen.missing.length === 0 && !replica
    const state: RedisState = replica
      ? 'replica'
      : seen.failure?.startsWith('MISCONF') === true
        ? 'misconf'
        : open
          ? 'open'
          : 'ready'
    return { state, text: sentence(`redis.state.${state}`), latency: await latencyOf(wire), facts, works }
  } catch (error) {
    return refused(error, address)
  } finally {
    clearTimeout(timer)
    wire.close()
  }
}
