import { randomBytes } from 'node:crypto'
import type { Documents } from 'palier'
import type { ConsoleClock, ManagedCache } from './room.ts'

/** One thing that was tried. */
export interface Check {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
}

/** Milliseconds, of the rounds that were made. */
export interface Speed {
  readonly rounds: number
  readonly p50: number
  readonly p95: number
}

export interface Probed {
  readonly backend: string
  readonly ok: boolean
  readonly checks: readonly Check[]
  readonly speed: { readonly write: Speed; readonly read: Speed }
}

const ROUNDS = 200
/** The rounds end after this, however many were made: a slow disk must not hold the answer up. */
const ROUNDS_BUDGET = 2000
/** What a run that was cut off leaves behind is gone by then. */
const KEPT = 60_000
const SHORT = 200
const EXPIRY_BUDGET = 3000
const WRITERS = 8
const TOGETHER = 32
const SIZES = [1, 16, 128, 1024] as const
const CONTENDERS = 4
const GRANTS = 5

interface Bench {
  readonly cache: ManagedCache
  readonly clock: ConsoleClock
  readonly documents: Documents<unknown>
  /** A document of this run alone, removed at its end. */
  id(name: string): string
}

const pause = (clock: ConsoleClock, ms: number): Promise<void> =>
  new Promise(resolve => void clock.hold(ms, () => resolve()))

function speedOf(times: readonly number[]): Speed {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number): number =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(3))
  return { rounds: sorted.length, p50: at(0.5), p95: at(0.95) }
}

/** Tries one thing; what it throws is the reason why it failed. */
async function check(name: string, run: () => Promise<string | { readonly failed: string }>): Promise<Check> {
  try {
    const found = await run()
    if (typeof found === 'string') return { check: name, ok: true, detail: found }
    return { check: name, ok: false, detail: found.failed }
  } catch (error) {
    return { check: name, ok: false, detail: error instanceof Error ? error.message : String(error) }
  }
}

async function increments({ documents, id }: Bench): Promise<string | { readonly failed: string }> {
  const counter = id('count')
  const add = () => documents.change(counter, before => ({ value: Number(before?.value ?? 0) + 1, ttl: KEPT }))
  await Promise.all(Array.from({ length: WRITERS }, add))
  const sum = Number((await documents.read(counter))?.value)
  return sum === WRITERS
    ? `${WRITERS} changes at once, none lost`
    : { failed: `${WRITERS} changes at once became ${sum}` }
}

async function expiry({ documents, id, clock }: Bench): Promise<string | { readonly failed: string }> {
  const short = id('short')
  await documents.change(short, () => ({ value: 1, ttl: SHORT }))
  if ((await documents.read(short)) === undefined) return { failed: 'gone before its time' }
  const endAt = clock.now() + EXPIRY_BUDGET
  while ((await documents.read(short)) !== undefined) {
    if (clock.now() > endAt) return { failed: `still there ${EXPIRY_BUDGET} ms after it was to end` }
    await pause(clock, SHORT / 4)
  }
  return `gone after its ${SHORT} ms`
}

async function basics(bench: Bench): Promise<readonly Check[]> {
  const { documents, id } = bench
  const value = { text: randomBytes(512).toString('hex'), number: 1 }
  return [
    await check('reach', async () => {
      await documents.read(id('nothing'))
      return 'the backend answers'
    }),
    await check('write', async () => {
      await documents.change(id('one'), () => ({ value, ttl: KEPT }))
      return 'written'
    }),
    await check('read back', async () => {
      const found = (await documents.read(id('one')))?.value
      return JSON.stringify(found) === JSON.stringify(value) ? 'the same' : { failed: 'not what was written' }
    }),
    await check('compare and set', () => increments(bench)),
    await check('delete', async () => {
      const { shared } = await documents.delete(id('one'))
      if ((await documents.read(id('one'))) !== undefined) return { failed: 'still there' }
      return shared === 'pending' || shared === 'refused' ? { failed: `the backend's word: ${shared}` } : 'gone'
    }),
    await check('expiry', () => expiry(bench)),
  ]
}

