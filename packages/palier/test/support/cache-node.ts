import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { CacheOptions, Receipt, Status } from '../../src/index.ts'
import { compiled } from './compiled.ts'

/** What a process with one cache is asked; `args` are those of the verb. */
export interface NodeRequest {
  readonly id: number
  readonly verb: string
  readonly args: readonly unknown[]
}

export interface NodeAnswer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

export interface NodeSetup {
  readonly options?: CacheOptions
  readonly env?: Readonly<Record<string, string>>
  /** A file that every run of a factory appends the process's id to. */
  readonly loads?: string
  /** SIGTERM closes the cache, and nothing else ends the process then. */
  readonly closesOnTerm?: boolean
}

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** What a herd of callers got. */
export interface Herd {
  readonly values: readonly unknown[]
  readonly failures: readonly string[]
}

/** A process that holds one cache, driven by its test. */
export interface CacheNode {
  readonly pid: number
  readonly exited: Promise<Exit>
  /** What it wrote on its standard error. */
  errors(): string
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<Receipt>
  add(key: string, value: unknown): Promise<boolean>
  delete(key: string): Promise<Receipt>
  /** `prefix0` to `prefix<count - 1>`, all at once; resolves with how each receipt called it. */
  deleteRange(prefix: string, count: number): Promise<Readonly<Record<string, number>>>
  /** What a factory that takes `ms` gives, or what is there. */
  load(key: string, value: unknown, ms?: number): Promise<unknown>
  /** So many callers at once, of a factory that takes `ms`. */
  herd(key: string, count: number, value: unknown, ms: number): Promise<Herd>
  status(): Promise<Status>
  /** Its `error` events so far, each as one line. */
  troubles(): Promise<readonly string[]>
  kill(signal: NodeJS.Signals): void
  /** Lets the process go: nothing of the test keeps it alive from now on. */
  letGo(): void
  stop(): Promise<void>
}

export async function startNode(setup: NodeSetup): Promise<CacheNode> {
  const script = await compiled(new URL('./cache-node-child.ts', import.meta.url))
  const child: ChildProcess = fork(script, [JSON.stringify(setup)], {
    execArgv: [],
    env: { ...process.env, ...setup.env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let text = ''
  child.stderr?.on('data', chunk => (text += String(chunk)))
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let requests = 0
  const exited = once(child, 'exit').then(([code, signal]): Exit => {
    for (const { reject } of waiting.values()) reject(new Error(`the process ended with ${code ?? signal}: ${text}`))
    waiting.clear()
    return { code: code as number | null, signal: signal as string | null }
  })
  child.on('message', (answer: NodeAnswer) => {
    const one = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.error === undefined) one?.resolve(answer.value)
    else one?.reject(new Error(answer.error))
  })
  const expectAnswer = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
    })
  const ask = (verb: string, ...args: readonly unknown[]): Promise<never> => {
    const id = ++requests
    const answer = expectAnswer(id)
    const request: NodeRequest = { id, verb, args }
    child.send(request, error => {
      if (error === null) return
      waiting.get(id)?.reject(error)
      waiting.delete(id)
    })
    return answer as Promise<never>
  }
  await expectAnswer(0)
  return {
    pid: child.pid ?? -1,
    exited,
    errors: () => text,
    get: key => ask('get', key),
    set: (key, value) => ask('set', key, value),
    add: (key, value) => ask('add', key, value),
    delete: key => ask('delete', key),
    deleteRange: (prefix, count) => ask('deleteRange', prefix, count),
    load: (key, value, ms = 0) => ask('load', key, value, ms),
    herd: (key, count, value, ms) => ask('herd', key, count, value, ms),
    status: () => ask('status'),
    troubles: () => ask('troubles'),
    kill: signal => void child.kill(signal),
    letGo: () => child.disconnect(),
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
