import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCache } from '../../src/index.ts'
import { startProxy } from './proxy.ts'
import { startRedis, until } from './redis-server.ts'

/* `full-outage.ts DIR`, in a mount namespace: Redis goes, and the disk that should stand in for it is full. */
const [dir = ''] = process.argv.slice(2)
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'none', dir])
const server = await startRedis()
const path = await startProxy({ port: server.port })
const cache = createCache({ logger: false, backend: 'redis', redisUrl: path.url, dir: join(dir, 'cache') })
await cache.ready()
await until('healthy', () => cache.status().state === 'HEALTHY', 30_000)
await cache.set('deleted', 'old')
await path.mode('refuse')
await until('files stand in', () => cache.status().backend === 'filesystem', 30_000)
try {
  writeFileSync(join(dir, 'ballast'), Buffer.alloc(8 * 1024 * 1024))
} catch {
  // Full is what it was to become.
}
let right = 0
for (let i = 0; i < 100; i++) if ((await cache.getOrSet(`key${i}`, () => 'x'.repeat(20_000))).length === 20_000) right++
const { shared } = await cache.delete('deleted')
let deletedSeen = false
for (let i = 0; i < 20; i++) if ((await cache.get('deleted')) !== undefined) deletedSeen = true
await path.mode('pass')
await until('back on Redis', () => cache.status().backend === 'redis' && cache.status().outbox.pending === 0, 30_000)
const report = {
  loads: right === 100 ? 'right' : `${right} of 100`,
  deletedSeen,
  pendingThen: shared === 'pending',
  deletedAfter: (await cache.get('deleted')) ?? null,
  backendAfter: cache.status().backend,
}
await cache.close()
await path.close()
await server.stop()
process.stdout.write(JSON.stringify(report))
