import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Reply, Request, Requests, Task, Verb } from './protocol.ts'

/** A contestant's process, as the parent holds it. */
export interface Member {
  /** Rejects with what became of the process when it ends before it answers. */
  ask<V extends Verb>(verb: V, task: Requests[V]['task']): Promise<Requests[V]['result']>
  /** How the process ended, if it has. */
  ended(): string | undefined
  kill(): Promise<void>
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

const LAST_WORDS = 4000

/** The line that says what went wrong, out of what Node prints when a process dies of an error. */
function lastWords(text: string): string {
  const line = text.split('\n').find(one => /^\s*(?:\[?\w*Error\b|code:|Uncaught)/.test(one)) ?? ''
  return line.trim().slice(0, 120)
}

export async function startMember(task: Task): Promise<Member> {
  const path = fileURLToPath(new URL('./child.ts', import.meta.url))
  const child = fork(path, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const waiting = new Map<number, Waiting>()
  let stderr = ''
  let end: string | undefined
  let next = 1
  child.stderr?.on('data', data => {
    stderr = (stderr + String(data)).slice(-LAST_WORDS)
  })
  const kill = (): void => void child.kill('SIGKILL')
  process.prependOnceListener('exit', kill)
  const exited = new Promise<void>(resolve => {
    child.once('exit', (code, signal) => {
      process.off('exit', kill)
      end = `the process ended (${signal ?? code}) ${lastWords(stderr)}`.trim()
      for (const { reject } of waiting.values()) reject(new Error(end))
      waiting.clear()
      resolve()
    })
  })
  const expect = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (end !== undefined) reject(new Error(end))
      waiting.set(id, { resolve, reject })
    })
  child.on('message', message => {
    const { id, result, error } = message as Reply
    const one = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) one?.resolve(result)
    else one?.reject(new Error(error))
  })
  await expect(0)
  return {
    async ask<V extends Verb>(verb: V, task: Requests[V]['task']) {
      const id = next++
      const reply = expect(id)
      // Whoever asked looks at it when it is due; until then it is no accident.
      reply.catch(() => undefined)
      if (end === undefined) child.send({ id, verb, task } satisfies Request)
      return (await reply) as Requests[V]['result']
    },
    ended: () => end,
    async kill() {
      if (end === undefined) kill()
      await exited
    },
  }
}
