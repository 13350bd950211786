import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCache } from '../../src/index.ts'
import { raiseLoopback } from './netns.ts'
import { startRedis, until } from './redis-server.ts'

/* In a network namespace, where the usual port of Redis is free: a cache that nobody configured, and a Redis that comes later. */
raiseLoopback()
const dir = await mkdtemp(join(tmpdir(), 'palier-fault-'))
process.chdir(dir)
for (const name of Object.keys(process.env)) if (/^(REDIS|CACHE)_/.test(name)) delete process.env[name]
const cache = createCache({ logger: false })
await cache.ready()
const before = cache.status().backend
await cache.set('key', 'old')
const server = await startRedis({ port: 6379 })
const begun = performance.now()
await until('Redis was found', () => cache.status().backend === 'redis', 30_000)
const ms = Math.round(performance.now() - begun)
const after = cache.status().backend
const value = await cache.getOrSet('key', () => 'new')
await cache.close()
await server.stop()
await rm(dir, { recursive: true, force: true })
process.stdout.write(JSON.stringify({ before, after, value, ms }))
