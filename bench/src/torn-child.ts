import { isDeepStrictEqual } from 'node:util'
import { beChild } from './children.ts'
import { FILE_KEEPERS } from './file-keepers.ts'
import { type Page, page } from './fixtures.ts'

export interface TornTask {
  readonly keeper: string
  readonly dir: string
  readonly reads: boolean
  readonly ms: number
}

export interface TornResult {
  writes: number
  whole: number
  absent: number
  torn: number
  failed: number
}

const PAGES: readonly Page[] = [2048, 65_536, 8192, 32_768].map((bytes, i) => page(bytes, i + 1))

await beChild(async ({ keeper: name, dir, reads, ms }: TornTask) => {
  const kind = FILE_KEEPERS.find(one => one.name === name)
  if (kind === undefined) throw new Error(`no file keeper is called ${name}`)
  const keeper = await kind.open(dir)
  await keeper.set('contested', PAGES[0] ?? {})
  // keyv-file prints what it cannot read; here that is counted.
  console.error = () => undefined
  return async () => {
    const result: TornResult = { writes: 0, whole: 0, absent: 0, torn: 0, failed: 0 }
    const until = performance.now() + ms
    for (let i = 0; performance.now() < until; i++) {
      try {
        if (!reads) {
          await keeper.set('contested', PAGES[i % PAGES.length] ?? {})
          result.writes++
          continue
        }
        const value = await keeper.get('contested')
        if (value === undefined || value === null) result.absent++
        else if (isWhole(value)) result.whole++
        else result.torn++
      } catch {
        result.failed++
      }
      // A synchronous reader would never let its own timers run.
      if (i % 64 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    await keeper.close()
    return result
  }
})

function isWhole(value: unknown): boolean {
  const expected = PAGES.find(one => one.id === (value as Page).id)
  return expected !== undefined && isDeepStrictEqual(structuredClone(value), expected)
}
