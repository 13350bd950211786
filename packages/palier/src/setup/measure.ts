import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  compare,
  type Measurement,
  measure,
  medianRange,
  type Pace,
  record,
  RECORD_BYTES,
  type Subject,
} from '../advice/measure.ts'
import { namespacePrefix } from '../key.ts'
import { messageOf } from '../link.ts'
import type { SharedStore } from '../store.ts'
import { fileStore } from '../stores/file/store.ts'
import { memoryStore } from '../stores/memory.ts'
import { redisStore } from '../stores/redis/store.ts'
import type { Address } from './address.ts'
import type { CorrectnessProof, MeasuredRow, MeasureInput, MeasureResult, Sentence, Timing } from './contract.ts'
import { proveBackend } from './proofs.ts'
import { sweep } from './sweep.ts'
import { leadOf } from './redis-candidates.ts'
import { type Room, sentence } from './room.ts'

/** What a measurement may take: a shared host notices more. */
const LIMITS = { milliseconds: 20_000, perSecond: 300 } as const
const CLIENTS = 4
const BATCHES = 40
const MIXED_KEYS = 8
const LOADS = 20
const LOAD_BUDGET = 2000
const TTL = 60_000
const REDIS_DEADLINE = 1000

interface Entrant extends Subject {
  readonly id: string
  readonly title: Sentence
  readonly address: Address | undefined
  readonly dir: string | undefined
}

interface Watch extends Pace {
  why(): Sentence | undefined
}

/** Ends the measurement when its time is over or the live site slows down. */
function watchful(room: Room, end: number, from: number, to: number): Watch {
  const first = room.options.sitePace?.()
  let stopped: Sentence | undefined
  return {
    perSecond: LIMITS.perSecond,
    why: () => stopped,
    after(share) {
      const left = Math.max(0, Math.round(end - performance.now()))
      room.tell(from + share * (to - from), sentence('measure.timing'), { left })
      const now = room.options.sitePace?.()
      if (first !== undefined && now !== undefined && now > 2 * first)
        stopped = sentence('measure.stopped.site', { before: first, now })
      else if (left === 0) stopped = sentence('measure.stopped.time', { seconds: LIMITS.milliseconds / 1000 })
      return stopped === undefined
    },
  }
}

function timing(micros: readonly number[]): Timing | undefined {
  if (micros.length === 0) return undefined
  const ordered = [...micros].sort((a, b) => a - b)
  const at = (share: number): number =>
    Number((ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * share))] ?? 0).toPrecision(3))
  const { low, high } = medianRange(micros)
  return {
    p50: at(0.5),
    p95: at(0.95),
    low: Number(low.toPrecision(3)),
    high: Number(high.toPrecision(3)),
    samples: micros.length,
  }
}

/** Four clients at once, four reads to one write, the stores in turn. Micros of each operation, by store. */
async function mixed(
  entrants: readonly Entrant[],
  prefix: string,
  watch: Watch,
  signal: AbortSignal,
): Promise<Map<string, number[]>> {
  const taken = new Map<string, number[]>(entrants.map(one => [one.id, []]))
  const keys = Array.from({ length: MIXED_KEYS }, (_, i) => `${prefix}mixed-${i}`)
  const records = keys.map(key => record(key))
  const failed = new Set<string>()
  for (const { id, store } of entrants) {
    for (const [i, key] of keys.entries())
      await store.set(key, records[i] ?? Buffer.alloc(0), TTL).catch(() => failed.add(id))
  }
  for (let batch = 0; batch < BATCHES && !signal.aborted; batch++) {
    const began = performance.now()
    for (const { id, store } of batch % 2 === 0 ? entrants : [...entrants].reverse()) {
      if (failed.has(id)) continue
      const one = async (client: number): Promise<void> => {
        const i = (batch * CLIENTS + client) % MIXED_KEYS
        const key = keys[i] ?? ''
        const start = performance.now()
        if ((batch + client) % 5 === 0) await store.set(key, records[i] ?? Buffer.alloc(0), TTL)
        else await store.get(key)
        taken.get(id)?.push((performance.now() - start) * 1000)
      }
      await Promise.all(Array.from({ length: CLIENTS }, (_, client) => one(client))).catch(() => failed.add(id))
    }
    if (!watch.after((batch + 1) / BATCHES)) break
    const left = began + ((entrants.length * CLIENTS) / LIMITS.perSecond) * 1000 - performance.now()
    if (left >= 1) await new Promise(resolve => setTimeout(resolve, left))
  }
  for (const { store } of entrants) await store.delete(keys).catch(() => undefined)
  return taken
}

