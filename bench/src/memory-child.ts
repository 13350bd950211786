import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beChild } from './children.ts'
import { expectSame, small } from './fixtures.ts'
import { type Filled, HEAP_KEEPERS, palierCache } from './heap-keepers.ts'

export interface HeapTask {
  readonly keeper: string
  readonly entries: number
}

export interface HeapResult {
  readonly bytesPerEntry: number
  readonly fillMs: number
  readonly kept: number
  /** How many there were after a tenth more had been put in; undefined when there is no bound. */
  readonly keptAfter: number | undefined
  /** How many were put in past the bound, and whether that was all of them. */
  readonly over: number
  readonly finished: boolean
  /** The most there ever were. */
  readonly peak: number
  readonly bytes?: { readonly bound: number; readonly peak: number; readonly heap: number }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

async function used(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    collect()
    await new Promise(resolve => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Some find their victims by walking everything they hold: those are not waited for. */
const OVERFLOW_MS = 20_000

/** How many were put in before `budget` milliseconds were over. */
async function fill(
  cache: Filled,
  from: number,
  to: number,
  look: () => void,
  budget: number = Number.POSITIVE_INFINITY,
): Promise<number> {
  const until = performance.now() + budget
  let i = from
  for (; i < to; i++) {
    const put = cache.put(`user:${i}`, small(i))
    // Only promises are waited for: a wait costs as much as a put.
    if (put instanceof Promise) await put
    if (i % 64 === 0 && performance.now() > until) break
    if (i % 1024 === 0) look()
  }
  look()
  return i - from
}

/** Small entries well past a bound of bytes: what the library believes it holds, and what the heap says. */
async function boundOfBytes(entries: number): Promise<HeapResult['bytes']> {
  const bound = Math.round(entries * 20)
  const before = await used()
  const cache = await palierCache(2 ** 31, bound)
  let peak = 0
  await fill(cache, 0, entries, () => {
    peak = Math.max(peak, cache.bytes())
  })
  return { bound, peak, heap: (await used()) - before }
}

await beChild(async ({ keeper: name, entries }: HeapTask) => {
  const keeper = HEAP_KEEPERS.find(one => one.name === name)
  if (keeper === undefined) throw new Error(`nobody is called ${name}`)
  return async (): Promise<HeapResult> => {
    // A throw-away one first, so that compiled code is not counted as entries.
    const trial = await keeper.open(2000)
    await fill(trial, 0, 2000, () => undefined)
    const before = await used()
    const cache = await keeper.open(entries)
    let peak = 0
    const look = (): void => {
      peak = Math.max(peak, cache.size())
    }
    const startedAt = performance.now()
    await fill(cache, 0, entries, look)
    const fillMs = performance.now() - startedAt
    const bytesPerEntry = ((await used()) - before) / entries
    const kept = cache.size()
    expectSame(await cache.get(`user:${entries - 1}`), small(entries - 1), 'the newest entry')
    const more = Math.round(entries / 10)
    const over = keeper.bounded ? await fill(cache, entries, entries + more, look, OVERFLOW_MS) : more
    const bytes = name === 'palier' ? await boundOfBytes(Math.round(entries / 10)) : undefined
    const keptAfter = keeper.bounded ? cache.size() : undefined
    return {
      bytesPerEntry,
      fillMs,
      kept,
      keptAfter,
      peak,
      over,
      finished: over === more,
      ...(bytes !== undefined && { bytes }),
    }
  }
})
