import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { CacheOptions, HistoryView, Stats } from '../../src/index.ts'
import { compiled } from './compiled.ts'

export interface WatchedRequest {
  readonly id: number
  readonly verb: 'work' | 'tick' | 'stats' | 'prometheus' | 'history' | 'close'
  readonly rounds?: number
}

export interface WatchedAnswer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** A process with one cache and its monitor, driven by its test. */
export interface WatchedNode {
  /** Reads, loads, keeps and deletes so many times over. */
  work(rounds: number): Promise<void>
  tick(): Promise<void>
  stats(): Promise<Stats>
  prometheus(): Promise<string>
  history(): Promise<HistoryView>
  /** Closes the monitor and the cache; the process ends. */
  close(): Promise<void>
  kill(): Promise<void>
}

export async function startWatched(options: CacheOptions): Promise<WatchedNode> {
  const script = await compiled(new URL('./monitor-node-child.ts', import.meta.url))
  const child: ChildProcess = fork(script, [JSON.stringify(options)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let requests = 0
  const exited = once(child, 'exit').then(() => {
    for (const { reject } of waiting.values()) reject(new Error('the process ended'))
    waiting.clear()
  })
  child.on('message', ({ id, value, error }: WatchedAnswer) => {
    const one = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) one?.resolve(value)
    else one?.reject(new Error(error))
  })
  const answer = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
    })
  const ask = (verb: WatchedRequest['verb'], rounds = 0): Promise<never> => {
    const id = ++requests
    const answered = answer(id)
    child.send({ id, verb, rounds } satisfies WatchedRequest)
    return answered as Promise<never>
  }
  await answer(0)
  return {
    work: rounds => ask('work', rounds),
    tick: () => ask('tick'),
    stats: () => ask('stats'),
    prometheus: () => ask('prometheus'),
    history: () => ask('history'),
    async close() {
      await ask('close')
      await exited
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
