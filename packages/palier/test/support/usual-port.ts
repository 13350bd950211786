import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCache } from '../../src/index.ts'
import { raiseLoopback } from './netns.ts'
import { startRedis, until } from './redis-server.ts'

/* In a network namespace, where the usual port of Redis is free: two caches that nobody configured, and a Redis that comes later. */
raiseLoopback()
const dir = await mkdtemp(join(tmpdir(), 'palier-fault-'))
process.chdir(dir)
for (const name of Object.keys(process.env)) if (/^(REDIS|CACHE)_/.test(name)) delete process.env[name]
const cache = createCache({ logger: false })
const other = createCache({ logger: false })
await cache.ready()
await other.ready()
const before = cache.status().backend
await cache.set('key', 'old')
const server = await startRedis({ port: 6379 })
const begun = performance.now()
for (const each of [cache, other]) {
  await until('Redis was found', () => each.status().backend === 'redis', 30_000)
  await until('its bus is heard', () => each.status().state === 'HEALTHY', 30_000)
}
const ms = Math.round(performance.now() - begun)
const after = cache.status().backend
const value = await cache.getOrSet('key', () => 'new')
const shared = await other.getOrSet('key', () => 'not shared')
await cache.close()
await other.close()
await server.stop()
await rm(dir, { recursive: true, force: true })
process.stdout.write(JSON.stringify({ before, after, value, shared, ms }))
