import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import KeyvRedis from '@keyv/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Cacheable } from 'cacheable'
import { Redis } from 'ioredis'
import { createCache } from 'palier'
import { createClient } from 'redis'

export interface Place {
  readonly redisUrl: string
  /** A directory of this process alone, as on a machine of its own, unless the contestant shares one. */
  readonly dir: string
}

/** What an application does with a cache: reads through it, and makes it forget what has changed. */
export interface Session {
  read(key: string, source: () => Promise<string>): Promise<string>
  /** Resolves with what the contestant says has happened. */
  forget(key: string): Promise<string>
  /** What it says of itself. */
  state(): string
  /** The work that a call cannot do without while Redis is away, done bare: what the machine adds just now. */
  control(): Promise<unknown>
  close(): Promise<unknown>
}

/** Set up as its own documentation shows, with nothing else said: the defaults are what is compared. */
export interface OutageContestant {
  readonly name: string
  readonly package: string
  /** Both processes have the same directory, as on one host. */
  readonly sharesDirectory?: true
  readonly note: string
  /** Resolves as soon as the contestant takes calls. */
  open(place: Place): Promise<Session>
}

const TTL_SECONDS = 300

/** One turn of the event loop. */
const idleTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** The system calls of one load that one process of several makes: a look, a lease taken, a file put in place, the lease gone. */
async function bareFiles(dir: string): Promise<void> {
  const file = join(dir, randomUUID())
  await readFile(file).catch(() => undefined)
  await mkdir(`${file}.c`)
  await writeFile(`${file}.c/ticket`, '')
  await rename(`${file}.c`, `${file}.l`)
  await writeFile(`${file}.t`, 'v1')
  await rename(`${file}.t`, file)
  await rm(`${file}.l`, { recursive: true })
}

const ioredis: OutageContestant = {
  name: 'ioredis',
  package: 'ioredis',
  note: 'the client: get, else source and set',
  async open({ redisUrl }) {
    const redis = new Redis(redisUrl)
    return {
      async read(key, source) {
        const kept = await redis.get(key)
        if (kept !== null) return kept
        const value = await source()
        await redis.set(key, value, 'EX', TTL_SECONDS)
        return value
      },
      forget: async key => `${await redis.del(key)}`,
      state: () => redis.status,
      control: idleTurn,
      close: async () => redis.disconnect(),
    }
  },
}

const nodeRedis: OutageContestant = {
  name: 'node-redis',
  package: 'redis',
  note: 'the client: get, else source and set; an error listener, or the process ends',
  async open({ redisUrl }) {
    const client = createClient({ url: redisUrl })
    client.on('error', error => console.log('Redis Client Error', error))
    await client.connect()
    return {
      async read(key, source) {
        const kept = await client.get(key)
        if (kept !== null) return kept
        const value = await source()
        await client.set(key, value, { expiration: { type: 'EX', value: TTL_SECONDS } })
        return value
      },
      forget: async key => `${await client.del(key)}`,
      state: () => (client.isReady ? 'ready' : 'not ready'),
      control: idleTurn,
      close: async () => client.destroy(),
    }
  },
}

const bento: OutageContestant = {
  name: 'bentocache',
  package: 'bentocache',
  note: 'memory, Redis and its bus',
  async open({ redisUrl }) {
    const { hostname: host, port } = new URL(redisUrl)
    const connection = { host, port: Number(port) }
    const store = bentostore()
      .useL1Layer(memoryDriver({}))
      .useL2Layer(redisDriver({ connection }))
      .useBus(redisBusDriver({ connection }))
    const cache = new BentoCache({ default: 'main', ttl: '5m', stores: { main: store } })
    return {
      read: (key, source) => cache.getOrSet({ key, factory: source }),
      forget: async key => `${await cache.delete({ key })}`,
      state: () => '',
      control: idleTurn,
      close: () => cache.disconnectAll(),
    }
  },
}

const cacheable: OutageContestant = {
  name: 'cacheable',
  package: 'cacheable',
  note: 'memory and @keyv/redis; no bus by default, so what another process holds in memory stays there at any time',
  async open({ redisUrl }) {
    const cache = new Cacheable({ secondary: new KeyvRedis(redisUrl), ttl: '5m' })
    return {
      async read(key, source) {
        const value = await cache.getOrSet(key, source)
        if (value === undefined) throw new Error('undefined was given')
        return value
      },
      forget: async key => `${await cache.delete(key)}`,
      state: () => '',
      control: idleTurn,
      close: () => cache.disconnect(),
    }
  },
}

async function openPalier(namespace: string, place: Place, control: () => Promise<unknown>): Promise<Session> {
  const cache = createCache({ namespace, ...place, logger: false })
  return {
    read: (key, source) => cache.getOrSet<string>(key, source),
    forget: async key => (await cache.delete(key)).shared,
    state: () => `${cache.status().state}, ${cache.status().backend}`,
    control,
    close: () => cache.close(),
  }
}

async function openWithDirectory(namespace: string, place: Place): Promise<Session> {
  const beside = `${place.dir}-control-${process.pid}`
  await mkdir(beside, { recursive: true })
  return openPalier(namespace, place, () => bareFiles(beside))
}

const palierOneHost: OutageContestant = {
  name: 'palier, one host',
  package: 'palier',
  note: 'memory, Redis, and a directory of both processes to fall back to',
  sharesDirectory: true,
  open: place => openWithDirectory('outage-one', place),
}

const palierTwoHosts: OutageContestant = {
  name: 'palier, two hosts',
  package: 'palier',
  note: 'memory, Redis, and a directory of each process to fall back to',
  open: place => openWithDirectory('outage-two', place),
}

const palierWithoutDirectory: OutageContestant = {
  name: 'palier, no directory',
  package: 'palier',
  note: 'memory and Redis; no directory can be made, so it falls back to memory',
  // No path below a device can be made.
  open: ({ redisUrl }) => openPalier('outage-memory', { redisUrl, dir: '/dev/null/cache' }, idleTurn),
}

export const CONTESTANTS: readonly OutageContestant[] = [
  ioredis,
  nodeRedis,
  bento,
  cacheable,
  palierOneHost,
  palierTwoHosts,
  palierWithoutDirectory,
]
