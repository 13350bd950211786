import { appendFileSync } from 'node:fs'
import { createCache } from '../../src/index.ts'
import type { Herd, NodeAnswer, NodeRequest, NodeSetup } from './cache-node.ts'

/* A process with one cache, which does what the messages of its parent say. See cache-node.ts. */
const setup = JSON.parse(process.argv[2] ?? '{}') as NodeSetup
const cache = createCache({ logger: false, ...setup.options })
const troubles: string[] = []
cache.on('error', ({ operation, code, message }) => troubles.push(`${operation} ${code} ${message}`))

const factory = (value: unknown, ms: number) => async (): Promise<unknown> => {
  if (setup.loads !== undefined) appendFileSync(setup.loads, `${process.pid}\n`)
  if (ms > 0) await new Promise(resolve => setTimeout(resolve, ms))
  return value
}

async function herd(key: string, count: number, value: unknown, ms: number): Promise<Herd> {
  const make = factory(value, ms)
  const landed = await Promise.allSettled(Array.from({ length: count }, () => cache.getOrSet(key, make)))
  const values = landed.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const failures = landed.flatMap(one => (one.status === 'rejected' ? [String(one.reason)] : []))
  return { values: [...new Set(values)], failures: [...new Set(failures)] }
}

async function deleteRange(prefix: string, count: number): Promise<Record<string, number>> {
  const receipts = await Promise.all(Array.from({ length: count }, (_, i) => cache.delete(`${prefix}${i}`)))
  const words: Record<string, number> = {}
  for (const { shared } of receipts) words[shared] = (words[shared] ?? 0) + 1
  return words
}

type Verb = (...args: readonly never[]) => Promise<unknown>

const verbs: Readonly<Record<string, Verb>> = {
  get: (key: string) => cache.get(key),
  set: (key: string, value: unknown) => cache.set(key, value),
  add: (key: string, value: unknown) => cache.add(key, value),
  delete: (key: string) => cache.delete(key),
  deleteRange,
  load: (key: string, value: unknown, ms: number) => cache.getOrSet(key, factory(value, ms)),
  herd,
  status: () => Promise.resolve(cache.status()),
  troubles: () => Promise.resolve(troubles),
}

process.on('message', (request: NodeRequest) => {
  const verb = verbs[request.verb]
  const done = verb === undefined ? Promise.reject(new Error(request.verb)) : verb(...(request.args as never[]))
  done.then(
    value => process.send?.({ id: request.id, value } satisfies NodeAnswer),
    (error: unknown) => process.send?.({ id: request.id, error: String(error) } satisfies NodeAnswer),
  )
})

if (setup.closesOnTerm === true) {
  process.once('SIGTERM', () => {
    cache.close().catch((error: unknown) => {
      process.stderr.write(String(error))
      process.exitCode = 1
    })
    if (process.connected) process.disconnect()
  })
}

await cache.ready()
process.send?.({ id: 0 } satisfies NodeAnswer)
