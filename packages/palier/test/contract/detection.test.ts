import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Cache, type CacheOptions, createCache } from '../../src/index.ts'
import { freePort } from '../support/ports.ts'
import { startRedis } from '../support/redis-server.ts'

let home: string
const caches: Cache[] = []

function open(options: CacheOptions = {}): Cache {
  const cache = createCache({ logger: false, ...options })
  caches.push(cache)
  return cache
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'palier-detect-'))
  for (const name of ['CACHE_ENABLED', 'CACHE_BACKEND', 'CACHE_DIR', 'REDIS_URL', 'REDIS_HOST', 'REDIS_PORT']) {
    vi.stubEnv(name, '')
  }
})

afterEach(async () => {
  await Promise.all(caches.splice(0).map(cache => cache.close()))
  vi.unstubAllEnvs()
  await rm(home, { recursive: true, force: true })
})

/** Accepts connections and never says a word. */
async function blackHole(): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => void sockets.add(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return {
    port: address.port,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('a client that is given', () => {
  const KINDS = {
    async ioredis(url: string) {
      const client = new Redis(url, { lazyConnect: true })
      await client.connect()
      return { client, ping: async () => client.ping(), close: async () => client.disconnect() }
    },
    async redis(url: string) {
      const client = createClient({ url })
      client.on('error', () => undefined)
      await client.connect()
      return { client, ping: async () => client.ping(), close: async () => client.destroy() }
    },
  }

  test.each(Object.entries(KINDS))('%s is used, and still open when the cache is closed', async (_name, connect) => {
    const server = await startRedis()
    const { client, ping, close } = await connect(server.url)
    try {
      const cache = open({ redis: client, dir: join(home, 'cache') })
      await cache.set('k', 1)
      expect(await cache.ready()).toMatchObject({ backend: 'redis', state: 'HEALTHY' })
      await cache.close()
      expect(await ping()).toBe('PONG')
    } finally {
      await close()
      await server.stop()
    }
  })
})

describe('the backend that is found', () => {
  test('Redis, when it answers, and the trace says what it did', async () => {
    const server = await startRedis()
    try {
      const cache = open({ redisUrl: server.url, dir: join(home, 'cache') })
      await cache.set('k', 1)
      const status = await cache.ready()
      expect(status).toMatchObject({ backend: 'redis', state: 'HEALTHY' })
      expect(status.why).toMatch(/Redis \d+\.\d+.* wrote, read and deleted a probe/)
      expect(status.tiers.map(tier => tier.name)).toEqual(['memory', 'redis'])
      expect(await cache.get('k')).toBe(1)
      await Promise.all(caches.splice(0).map(one => one.close()))
    } finally {
      await server.stop()
    }
  })

  test('a directory, when the port of Redis refuses, with both reasons', async () => {
    const port = await freePort()
    const cache = open({ redisUrl: `redis://127.0.0.1:${port}`, dir: join(home, 'cache') })
    const status = await cache.ready()
    // It was asked for, so it is waited for.
    expect(status).toMatchObject({ backend: 'filesystem', state: 'DEGRADED' })
    expect(status.reason).toContain('redis is out')
    expect(status.trace[0]).toMatchObject({ backend: 'redis', outcome: 'refused' })
    expect(status.trace[0]?.why).toContain('refused')
    expect(status.trace[0]?.hint).toContain('REDIS_HOST')
    expect(status.trace[1]).toMatchObject({ backend: 'filesystem', outcome: 'chosen' })
    expect(status.why).toContain('connection refused')
  })

  test('memory, when the directory is a file, and it says what stands in the way', async () => {
    const file = join(home, 'file')
    await writeFile(file, 'x')
    const cache = open({ redisUrl: `redis://127.0.0.1:${await freePort()}`, dir: file })
    const status = await cache.ready()
    expect(status).toMatchObject({ backend: 'memory', state: 'DEGRADED' })
    expect(status.trace.map(step => step.outcome)).toEqual(['refused', 'refused', 'chosen'])
    expect(status.trace[1]?.why).toContain('file')
    expect(status.trace[1]?.hint).toContain('CACHE_DIR')
    await cache.set('k', 1)
    expect(await cache.get('k')).toBe(1)
  })

  test('the environment decides like options do', async () => {
    vi.stubEnv('CACHE_BACKEND', 'filesystem')
    vi.stubEnv('CACHE_DIR', join(home, 'from the environment'))
    const status = await open().ready()
    expect(status.backend).toBe('filesystem')
    expect(status.why).toContain('from the environment')
    expect(status.configuration['dir']?.source).toBe('environment')
    expect(status.trace[0]).toMatchObject({ backend: 'redis', outcome: 'not tried' })
  })

  test('CACHE_BACKEND=redis without a Redis: falls back, DEGRADED, and says why', async () => {
    vi.stubEnv('CACHE_BACKEND', 'redis')
    vi.stubEnv('REDIS_HOST', '127.0.0.1')
    vi.stubEnv('REDIS_PORT', String(await freePort()))
    vi.stubEnv('CACHE_DIR', join(home, 'cache'))
    const cache = open()
    const states: string[] = []
    cache.on('state', ({ state }) => states.push(state))
    const status = await cache.ready()
    expect(status).toMatchObject({ backend: 'filesystem', state: 'DEGRADED' })
    expect(status.reason).toMatch(/^redis is out \(.*refused.*\): filesystem serves in its place/i)
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    expect(await cache.get('k')).toBe(1)
    expect(states).toEqual(['DEGRADED'])
  })

  test('CACHE_ENABLED=false: nothing is looked for, each read goes to the source', async () => {
    vi.stubEnv('CACHE_ENABLED', 'false')
    vi.stubEnv('CACHE_DIR', join(home, 'cache'))
    const cache = open()
    let reads = 0
    expect(await cache.getOrSet('k', () => ++reads)).toBe(1)
    expect(await cache.getOrSet('k', () => ++reads)).toBe(2)
    expect(await cache.getOrSetMany(['k'], keys => keys.map(() => ++reads))).toEqual([3])
    expect(await cache.set('k', 1)).toEqual({ local: true, shared: 'none' })
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.getMany(['k'])).toEqual([undefined])
    expect(await cache.add('k', 1)).toBe(false)
    expect(await cache.has('k')).toBe(false)
    expect(await cache.peek('k')).toBeUndefined()
    expect(await cache.touch('k')).toBe(false)
    expect(await cache.expire('k')).toBe(false)
    for (const receipt of [
      await cache.delete('k'),
      await cache.setMany([['k', 1]]),
      await cache.deleteByTag('t'),
      await cache.deleteByType('user'),
      await cache.deleteByPattern('*'),
      await cache.clear(),
    ]) {
      expect(receipt).toEqual({ local: true, shared: 'none' })
    }
    expect(cache.status()).toMatchObject({ enabled: false, state: 'HEALTHY', trace: [], tiers: [] })
  })
})

describe('a Redis that accepts and never answers', () => {
  test('createCache returns at once, and the first reads answer within the budget', async () => {
    const hole = await blackHole()
    try {
      const began = performance.now()
      const cache = open({ redisUrl: `redis://127.0.0.1:${hole.port}`, dir: join(home, 'cache') })
      expect(performance.now() - began).toBeLessThan(500)
      expect(cache.status()).toMatchObject({ backend: 'detecting', state: 'WARMING' })
      expect(await cache.get('k')).toBeUndefined()
      expect(await cache.getOrSet('k', () => 'v')).toBe('v')
      expect(performance.now() - began).toBeLessThan(2000)
      const { backend, trace } = cache.status()
      expect(backend).toBe('filesystem')
      expect(trace[0]).toMatchObject({ backend: 'redis', outcome: 'refused' })
      expect(trace[0]?.why).toMatch(/answer/)
    } finally {
      await hole.close()
    }
  })

  test('detectBudget shortens the search', async () => {
    const hole = await blackHole()
    try {
      const cache = open({ redisUrl: `redis://127.0.0.1:${hole.port}`, dir: join(home, 'cache'), detectBudget: 200 })
      const { trace } = await cache.ready()
      expect(trace[0]?.ms).toBeLessThan(700)
      expect(trace[0]?.outcome).toBe('refused')
    } finally {
      await hole.close()
    }
  })

  test('close during the search ends it, and nothing is left', async () => {
    const hole = await blackHole()
    try {
      const cache = open({ redisUrl: `redis://127.0.0.1:${hole.port}`, dir: join(home, 'cache') })
      const asked = cache.get('k')
      await cache.close()
      expect(await asked).toBeUndefined()
      await expect(cache.get('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    } finally {
      await hole.close()
    }
  })
})

describe('what is asked before a backend is found', () => {
  const backends: readonly (readonly [string, (port: number) => CacheOptions])[] = [
    ['a directory', port => ({ redisUrl: `redis://127.0.0.1:${port}` })],
    ['memory', () => ({ backend: 'memory' })],
  ]

  test.each(backends)('is not lost: %s', async (_name, make) => {
    const cache = open({ dir: join(home, 'cache'), ...make(await freePort()) })
    const writes = [
      cache.set('set', 1),
      cache.setMany([['many', 2]]),
      cache.getOrSet('loaded', () => 3),
      cache.add('added', 4),
      cache.type('user').set('typed', 5, { tags: ['t'] }),
    ]
    await Promise.all(writes)
    expect(await cache.getMany(['set', 'many', 'loaded', 'added'])).toEqual([1, 2, 3, 4])
    expect(await cache.type('user').get('typed')).toBe(5)
  })

  test('invalidations issued at once reach what was stored before', async () => {
    const options: CacheOptions = { backend: 'filesystem', dir: join(home, 'cache') }
    const before = open(options)
    await before.setMany([
      ['key', 1],
      ['p1', 2],
      ['kept', 3],
    ])
    await before.set('tagged', 4, { tags: ['t'] })
    await before.type('user').set('typed', 5)
    await before.close()
    const cache = open(options)
    const receipts = await Promise.all([
      cache.delete('key'),
      cache.deleteByTag('t'),
      cache.deleteByType('user'),
      cache.deleteByPattern('p?'),
    ])
    expect(receipts.map(receipt => receipt.shared)).toEqual(['acked', 'acked', 'acked', 'acked'])
    expect(await cache.getMany(['key', 'p1', 'kept', 'tagged'])).toEqual([undefined, undefined, 3, undefined])
    expect(await cache.type('user').get('typed')).toBeUndefined()
  })

  test('options that are wrong for the directory are refused at once, not found out later', async () => {
    const dir = join(home, 'cache')
    expect(() => open({ backend: 'filesystem', dir, files: { maxBytes: -1 } })).toThrow(/maxBytes/)
    expect(() => open({ backend: 'filesystem', dir, files: { maxFiles: 0 } })).toThrow(/maxFiles/)
  })
})
