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

async function fill(cache: Filled, from: number, to: number, look: () => void): Promise<void> {
  for (let i = from; i < to; i++) {
    const put = cache.put(`user:${i}`, small(i))
    // Only promises are waited for: a wait costs as much as a put.
    if (put instanceof Promise) await put
    if (i % 1024 === 0) look()
  }
  look()
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
    if (keeper.bounded) await fill(cache, entries, Math.round(entries * 1.1), look)
    const bytes = name === 'palier' ? await boundOfBytes(Math.round(entries / 10)) : undefined
    const keptAfter = keeper.bounded ? cache.size() : undefined
    return { bytesPerEntry, fillMs, kept, keptAfter, peak, ...(bytes !== undefined && { bytes }) }
  }
})
