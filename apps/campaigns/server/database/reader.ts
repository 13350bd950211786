import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { QueryResult } from 'kysely'
import type { Link } from './sqlite.ts'

/**
 * A read-only connection in a thread of its own. better-sqlite3 is synchronous: a dashboard over a million messages
 * would hold the event loop for the better part of a second, and with it every answer that is already in the cache.
 */
export interface Request {
  readonly id: number
  readonly sql: string
  readonly parameters: readonly unknown[]
}

export type Reply =
  | { readonly id: number; readonly result: QueryResult<unknown> }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } }

interface Pending {
  readonly resolve: (result: QueryResult<unknown>) => void
  readonly reject: (error: Error) => void
}

interface Bundler {
  buildSync(options: Readonly<Record<string, unknown>>): { readonly outputFiles: readonly { readonly text: string }[] }
}

let bundled: string | undefined

/**
 * From sources a thread would have to compile what it runs, and loading a compiler takes ten times as long as opening a
 * database: it is compiled here, once, by the bundler of the loader that runs us.
 */
function bundleWorker(): string {
  if (bundled !== undefined) return bundled
  const require = createRequire(import.meta.url)
  const { buildSync } = createRequire(require.resolve('tsx/package.json'))('esbuild') as Bundler
  const entry = fileURLToPath(new URL('./reader-worker.ts', import.meta.url))
  const [file] = buildSync({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['better-sqlite3'],
    write: false,
  }).outputFiles
  // A text has no place of its own to find packages from.
  const from = `require('node:module').createRequire(${JSON.stringify(entry)})`
  bundled = `(require => {${file?.text ?? ''}\n})(${from})`
  return bundled
}

function startWorker(path: string): Worker {
  const options = { workerData: { path }, name: 'database-reader' }
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./reader-worker.js', import.meta.url), options)
  return new Worker(bundleWorker(), { ...options, eval: true, execArgv: [] })
}

export function workerLink(path: string): Link {
  const worker = startWorker(path)
  const pending = new Map<number, Pending>()
  let lastId = 0
  let fault: Error | undefined
  const fail = (error: Error): void => {
    fault ??= error
    for (const { reject } of pending.values()) reject(fault)
    pending.clear()
  }
  worker.on('message', (reply: Reply) => {
    const call = pending.get(reply.id)
    pending.delete(reply.id)
    if (pending.size === 0) worker.unref()
    if ('result' in reply) call?.resolve(reply.result)
    else call?.reject(Object.assign(new Error(reply.error.message), { code: reply.error.code }))
  })
  worker.on('error', error => fail(error instanceof Error ? error : new Error(String(error))))
  worker.on('exit', code => fail(new Error(`the database reader stopped (exit code ${code})`)))
  // An idle reader does not keep the process alive; one that owes an answer does.
  worker.unref()
  return {
    run: (sql, parameters) =>
      new Promise((resolve, reject) => {
        if (fault !== undefined) return reject(fault)
        const id = ++lastId
        pending.set(id, { resolve, reject })
        worker.ref()
        worker.postMessage({ id, sql, parameters } satisfies Request)
      }),
    alive: () => fault === undefined,
    close: async () => void (await worker.terminate()),
  }
}
