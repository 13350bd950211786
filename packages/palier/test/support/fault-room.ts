import { mkdtemp, rm } from 'node:fs/promises'
import { appendFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type Cache, type CacheOptions, createCache, type TierStatus } from '../../src/index.ts'
import { type CacheNode, type NodeSetup, startNode } from './cache-node.ts'
import { type Proxy, startProxy } from './proxy.ts'
import { type RedisServer, type RedisServerOptions, startRedis, until } from './redis-server.ts'

/** Half a minute: longer than anything a test waits for, so that reaching it means "never". */
export const NEVER = 30_000

/** What a test of faults starts; all of it is stopped after the test, in the reverse order, however that ends. */
export interface FaultRoom {
  redis(options?: RedisServerOptions): Promise<RedisServer>
  proxy(port: number): Promise<Proxy>
  folder(): Promise<string>
  /** A cache of this process that has begun. Its directory is a fresh one unless the options name another. */
  cache(options: CacheOptions): Promise<Cache>
  /** A cache in a process of its own. */
  node(setup: NodeSetup): Promise<CacheNode>
  atEnd(end: () => unknown): void
}

export function faultRoom(): FaultRoom {
  const ends: (() => unknown)[] = []
  const atEnd = (end: () => unknown): void => void ends.push(end)
  afterEach(async () => {
    const failures: unknown[] = []
    for (const end of ends.splice(0).reverse()) {
      try {
        await end()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'what a test started could not be ended')
  })
  const room: FaultRoom = {
    atEnd,
    async redis(options) {
      const server = await startRedis(options)
      atEnd(() => server.stop())
      return server
    },
    async proxy(port) {
      const proxy = await startProxy({ port })
      atEnd(() => proxy.close())
      return proxy
    },
    async folder() {
      const dir = await mkdtemp(join(tmpdir(), 'palier-fault-'))
      atEnd(() => rm(dir, { recursive: true, force: true }))
      return dir
    },
    async cache(options) {
      const dir = options.dir ?? join(await room.folder(), 'cache')
      const cache = createCache({ logger: false, ...options, dir })
      atEnd(() => cache.close())
      await cache.ready()
      return cache
    },
    async node(setup) {
      const dir = setup.options?.dir ?? join(await room.folder(), 'cache')
      const node = await startNode({ ...setup, options: { ...setup.options, dir } })
      atEnd(() => node.stop())
      return node
    },
  }
  return room
}

/** Options of a cache on one Redis. */
export const onRedis = ({ url }: { readonly url: string }): CacheOptions => ({ backend: 'redis', redisUrl: url })

/** The backend of the cache as its status shows it. */
export function sharedTier(cache: Pick<Cache, 'status'>): TierStatus | undefined {
  return cache.status().tiers.find(tier => tier.role === 'shared')
}

const isUp = (cache: Cache): boolean => {
  const shared = sharedTier(cache)
  return shared?.state === 'up' && shared.used
}

/** Resolves when each cache uses its backend and has nothing left to tell it. */
export async function allUp(...caches: readonly Cache[]): Promise<void> {
  for (const cache of caches) {
    await until(
      'the cache uses its backend again and nothing waits',
      () => isUp(cache) && cache.status().outbox.pending === 0,
      NEVER,
    )
  }
}

/** Resolves when each cache has noticed that its backend is out. */
export async function allOut(...caches: readonly Cache[]): Promise<void> {
  for (const cache of caches) {
    await until('the cache has left its backend alone', () => sharedTier(cache)?.state === 'open', NEVER)
  }
}

/**
 * To be called before a fault that may be over before anybody noticed it. What it gives resolves when each cache has lost its
 * backend since then, and uses it again.
 */
export function nextReturn(...caches: readonly Cache[]): () => Promise<void> {
  const waiting = new Set(caches)
  for (const cache of caches) cache.on('link', ({ state }) => void (state === 'open' && waiting.delete(cache)))
  return async () => {
    await until('each cache has lost its backend', () => waiting.size === 0, NEVER)
    await allUp(...caches)
  }
}

/** Resolves when the near tier of each cache is heard, so that what is deleted elsewhere is deleted here. */
export async function allWell(...caches: readonly Cache[]): Promise<void> {
  for (const cache of caches) {
    await until('the cache is healthy', () => cache.status().state === 'HEALTHY', NEVER)
  }
}

export async function timed(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await run()
  return performance.now() - begun
}

/** The value below which `share` of the numbers lie. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

/** Writes a measured number where FAULT_MEASURES says; for reports, not for judging. */
export function measured(what: string, value: number | string): void {
  const file = process.env['FAULT_MEASURES']
  if (file !== undefined)
    appendFileSync(file, `${what}: ${typeof value === 'number' ? Math.round(value * 10) / 10 : value}\n`)
}

/** A factory that must not be asked. */
export const never = (): never => {
  throw new Error('the factory was asked though the value should have been there')
}
