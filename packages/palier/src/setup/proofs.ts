import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cache } from '../cache.ts'
import { createCache } from '../create.ts'
import { messageOf } from '../link.ts'
import type { CacheOptions } from '../options.ts'
import { type Address, urlOf } from './address.ts'
import type { CorrectnessProof, ProofId, Sentence } from './contract.ts'
import { type Child, startChild } from './processes.ts'
import { type Relay, startRelay } from './relay.ts'
import { type Room, sentence } from './room.ts'
import type { WordKey } from './words/en.ts'

/*
 * Seven proofs of a backend with real caches on it: own namespace, own directory, own connections. The backend is cut
 * at a relay in this process, or by moving the proofs' own directory away; what the application uses is never touched.
 */

export interface ProofPlace {
  /** `memory`, `disk`, or a Redis. */
  readonly kind: 'memory' | 'disk' | 'redis'
  readonly address: Address | undefined
  readonly namespace: string
  /** An own directory that may be taken away at any time. */
  readonly dir: string
}

interface Stage extends ProofPlace {
  readonly room: Room
  readonly cache: Cache
  readonly child: Child | undefined
  readonly noChild: Sentence
  readonly relay: Relay | undefined
}

type Proven = Omit<CorrectnessProof, 'id'>
type Proof = (stage: Stage) => Promise<Proven>

const passed = (key: WordKey, values?: Record<string, string | number>): Proven => ({
  outcome: 'passed',
  text: sentence(key, values),
  ...(typeof values?.['ms'] === 'number' && { ms: values['ms'] }),
})
const failed = (key: WordKey, values?: Record<string, string | number>): Proven => ({
  outcome: 'failed',
  text: sentence(key, values),
})
const notMade = (text: Sentence): Proven => ({ outcome: 'not made', text })

const MINUTE = { ttl: '1m' } as const
const WAIT = 5000

