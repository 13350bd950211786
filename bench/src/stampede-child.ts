import { beChild } from './children.ts'
import { page } from './fixtures.ts'
import { LOADERS, type Place } from './loaders.ts'

export interface StampedeTask {
  readonly loader: string
  readonly place: Place
  readonly key: string
  readonly callers: number
  readonly loadMs: number
}

export interface StampedeResult {
  readonly loads: number
  readonly wrong: number
  readonly ms: number
}

await beChild(async ({ loader: name, place, key, callers, loadMs }: StampedeTask) => {
  const kind = LOADERS.find(one => one.name === name)
  if (kind === undefined) throw new Error(`no loader is called ${name}`)
  const loader = await kind.open(place)
  // Connections, scripts and stamps are there before the crowd comes.
  await loader.getOrSet(`warm-up-${process.pid}`, async () => page(200, 1))
  return async (): Promise<StampedeResult> => {
    let loads = 0
    const factory = async (): Promise<object> => {
      loads++
      await new Promise(resolve => setTimeout(resolve, loadMs))
      return page(2048, 7)
    }
    const startedAt = performance.now()
    const answers = await Promise.all(Array.from({ length: callers }, () => loader.getOrSet(key, factory)))
    const ms = performance.now() - startedAt
    const wrong = answers.filter(answer => (answer as { id?: unknown } | undefined)?.id !== 7).length
    await loader.close()
    return { loads, wrong, ms }
  }
})