/** What a miss costs without a cache: the loader of the application, if it gave one. */
async function withoutCache({
  options,
  signal,
}: Room): Promise<{ micros: readonly number[]; failure: Sentence | undefined }> {
  const micros: number[] = []
  const { load } = options
  if (load === undefined) return { micros, failure: undefined }
  const end = performance.now() + LOAD_BUDGET
  try {
    for (let i = 0; i < LOADS && performance.now() < end; i++) {
      const began = performance.now()
      await load(signal)
      micros.push((performance.now() - began) * 1000)
    }
    return { micros, failure: undefined }
  } catch (error) {
    signal.throwIfAborted()
    return { micros, failure: sentence('measure.load.failed', { why: messageOf(error).slice(0, 200) }) }
  }
}

async function usage(dir: string | undefined): Promise<{ files: number; bytes: number }> {
  if (dir === undefined) return { files: 0, bytes: 0 }
  const names = await readdir(dir, { recursive: true }).catch(() => [])
  let bytes = 0
  for (const name of names) bytes += (await stat(join(dir, name)).catch(() => undefined))?.size ?? 0
  return { files: names.length, bytes }
}

/** Stores of their own for what can be measured; the directories are in `litter` until they are gone. */
async function enter(room: Room, input: MeasureInput, own: string): Promise<readonly Entrant[]> {
  const wanted = (id: string): boolean => input.only?.includes(id) ?? true
  const entrants: Entrant[] = []
  const add = (id: string, title: Sentence, store: SharedStore, more: Partial<Entrant> = {}): void =>
    void entrants.push({ id, name: id, title, store, address: undefined, dir: undefined, ...more })
  if (wanted('memory')) add('memory', sentence('name.memory'), memoryStore())
  if (room.saved.results.storage?.usable === true && wanted('disk')) {
    const dir = join(own, 'timed')
    add('disk', sentence('name.disk'), fileStore({ dir }), { dir })
  }
  for (const { id, usable, where } of room.saved.results.redis?.candidates ?? []) {
    const lead = usable && wanted(id) ? leadOf(room, id) : undefined
    if (lead === undefined) continue
    const { host, port, tls, db, username, password } = lead.address
    const secret = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
    const store = redisStore({ connect: { host, port, tls, db, ...secret }, deadline: REDIS_DEADLINE })
    // The client is loaded and connected before anything is timed.
    await store.get('palier-setup:nothing').catch(() => undefined)
    add(id, sentence('name.redis', { where }), store, { address: lead.address })
  }
  return entrants
}

interface Timed {
  readonly samples: readonly Measurement[]
  readonly mixed: ReadonlyMap<string, readonly number[]>
  readonly stopped: Sentence | undefined
}

async function time(room: Room, entrants: readonly Entrant[], namespace: string, end: number): Promise<Timed> {
  const first = watchful(room, end, 0.05, 0.5)
  const samples = await measure(entrants, room.signal, first)
  room.signal.throwIfAborted()
  if (first.why() !== undefined) return { samples, mixed: new Map(), stopped: first.why() }
  const second = watchful(room, end, 0.5, 0.65)
  const taken = await mixed(entrants, namespacePrefix(namespace), second, room.signal)
  room.signal.throwIfAborted()
  return { samples, mixed: taken, stopped: second.why() }
}

async function proveAll(
  room: Room,
  entrants: readonly Entrant[],
  namespace: string,
  own: string,
  end: number,
): Promise<Map<string, readonly CorrectnessProof[]>> {
  const proofs = new Map<string, readonly CorrectnessProof[]>()
  for (const [i, { id, address }] of entrants.entries()) {
    room.tell(0.65 + (0.35 * i) / entrants.length, sentence('measure.proving', { n: i + 1, of: entrants.length }))
    if (performance.now() > end) break
    const kind = id === 'memory' || id === 'disk' ? id : 'redis'
    proofs.set(id, await proveBackend(room, { kind, address, namespace, dir: join(own, `proof-${i}`) }))
  }
  return proofs
}

