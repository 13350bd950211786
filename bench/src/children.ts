import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/*
 * Work in other processes. A child is a module of this directory; it gets its task as JSON, says `ready`, and answers
 * `go` with its result. Children run as this process runs: same loader, same conditions.
 */

export interface Child<R> {
  /** Resolves with the result; rejects when the child ends without one. */
  go(): Promise<R>
  end(): void
}

type Message<R> = { readonly ready: true } | { readonly result: R }

async function heard<R>(child: ChildProcess): Promise<Message<R>> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`a child process ended with ${String(code)} before it answered`)
  })
  const [message] = (await Promise.race([once(child, 'message'), ended])) as [Message<R>]
  return message
}

export async function startChild<R>(module: string, task: object, flags: readonly string[] = []): Promise<Child<R>> {
  const path = fileURLToPath(new URL(module, import.meta.url))
  const child = fork(path, [JSON.stringify(task)], { execArgv: [...process.execArgv, ...flags] })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  await heard(child)
  return {
    async go() {
      child.send('go')
      const message = await heard<R>(child)
      kill()
      if ('result' in message) return message.result
      throw new Error('a child process answered out of turn')
    },
    end: kill,
  }
}

/** The whole life of a child process: prepares, says so, waits to be told, and answers. */
export async function beChild<T, R>(prepare: (task: T) => Promise<() => Promise<R>>): Promise<void> {
  const work = await prepare(JSON.parse(process.argv[2] ?? '{}') as T)
  process.send?.({ ready: true })
  await once(process, 'message')
  process.send?.({ result: await work() })
}