async function speed({ documents, id, clock }: Bench): Promise<Probed['speed']> {
  const writes: number[] = []
  const reads: number[] = []
  const name = id('speed')
  const endAt = clock.now() + ROUNDS_BUDGET
  try {
    for (let round = 0; round < ROUNDS && clock.now() < endAt; round++) {
      const startedAt = clock.now()
      await documents.change(name, () => ({ value: round, ttl: KEPT }))
      const writtenAt = clock.now()
      await documents.read(name)
      writes.push(writtenAt - startedAt)
      reads.push(clock.now() - writtenAt)
    }
  } catch {
    // The checks say that the backend fails; what was measured until then still holds.
  }
  return { write: speedOf(writes), read: speedOf(reads) }
}

async function sized(
  { documents, id, clock }: Bench,
  kilobytes: number,
): Promise<string | { readonly failed: string }> {
  // Random, so that compression makes nothing of it.
  const value = randomBytes(kilobytes * 1024)
  const name = id(`size-${kilobytes}`)
  const startedAt = clock.now()
  await documents.change(name, () => ({ value, ttl: KEPT }))
  const writtenAt = clock.now()
  const found = (await documents.read(name))?.value
  if (!(found instanceof Uint8Array) || !value.equals(found)) return { failed: 'not what was written' }
  return `written in ${(writtenAt - startedAt).toFixed(1)} ms, read in ${(clock.now() - writtenAt).toFixed(1)} ms`
}

async function together({ documents, id, clock }: Bench): Promise<string | { readonly failed: string }> {
  const startedAt = clock.now()
  const settled = await Promise.allSettled(
    Array.from({ length: TOGETHER }, async (_, i) => {
      await documents.change(id(`together-${i}`), () => ({ value: i, ttl: KEPT }))
      return (await documents.read(id(`together-${i}`)))?.value === i
    }),
  )
  const right = settled.filter(one => one.status === 'fulfilled' && one.value).length
  const said = `${right} of ${TOGETHER} at once came back, in ${(clock.now() - startedAt).toFixed(1)} ms`
  return right === TOGETHER ? said : { failed: said }
}

/** Several want one lock again and again: each must get it in the end, one at a time, each with a greater number. */
async function fairness({ cache, clock, id }: Bench): Promise<string | { readonly failed: string }> {
  const name = `palier-console-${id('lock')}`
  const fences: number[] = []
  let holders = 0
  let overlaps = 0
  const contend = async (): Promise<number> => {
    let grants = 0
    for (let i = 0; i < GRANTS; i++) {
      const lock = await cache.lock(name, { ttl: '10s', wait: '2s' })
      if (lock === undefined) continue
      if (++holders > 1) overlaps++
      fences.push(lock.fence ?? 0)
      grants++
      await pause(clock, 1)
      holders--
      await lock.release()
    }
    return grants
  }
  const grants = await Promise.all(Array.from({ length: CONTENDERS }, contend))
  const grow = fences.every((fence, i) => i === 0 || fence > (fences[i - 1] ?? 0))
  const said = `${CONTENDERS} contenders got it ${grants.join(', ')} times`
  if (overlaps > 0) return { failed: `${said}, ${overlaps} times two at once` }
  if (!grow) return { failed: `${said}, and its numbers did not grow` }
  return Math.min(...grants) > 0 ? `${said}, one at a time` : { failed: said }
}

/** What the backend does, found out with documents of its own, which are removed afterwards; live entries are not touched. */
export async function probe(cache: ManagedCache, clock: ConsoleClock, mode: 'simple' | 'advanced'): Promise<Probed> {
  const run = randomBytes(8).toString('hex')
  const used = new Set<string>()
  const documents = cache.documents<unknown>('palier-console-probe')
  const id = (name: string): string => {
    used.add(`${run}-${name}`)
    return `${run}-${name}`
  }
  const bench: Bench = { cache, clock, documents, id }
  try {
    const checks = [...(await basics(bench))]
    if (mode === 'advanced') {
      for (const size of SIZES) checks.push(await check(`${size} KB`, () => sized(bench, size)))
      checks.push(await check('at once', () => together(bench)))
      checks.push(await check('lock', () => fairness(bench)))
    }
    const measured = await speed(bench)
    return { backend: cache.status().backend, ok: checks.every(({ ok }) => ok), checks, speed: measured }
  } finally {
    await Promise.allSettled([...used].map(name => documents.delete(name)))
  }
}
