import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cache, createCache } from '../../src/index.ts'
import { carryPackets, dropPackets, raiseLoopback } from './netns.ts'
import { startRedis, until } from './redis-server.ts'

/*
 * `partition.ts MILLISECONDS`, in a network namespace: two caches on one Redis, whose packets vanish for so long while both
 * are under load and one of them deletes and sets. Prints what its users saw.
 */
export interface PartitionReport {
  /** From the first packet that came through to the first write that Redis acknowledged, in each cache. */
  readonly recoveries: readonly number[]
  readonly calls: number
  readonly unsettled: number
  readonly rejected: readonly string[]
  /** The slowest call of all, and of those made when the cache knew that Redis is out. */
  readonly slowest: number
  readonly slowestKnown: number
  readonly receipts: readonly string[]
  /** What each cache reads after both have recovered: of the deleted key, and of the one that was set anew. */
  readonly deleted: readonly unknown[]
  readonly replaced: readonly unknown[]
  readonly pending: readonly number[]
}

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const duration = Number(process.argv[2])

raiseLoopback()
const dir = await mkdtemp(join(tmpdir(), 'palier-fault-'))
const server = await startRedis()
const open = (name: string): Cache =>
  createCache({ logger: false, backend: 'redis', redisUrl: server.url, dir: join(dir, name) })
const caches = [open('a'), open('b')] as const
const [a, b] = caches
for (const cache of caches) {
  await cache.ready()
  await until('healthy', () => cache.status().state === 'HEALTHY')
}
await a.set('deleted', 'old')
await a.set('replaced', 'old')
await b.getMany(['deleted', 'replaced'])

let calls = 0
let pendingCalls = 0
let slowest = 0
let slowestKnown = 0
const rejected: string[] = []
const track = async (cache: Cache, call: Promise<unknown>): Promise<void> => {
  const known = cache.status().tiers.some(tier => tier.role === 'shared' && tier.state === 'open')
  const begun = performance.now()
  calls++
  pendingCalls++
  try {
    await call
  } catch (error) {
    rejected.push(String(error))
  }
  pendingCalls--
  const took = performance.now() - begun
  slowest = Math.max(slowest, took)
  if (known) slowestKnown = Math.max(slowestKnown, took)
}

let loading = true
const tracked: Promise<void>[] = []
const load = async (): Promise<void> => {
  for (let i = 0; loading; i++) {
    for (const cache of caches) {
      tracked.push(
        track(
          cache,
          cache.getOrSet(`miss${i}`, () => i),
        ),
        track(cache, cache.get(`hot${i % 7}`)),
        track(cache, cache.set(`hot${i % 7}`, i)),
        track(cache, cache.delete(`gone${i % 5}`)),
      )
    }
    await wait(20)
  }
}
const loaded = load()
await wait(200)
dropPackets(server.port)
const cutAt = performance.now()
const receipts = [(await a.delete('deleted')).shared, (await a.set('replaced', 'new')).shared]
await wait(duration - (performance.now() - cutAt))
carryPackets()
const healedAt = performance.now()
const recoveries = await Promise.all(
  caches.map(async cache => {
    await until('a write is acknowledged', async () => (await cache.set('probe', 1)).shared === 'acked', 60_000)
    return Math.round(performance.now() - healedAt)
  }),
)
loading = false
await loaded
// What is not settled by then never will be; the count tells.
await Promise.race([Promise.all(tracked), new Promise(resolve => setTimeout(resolve, 5000).unref())])
for (const cache of caches) await until('nothing waits', () => cache.status().outbox.pending === 0)
const report: PartitionReport = {
  recoveries,
  calls,
  unsettled: pendingCalls,
  rejected: [...new Set(rejected)],
  slowest: Math.round(slowest),
  slowestKnown: Math.round(slowestKnown),
  receipts,
  deleted: await Promise.all(caches.map(cache => cache.get('deleted'))),
  replaced: await Promise.all(caches.map(cache => cache.get('replaced'))),
  pending: caches.map(cache => cache.status().outbox.pending),
}
for (const cache of caches) await cache.close()
await server.stop()
await rm(dir, { recursive: true, force: true })
process.stdout.write(JSON.stringify(report))
