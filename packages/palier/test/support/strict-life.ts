import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCache } from '../../src/index.ts'
import { startProxy } from './proxy.ts'
import { freePort } from './ports.ts'
import { startRedis, until } from './redis-server.ts'

/*
 * A process in which any rejection that nobody handles is the end (`--unhandled-rejections=strict`), with a cache nobody listens
 * to, through one fault of Redis after another. It ends by itself when the cache is closed. Prints what its callers saw.
 */
export interface StrictReport {
  /** Calls made during each fault. */
  readonly calls: Readonly<Record<string, number>>
  readonly rejected: readonly string[]
  /** Old values read after they were deleted, by fault. */
  readonly wrong: readonly string[]
  readonly after: unknown
}

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const folder = await mkdtemp(join(tmpdir(), 'palier-fault-'))
const server = await startRedis({ args: ['--maxmemory-policy', 'noeviction'] })
const path = await startProxy({ port: server.port })
const nobody = await freePort()
const cache = createCache({ logger: false, backend: 'redis', redisUrl: path.url, dir: join(folder, 'cache') })

const calls: Record<string, number> = {}
const rejected = new Set<string>()
const wrong: string[] = []
let made = 0

async function oneOfEach(fault: string, n: number): Promise<void> {
  const key = `${fault}${n % 5}`
  const work: readonly Promise<unknown>[] = [
    cache.getOrSet(`load${key}`, () => n, { tags: ['group'] }),
    cache.getOrSet(`slow${key}`, () => wait(20).then(() => n)),
    cache.getOrSetMany([`m1${key}`, `m2${key}`], missing => missing.map(() => n)),
    cache.getMany([`load${key}`, `set${key}`]),
    cache.set(`set${key}`, n),
    cache.add(`add${key}`, n),
    cache.touch(`set${key}`),
    cache.expire(`load${key}`),
    cache.deleteByTag('group'),
    cache.deleteByPattern(`m1${fault}*`),
    cache.delete(`deleted-${fault}`),
  ]
  made += work.length
  for (const end of await Promise.allSettled(work))
    if (end.status === 'rejected') rejected.add(`${fault}: ${String(end.reason)}`)
  if ((await cache.get(`deleted-${fault}`)) !== undefined) wrong.push(fault)
}

const isUsed = (): boolean => {
  const { tiers, outbox } = cache.status()
  return outbox.pending === 0 && tiers.some(tier => tier.role === 'shared' && tier.state === 'up' && tier.used)
}

async function during(fault: string, begin: () => unknown, end: () => unknown): Promise<void> {
  await until(`Redis is in use before: ${fault}`, isUsed, 30_000)
  await cache.set(`deleted-${fault}`, 'old')
  made = 0
  await begin()
  const endAt = performance.now() + 500
  for (let n = 0; performance.now() < endAt; n++) {
    await oneOfEach(fault, n)
    await wait(10)
  }
  // Some calls are on their way when it ends.
  const last = oneOfEach(fault, 99)
  await end()
  await last
  calls[fault] = made
}

const ask = (command: string) => () => server.ask(command)
await cache.ready()
await during(
  'refused',
  () => path.mode('refuse'),
  () => path.mode('pass'),
)
await during(
  'hung',
  () => server.pause(),
  () => server.resume(),
)
await during(
  'half-open',
  () => path.mode('half-open'),
  () => path.mode('pass'),
)
await during(
  'black hole',
  () => path.mode('blackhole'),
  () => path.mode('pass'),
)
await during(
  'slow',
  () => path.mode('delay:300'),
  () => path.mode('pass'),
)
await during(
  'cut',
  () => path.mode('cut'),
  () => path.mode('cut'),
)
await during('replica', ask(`REPLICAOF 127.0.0.1 ${nobody}`), ask('REPLICAOF NO ONE'))
await during('no replicas', ask('CONFIG SET min-replicas-to-write 1'), ask('CONFIG SET min-replicas-to-write 0'))
await during('out of memory', ask('CONFIG SET maxmemory 1'), ask('CONFIG SET maxmemory 0'))
await during('no bus', ask('ACL SETUSER default resetchannels'), ask('ACL SETUSER default allchannels'))
await during('no writes', ask('ACL SETUSER default -@write'), ask('ACL SETUSER default +@all'))
await during(
  'killed',
  () => server.kill(),
  () => server.restart(),
)
await server.ask('ACL SETUSER admin on nopass allkeys allchannels allcommands')
await during(
  'password',
  async () => {
    await server.ask('ACL SETUSER default resetpass >other')
    await path.mode('cut')
  },
  () => server.restart(),
)
let flapping = true
const flaps = (async (): Promise<void> => {
  for (let up = false; flapping; up = !up) {
    await path.mode(up ? 'pass' : 'refuse')
    await wait(100)
  }
  await path.mode('pass')
})()
made = 0
for (let n = 0; n < 40; n++) {
  await oneOfEach('flapping', n)
  await wait(20)
}
calls['flapping'] = made
flapping = false
await flaps
await until('well in the end', () => cache.status().state === 'HEALTHY', 30_000)
await cache.set('after', 'value')
const after = await cache.get('after')
await cache.close()
await path.close()
await server.stop()
await rm(folder, { recursive: true, force: true })
const report: StrictReport = { calls, rejected: [...rejected], wrong, after }
process.stdout.write(JSON.stringify(report))