async function until(holds: () => Promise<boolean>, room: Room): Promise<number | undefined> {
  const began = performance.now()
  for (;;) {
    room.signal.throwIfAborted()
    if (await holds().catch(() => false)) return Math.max(1, Math.round(performance.now() - began))
    if (performance.now() - began > WAIT) return undefined
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

const valueOf = async (cache: Cache, key: string): Promise<unknown> => (await cache.peek(key))?.value

async function roundTrip({ cache }: Stage): Promise<Proven> {
  const value = { text: 'é\u0000%{}', list: [1, 2.5, null, true] }
  await cache.set('round', value, MINUTE)
  const read = await valueOf(cache, 'round')
  await cache.delete('round')
  const good = JSON.stringify(read) === JSON.stringify(value) && (await valueOf(cache, 'round')) === undefined
  return good ? passed('proof.round-trip.passed') : failed('proof.round-trip.failed')
}

async function otherProcess({ cache, child, noChild, room }: Stage): Promise<Proven> {
  if (child === undefined) return notMade(noChild)
  await child.ask({ act: 'set', key: 'theirs', value: 'theirs' })
  const here = await until(async () => (await valueOf(cache, 'theirs')) === 'theirs', room)
  await cache.set('ours', 'ours', MINUTE)
  const there = await until(async () => (await child.ask({ act: 'get', key: 'ours' })) === 'ours', room)
  if (here === undefined || there === undefined) return failed('proof.other-process.failed')
  return passed('proof.other-process.passed', { ms: Math.max(here, there) })
}

async function stampede({ cache }: Stage): Promise<Proven> {
  let calls = 0
  const factory = async (): Promise<string> => {
    calls++
    await new Promise(resolve => setTimeout(resolve, 40))
    return 'once'
  }
  const all = await Promise.all(Array.from({ length: 20 }, () => cache.getOrSet('stampede', factory, MINUTE)))
  const good = calls === 1 && all.every(one => one === 'once')
  return good
    ? passed('proof.stampede.passed', { n: all.length })
    : failed('proof.stampede.failed', { n: all.length, calls })
}

async function clear({ cache, child, noChild }: Stage): Promise<Proven> {
  if (child === undefined) return notMade(noChild)
  await cache.set('cleared', 'old', MINUTE)
  await child.ask({ act: 'get', key: 'cleared' })
  const gone = child.ask({ act: 'gone', key: 'cleared', within: WAIT })
  const began = Date.now()
  await cache.clear()
  const at = await gone
  return typeof at === 'number'
    ? passed('proof.clear.passed', { ms: Math.max(1, at - began) })
    : failed('proof.clear.failed', { seconds: WAIT / 1000 })
}

/** The last thing the child does. */
async function torn({ cache, child, noChild, room }: Stage): Promise<Proven> {
  if (child === undefined) return notMade(noChild)
  await child.ask({ act: 'write', key: 'torn' })
  await until(async () => (await valueOf(cache, 'torn-7')) !== undefined, room)
  await child.kill()
  let whole = 0
  for (let i = 0; i < 8; i++) {
    const value = await valueOf(cache, `torn-${i}`)
    if (value === undefined) continue
    if (typeof value !== 'string' || value.length !== 64 * 1024 || value !== value.charAt(0).repeat(64 * 1024))
      return failed('proof.torn.failed')
    whole++
  }
  return passed('proof.torn.passed', { n: whole })
}

interface Cut {
  cut(): Promise<void>
  mend(): Promise<void>
}

/** How this backend is cut; undefined: it cannot be, without touching what others use. */
function cutOf({ kind, relay, dir }: Stage): Cut | undefined {
  if (kind === 'redis') return relay
  if (kind === 'memory') return undefined
  const [store, aside] = [join(dir, 'store'), join(dir, 'aside')]
  return {
    async cut() {
      await rename(store, aside)
      await writeFile(store, '', { mode: 0o600 })
    },
    async mend() {
      await rm(store, { force: true })
      await rename(aside, store)
    },
  }
}

const isOut = ({ cache }: Stage): boolean =>
  cache.status().tiers.some(tier => tier.role === 'shared' && tier.state !== 'up')

/** Cut, then back: two proofs, of which the second needs the first. */
async function cutAndBack(stage: Stage): Promise<readonly [Proven, Proven]> {
  const { cache, kind, room } = stage
  const cut = cutOf(stage)
  if (cut === undefined) {
    const why = notMade(sentence(kind === 'memory' ? 'proof.notShared' : 'proof.cut.tls'))
    return [why, why]
  }
  await cache.set('kept', 'old', MINUTE)
  await cut.cut()
  let during: Proven
  try {
    // A key that was not asked for before: memory in front must not be what answers.
    let n = 0
    const ms = await until(async () => (await cache.getOrSet(`cut-${n++}`, () => 'loaded', MINUTE)) === 'loaded', room)
    during =
      ms === undefined ? failed('proof.cut.failed', { seconds: WAIT / 1000 }) : passed('proof.cut.passed', { ms })
    await cache.delete('kept').catch(() => undefined)
    await cache.set('kept', 'new', MINUTE).catch(() => undefined)
  } finally {
    await cut.mend()
  }
  const back = await until(async () => !isOut(stage), room)
  if (back === undefined) return [during, failed('proof.back.never', { seconds: WAIT / 1000 })]
  const value = await cache.getOrSet('kept', () => 'new', MINUTE)
  return [during, value === 'new' ? passed('proof.back.passed', { ms: back }) : failed('proof.back.failed')]
}

const SEQUENCE: readonly (readonly [ProofId, Proof])[] = [
  ['round-trip', roundTrip],
  ['other-process', otherProcess],
  ['stampede', stampede],
  ['clear', clear],
  ['torn', torn],
]

function optionsOf({ kind, address, namespace, dir }: ProofPlace, relay: Relay | undefined): CacheOptions {
  const base: CacheOptions = { namespace, enabled: true, logger: false, dir: join(dir, 'store'), detectBudget: 3000 }
  if (kind === 'memory') return { ...base, backend: 'memory' }
  if (kind === 'disk' || address === undefined) return { ...base, backend: 'filesystem' }
  const way = relay === undefined ? address : { ...address, host: '127.0.0.1', port: relay.port }
  return { ...base, backend: 'redis', redisUrl: urlOf(way) }
}

async function attempt(stage: Stage, proof: Proof): Promise<Proven> {
  try {
    return await proof(stage)
  } catch (error) {
    stage.room.signal.throwIfAborted()
    return failed('proof.error', { why: messageOf(error).slice(0, 200) })
  }
}

async function setStage(room: Room, place: ProofPlace, relay: Relay | undefined): Promise<Stage> {
  const options = optionsOf(place, relay)
  const cache = createCache(options)
  await cache.ready()
  const none: Stage = { ...place, room, cache, relay, child: undefined, noChild: sentence('proof.notShared') }
  if (place.kind === 'memory') return none
  const started = await startChild(room)
  if (!started.ok) return { ...none, noChild: started.why }
  try {
    await started.child.ask({ act: 'cache', options })
    return { ...none, child: started.child }
  } catch (error) {
    await started.child.kill()
    room.signal.throwIfAborted()
    return { ...none, noChild: sentence('proof.error', { why: messageOf(error).slice(0, 200) }) }
  }
}

/** All seven, in the order in which they are shown. Rejects when aborted; the caller cleans the namespace and directory. */
export async function proveBackend(room: Room, place: ProofPlace): Promise<readonly CorrectnessProof[]> {
  await mkdir(place.dir, { recursive: true, mode: 0o700 })
  const { address } = place
  const relay = address === undefined || address.tls ? undefined : await startRelay(address)
  let stage: Stage | undefined
  try {
    stage = await setStage(room, place, relay)
    const proofs: CorrectnessProof[] = []
    for (const [id, proof] of SEQUENCE) {
      room.signal.throwIfAborted()
      proofs.push({ id, ...(await attempt(stage, proof)) })
    }
    const [cut, back] = await cutAndBack(stage).catch((error: unknown) => {
      room.signal.throwIfAborted()
      const why = failed('proof.error', { why: messageOf(error).slice(0, 200) })
      return [why, why] as const
    })
    return [...proofs, { id: 'cut', ...cut }, { id: 'back', ...back }]
  } finally {
    await stage?.child?.kill()
    await stage?.cache.close().catch(() => undefined)
    await relay?.close()
  }
}
