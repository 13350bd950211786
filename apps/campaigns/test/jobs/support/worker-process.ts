import { bundled } from '../../support/bundled.ts'
import { fork } from 'node:child_process'

/** What a worker works on until it is told to stop. */
export interface WorkerSite {
  readonly url: string
  readonly directory: string
  /** The time it believes in, in milliseconds since 1970. */
  readonly now: number
  /** Whether it stops where jobs say that their first worker does. */
  readonly stops: boolean
}

export type WorkerOrder =
  | { readonly kind: 'open'; readonly site: WorkerSite }
  | { readonly kind: 'close' }
  | { readonly kind: 'clock'; readonly now: number }
  | { readonly kind: 'go-on' }

export type WorkerSays = 'ready' | 'opened' | 'closed' | 'stopped'

/** A worker in a process of its own, which can be lent to one test after the other. */
export interface WorkerProcess {
  /** Resolves when it works there. */
  open(site: WorkerSite): Promise<void>
  close(): Promise<void>
  tell(order: WorkerOrder): void
  /** Resolves when a job stops in it. */
  stopped(): Promise<void>
  /** kill -9, and its end. */
  kill(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

/** Whoever starts it kills it. */
export async function startWorkerProcess(): Promise<WorkerProcess> {
  const program = await bundled(new URL('./worker-program.ts', import.meta.url))
  const child = fork(program, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const heard = (what: WorkerSays): Promise<void> =>
    new Promise((resolve, reject) => {
      const listen = (said: WorkerSays): void => {
        if (said !== what) return
        child.off('message', listen)
        resolve()
      }
      child.on('message', listen)
      void exited.then(() => reject(new Error(`the process ended before it was ${what}`)))
    })
  const tell = (order: WorkerOrder): void => void child.send(order)
  await heard('ready')
  return {
    open(site) {
      const opened = heard('opened')
      tell({ kind: 'open', site })
      return opened
    },
    close() {
      const closed = heard('closed')
      tell({ kind: 'close' })
      return closed
    },
    tell,
    stopped: () => heard('stopped'),
    kill() {
      child.kill('SIGKILL')
      return exited
    },
    signal: signal => void child.kill(signal),
  }
}
