import { appendFileSync } from 'node:fs'
import { type CacheOptions, createCache } from '../../src/index.ts'

/** What a test asks of a process of its own: answers are lines of JSON on the IPC channel. */
export interface WorkerTask {
  readonly options: CacheOptions
  readonly job: 'stampede' | 'mixed'
  /** A file each load appends a line to: counted by the test, over all processes. */
  readonly loads: string
  readonly callers: number
  readonly ms: number
  readonly seed: number
}

export interface WorkerAnswer {
  readonly values: readonly string[]
  readonly reads: number
  readonly wrong: number
  readonly errors: readonly string[]
}

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

async function stampede(task: WorkerTask): Promise<WorkerAnswer> {
  const cache = createCache({ ...task.options, logger: false })
  await cache.ready()
  process.send?.('ready')
  await new Promise<void>(resolve => process.once('message', () => resolve()))
  const load = async (): Promise<string> => {
    appendFileSync(task.loads, `${process.pid}\n`)
    await wait(200)
    return `loaded`
  }
  const values = await Promise.all(Array.from({ length: task.callers }, () => cache.getOrSet('hot', load)))
  await cache.close()
  return { values: [...new Set(values)], reads: values.length, wrong: 0, errors: [] }
}

/** A value that proves itself: a text repeated a number of times that is written in front. */
function made(key: string, n: number): { key: string; n: number; body: string } {
  return { key, n, body: `${key}.${n};`.repeat(20 + (n % 200)) }
}

async function mixed(task: WorkerTask): Promise<WorkerAnswer> {
  const errors: string[] = []
  const cache = createCache({ ...task.options, logger: false })
  cache.on('error', event => errors.push(`${event.operation} ${event.code} ${event.message}`))
  await cache.ready()
  process.send?.('ready')
  await new Promise<void>(resolve => process.once('message', () => resolve()))
  let state = task.seed
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
  let reads = 0
  let wrong = 0
  const endAt = performance.now() + task.ms
  while (performance.now() < endAt) {
    const key = `k${random(50)}`
    const dice = random(10)
    if (dice < 3) await cache.set(key, made(key, random(1000)))
    else if (dice === 3) await cache.delete(key)
    else {
      const value =
        dice < 6
          ? await cache.getOrSet(key, () => made(key, random(1000)))
          : await cache.get<ReturnType<typeof made>>(key)
      reads++
      if (value !== undefined && JSON.stringify(value) !== JSON.stringify(made(key, value.n))) wrong++
    }
    // The bus is heard, and the other workers get their turn, only when the loop is let go.
    if (reads % 50 === 0) await wait(0)
  }
  await cache.close()
  return { values: [], reads, wrong, errors }
}

const task = JSON.parse(process.argv[2] ?? '{}') as WorkerTask
const answer = task.job === 'stampede' ? await stampede(task) : await mixed(task)
process.send?.(answer, () => process.disconnect())
