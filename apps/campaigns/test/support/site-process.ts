import { fork } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { bundled } from './bundled.ts'

/** What a process of the application is told when it begins. */
export interface SiteSetup {
  readonly url: string
  readonly directory: string
  readonly backend: 'redis' | 'filesystem' | 'memory'
  readonly redisUrl?: string
  /** The time it believes in, in milliseconds since 1970. */
  readonly now: number
}

export interface SiteOrder {
  readonly order: number
}

export type SiteSays =
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'settled'; readonly order: number }
  | { readonly kind: 'failed'; readonly reason: string }

/** The application in a process of its own, on a port of its own. */
export interface SiteProcess {
  readonly address: string
  /** Resolves when its jobs and drains have nothing to do and its cache has heard of everything. */
  settle(): Promise<void>
  /** kill -9, and its end. */
  kill(): Promise<void>
}

/** Starts one; it ends with the test, however that ends. */
export async function startSite(setup: SiteSetup): Promise<SiteProcess> {
  const worker = await bundled(new URL('./site-worker.ts', import.meta.url))
  const child = fork(worker, [JSON.stringify(setup)], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  onTestFinished(() => {
    child.kill('SIGKILL')
    return exited
  })
  const waiting = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  let orders = 0
  const address = await new Promise<string>((resolve, reject) => {
    const end = (reason: string): void => {
      reject(new Error(reason))
      for (const { reject: fail } of waiting.values()) fail(new Error(reason))
    }
    child.on('message', (said: SiteSays) => {
      if (said.kind === 'listening') resolve(said.address)
      else if (said.kind === 'failed') end(said.reason)
      else waiting.get(said.order)?.resolve()
    })
    child.once('exit', code => end(`the process ended with ${code}`))
  })
  return {
    address,
    settle: () =>
      new Promise((resolve, reject) => {
        const order = ++orders
        waiting.set(order, { resolve, reject })
        child.send({ order } satisfies SiteOrder)
      }),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