type Reads = ReadonlyMap<string, readonly number[]>

function comparisonOf(id: string, reads: Reads): MeasuredRow['comparison'] {
  const to = id === 'disk' ? 'none' : 'disk'
  const [mine, other] = [reads.get(id) ?? [], reads.get(to) ?? []]
  if (id === 'none' || mine.length === 0 || other.length === 0) return undefined
  const result = compare(mine, other)
  const verdict = result === undefined ? 'no measurable difference' : result.faster === 'a' ? 'faster' : 'slower'
  return { to, verdict, times: result?.times }
}

async function rowsOf(
  entrants: readonly Entrant[],
  timed: Timed,
  proofs: ReadonlyMap<string, readonly CorrectnessProof[]>,
  none: Awaited<ReturnType<typeof withoutCache>>,
): Promise<readonly MeasuredRow[]> {
  const reads = new Map<string, readonly number[]>([
    ['none', none.micros],
    ...timed.samples.map(one => [one.name, one.samples.get] as const),
  ])
  const rows: MeasuredRow[] = [
    {
      id: 'none',
      name: sentence('name.none'),
      readHit: timing(none.micros),
      write: undefined,
      mixed: undefined,
      proofs: [],
      cost: { files: 0, bytes: 0, connections: 0 },
      comparison: undefined,
      failure: none.failure,
    },
  ]
  for (const { id, title, dir, address } of entrants) {
    const found = timed.samples.find(one => one.name === id)
    const { files, bytes } = await usage(dir)
    const written = (found?.samples.set.length ?? 0) * RECORD_BYTES
    rows.push({
      id,
      name: title,
      readHit: timing(found?.samples.get ?? []),
      write: timing(found?.samples.set ?? []),
      mixed: timing(timed.mixed.get(id) ?? []),
      proofs: proofs.get(id) ?? [],
      cost: { files, bytes: Math.max(bytes, written), connections: address === undefined ? 0 : 1 },
      comparison: comparisonOf(id, reads),
      failure:
        found?.failure === undefined ? undefined : sentence('measure.failed', { why: found.failure.slice(0, 200) }),
    })
  }
  return rows
}

/** In the directory of the cache where that can be used, else beside the temporary files: fallbacks need one. */
async function ownDirectory(room: Room): Promise<string> {
  const { storage } = room.saved.results
  const base = storage?.usable === true ? storage.dir : tmpdir()
  await mkdir(base, { recursive: true, mode: 0o700 })
  const own = await mkdtemp(join(base, `palier-setup-${randomBytes(3).toString('hex')}-`))
  await room.state.update(saved => ({ ...saved, litter: [...saved.litter, own] }))
  return own
}

/** Times and proves every backend that can be used. Rejects when aborted, with everything of its own taken away. */
export async function measureBackends(room: Room, input: MeasureInput): Promise<MeasureResult> {
  const began = performance.now()
  const end = began + LIMITS.milliseconds
  const namespace = `palier-setup-${randomBytes(5).toString('hex')}`
  const own = await ownDirectory(room)
  let entrants: readonly Entrant[] = []
  try {
    room.tell(0, sentence('measure.loading'))
    const none = await withoutCache(room)
    entrants = await enter(room, input, own)
    const timed = await time(room, entrants, namespace, end)
    const proofs =
      timed.stopped === undefined ? await proveAll(room, entrants, namespace, own, end) : new Map<string, never>()
    const rows = await rowsOf(entrants, timed, proofs, none)
    const late = timed.stopped === undefined && proofs.size < entrants.length
    const stopped = late ? sentence('measure.stopped.time', { seconds: LIMITS.milliseconds / 1000 }) : timed.stopped
    const rounds = Math.max(0, ...timed.samples.map(one => one.samples.delete.length))
    return { rows, rounds, took: Math.round(performance.now() - began), stopped }
  } finally {
    for (const entrant of entrants) {
      if (entrant.address !== undefined) await sweep(entrant.store, namespace)
      await entrant.store.close().catch(() => undefined)
    }
    await rm(own, { recursive: true, force: true, maxRetries: 3 })
    await room.state.update(saved => ({ ...saved, litter: saved.litter.filter(one => one !== own) }))
  }
}
