import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Sentence } from './contract.ts'
import { errnoOf } from './files.ts'
import { type Room, sentence } from './room.ts'

/** A process of Node has eleven threads, and hosts count those. */
const THREADS_OF_NODE = 11

const quietly = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

/** Threads of this user; undefined where the system does not tell. */
async function threadsOfUser(): Promise<number | undefined> {
  const user = process.getuid?.()
  if (user === undefined) return undefined
  try {
    let threads = 0
    for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
      const owner = await stat(`/proc/${pid}`).catch(() => undefined)
      if (owner?.uid !== user) continue
      threads += Number(/^Threads:\s+(\d+)/m.exec((await quietly(`/proc/${pid}/status`)) ?? '')?.[1] ?? 0)
    }
    return threads
  } catch {
    return undefined
  }
}

export interface ThreadRoom {
  readonly used: number | undefined
  /** Undefined: without a limit, or not told. */
  readonly limit: number | undefined
}

/** How many threads this account may still have: its own limit, or that of its control group. */
export async function threadRoom(): Promise<ThreadRoom> {
  const limits = await quietly('/proc/self/limits')
  const own = Number(/^Max processes\s+(\d+)/m.exec(limits ?? '')?.[1] ?? Number.NaN)
  const group = Number((await quietly('/sys/fs/cgroup/pids.max'))?.trim() ?? Number.NaN)
  const groupUsed = Number((await quietly('/sys/fs/cgroup/pids.current'))?.trim() ?? Number.NaN)
  const used = await threadsOfUser()
  // Root is not held to its own limit.
  const ownLimit = process.getuid?.() === 0 || !Number.isFinite(own) ? undefined : own
  if (Number.isFinite(group) && (ownLimit === undefined || group - groupUsed < ownLimit - (used ?? 0))) {
    return { used: groupUsed, limit: group }
  }
  return { used, limit: ownLimit }
}

/** A short-lived process of this package that is asked one thing after the other. */
export interface Child {
  ask(question: Readonly<Record<string, unknown>>): Promise<unknown>
  /** kill -9, and gone when this resolves. */
  kill(): Promise<void>
}

const CHILD_ANSWERS_WITHIN = 10_000

function attach(child: ChildProcess): Child {
  const waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = []
  const gone = new Promise<void>(resolve => child.once('close', () => resolve()))
  const fail = (error: Error): void => {
    for (const each of waiting.splice(0)) each.reject(error)
  }
  child.once('error', fail)
  child.stdin?.on('error', () => undefined)
  void gone.then(() => fail(new Error('the other process has ended')))
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', line => {
      const { error, value } = JSON.parse(line) as { error?: string; value?: unknown }
      const next = waiting.shift()
      if (error === undefined) next?.resolve(value)
      else next?.reject(new Error(error))
    })
  }
  return {
    ask: question =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('the other process did not answer')), CHILD_ANSWERS_WITHIN)
        const settle =
          <T>(act: (value: T) => void) =>
          (value: T): void => {
            clearTimeout(timer)
            act(value)
          }
        waiting.push({ resolve: settle(resolve), reject: settle(reject) })
        child.stdin?.write(`${JSON.stringify(question)}\n`)
      }),
    async kill() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await gone
    },
  }
}

export type Started = { readonly ok: true; readonly child: Child } | { readonly ok: false; readonly why: Sentence }

/** Starts the other process, but only where there is room for its threads. It ends with this one, however that ends. */
export async function startChild({ options, signal }: Room): Promise<Started> {
  const { used, limit } = await threadRoom()
  if (limit !== undefined && used !== undefined && limit - used < 2 * THREADS_OF_NODE) {
    return { ok: false, why: sentence('child.noRoom', { used, limit }) }
  }
  const beside = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url))
  const file = options.child ?? beside
  if (!existsSync(file)) return { ok: false, why: sentence('child.missing') }
  signal.throwIfAborted()
  // Nothing of the environment is needed but where programs are; a cache must not find other settings there.
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const attached = attach(child)
  const leave = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', leave, { once: true })
  child.once('close', () => signal.removeEventListener('abort', leave))
  try {
    await attached.ask({ act: 'hello' })
    return { ok: true, child: attached }
  } catch (error) {
    await attached.kill()
    signal.throwIfAborted()
    return { ok: false, why: sentence('child.failed', { errno: errnoOf(error) }) }
  }
}
