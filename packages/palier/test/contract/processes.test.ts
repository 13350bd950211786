import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { CacheOptions } from '../../src/index.ts'
import type { WorkerAnswer, WorkerTask } from '../support/cache-worker.ts'
import { compiled } from '../support/compiled.ts'
import { startRedis } from '../support/redis-server.ts'

const running = new Set<ChildProcess>()
const clean: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
  for (const end of clean.splice(0).reverse()) await end()
})

function start(
  script: string,
  task: WorkerTask,
): { child: ChildProcess; ready: Promise<unknown>; answer: Promise<WorkerAnswer> } {
  const child = fork(script, [JSON.stringify(task)], { execArgv: [] })
  running.add(child)
  const ready = once(child, 'message')
  const failed = once(child, 'exit').then(([code]) => {
    running.delete(child)
    throw new Error(`a worker ended with ${String(code)} before it answered`)
  })
  failed.catch(() => undefined)
  const answer = ready.then(async () => {
    const [message] = await Promise.race([once(child, 'message'), failed])
    return message as WorkerAnswer
  })
  answer.catch(() => undefined)
  return { child, ready: Promise.race([ready, failed]), answer }
}

async function together(tasks: readonly WorkerTask[]): Promise<WorkerAnswer[]> {
  const script = await compiled(new URL('../support/cache-worker.ts', import.meta.url))
  const workers = tasks.map(task => start(script, task))
  for (const worker of workers) await worker.ready
  for (const worker of workers) worker.child.send('go')
  return Promise.all(workers.map(worker => worker.answer))
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'palier-'))
  clean.push(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Four starting processes keep two cores busy: here it is answers that count, not how soon they come. */
const PATIENT: CacheOptions = { deadline: '5s', detectBudget: '20s' }

const BACKENDS: readonly { name: string; options(): Promise<CacheOptions> }[] = [
  {
    name: 'files',
    options: async () => ({ ...PATIENT, backend: 'filesystem', dir: join(await folder(), 'cache') }),
  },
  {
    name: 'redis',
    async options() {
      const server = await startRedis()
      clean.push(() => server.stop())
      return { ...PATIENT, backend: 'redis', redisUrl: server.url }
    },
  },
]

describe.each(BACKENDS)('four processes on $name', backend => {
  test('100 callers in each: the factory runs once', async () => {
    const options = await backend.options()
    const loads = join(await folder(), 'loads')
    await writeFile(loads, '')
    const task = { options, job: 'stampede', loads, callers: 100, ms: 0, seed: 1 } as const
    const answers = await together([task, task, task, task])
    expect(answers.map(answer => answer.values)).toEqual(Array.from({ length: 4 }, () => ['loaded']))
    expect((await readFile(loads, 'utf8')).trim().split('\n')).toHaveLength(1)
  })

  test('reading, writing and deleting the same keys for two seconds: no wrong value, no error', async () => {
    const options = await backend.options()
    const tasks = [1, 2, 3, 4].map(seed => ({ options, job: 'mixed', loads: '', callers: 0, ms: 2_000, seed }) as const)
    for (const answer of await together(tasks)) {
      expect(answer.errors).toEqual([])
      expect(answer.wrong).toBe(0)
      expect(answer.reads).toBeGreaterThan(100)
    }
  })
})
