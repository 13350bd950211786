import { Redis } from 'ioredis'
import { expectSame, type Page, page } from './fixtures.ts'
import { ahead, type Contestant, measure, type Verdict, within, type Work } from './harness.ts'
import { type Keeper, session } from './keeper.ts'
import { type LoaderKind, LOADERS } from './loaders.ts'
import { IOREDIS, REDIS_KEEPERS } from './redis-keepers.ts'
import type { RedisServer } from './redis-server.ts'
import { messageOf } from './say.ts'
import { versionOf } from './surroundings.ts'
import { type Facts, NO_REDIS, type RunOptions, type Table, type TableResult } from './table.ts'

/** So many keys in turn. */
const KEYS = 512
const BYTES = 2048
const PAGES: readonly Page[] = Array.from({ length: KEYS }, (_none, i) => page(BYTES, i + 1))
const pageAt = (i: number): Page => PAGES[i % KEYS] ?? { id: 0, rows: [] }

const PALIER = 'palier, memory + redis'
const KINDS: readonly LoaderKind[] = LOADERS.filter(({ name }) => name.endsWith('memory + redis'))
const PEERS = KINDS.map(({ name }) => name).filter(name => name !== PALIER)

const notLoaded = (): Promise<never> => Promise.reject(new Error('a hit ran its factory'))

async function limitOf(server: RedisServer): Promise<Keeper & Required<Pick<Keeper, 'getOrSet'>>> {
  const keeper = await REDIS_KEEPERS.find(({ name }) => name === IOREDIS)?.open(server)
  if (keeper?.getOrSet === undefined) throw new Error('the limit has no getOrSet')
  return { ...keeper, getOrSet: keeper.getOrSet }
}

type Opened = Pick<Keeper, 'close'> & Required<Pick<Keeper, 'getOrSet'>>

function contestants(
  server: RedisServer,
  limit: Contestant | undefined,
  nearEntries: number | undefined,
  begin: (opened: Opened) => Omit<ReturnType<typeof session>, 'close'>,
): Contestant[] {
  const libraries = KINDS.map(
    ({ name, package: from, open }): Contestant => ({
      name,
      role: name === PALIER ? 'palier' : 'peer',
      package: from,
      async open() {
        const loader = await open({ redisUrl: server.url, ...(nearEntries !== undefined && { nearEntries }) })
        return { ...begin(loader), close: async () => void (await loader.close()) }
      },
    }),
  )
  return limit === undefined ? libraries : [limit, ...libraries]
}

function warmWork(server: RedisServer): Work {
  const begin = ({ getOrSet }: Opened): Omit<ReturnType<typeof session>, 'close'> => ({
    async check() {
      for (let i = 0; i < KEYS; i++) await getOrSet(`warm:${i}`, async () => pageAt(i))
      for (let i = 0; i < KEYS; i++) expectSame(await getOrSet(`warm:${i}`, notLoaded), pageAt(i), `warm:${i}`)
    },
    async run(n) {
      for (let i = 0; i < n; i++) await getOrSet(`warm:${i % KEYS}`, notLoaded)
    },
  })
  return {
    name: 'getOrSet, near hit, 2 KB',
    what: 'one value that is in memory, with Redis behind it',
    contestants: contestants(server, undefined, undefined, begin),
    aims: [ahead(PALIER, PEERS, 3)],
  }
}

function sharedWork(server: RedisServer): Work {
  const begin = ({ getOrSet }: Opened): Omit<ReturnType<typeof session>, 'close'> => ({
    async check() {
      for (let i = 0; i < KEYS; i++) await getOrSet(`far:${i}`, async () => pageAt(i))
      for (let i = 0; i < KEYS; i++) expectSame(await getOrSet(`far:${i}`, notLoaded), pageAt(i), `far:${i}`)
    },
    async run(n) {
      for (let i = 0; i < n; i++) await getOrSet(`far:${i % KEYS}`, notLoaded)
    },
  })
  const limit: Contestant = {
    name: IOREDIS,
    role: 'limit',
    package: 'ioredis',
    async open() {
      const keeper = await limitOf(server)
      return session(keeper, begin(keeper))
    },
  }
  return {
    name: 'getOrSet, near miss, Redis hit, 2 KB',
    what: `one of ${KEYS} values in turn, with room for one in memory, so that each comes from Redis and is kept`,
    contestants: contestants(server, limit, 1, begin),
    aims: [within(PALIER, IOREDIS, 1.5)],
  }
}

function coldWork(server: RedisServer): Work {
  let contestant = 0
  const begin = ({ getOrSet }: Opened): Omit<ReturnType<typeof session>, 'close'> => {
    const own = `cold:${contestant++}`
    let next = 0
    return {
      async check() {
        expectSame(await getOrSet(`${own}:check`, async () => pageAt(1)), pageAt(1), 'the first load')
        expectSame(await getOrSet(`${own}:check`, notLoaded), pageAt(1), 'the second read')
      },
      async run(n) {
        for (let i = 0; i < n; i++) await getOrSet(`${own}:${next++}`, async () => pageAt(i))
      },
    }
  }
  const limit: Contestant = {
    name: IOREDIS,
    role: 'limit',
    package: 'ioredis',
    note: 'GET, then SET',
    async open() {
      const keeper = await limitOf(server)
      return session(keeper, begin(keeper))
    },
  }
  return {
    name: 'getOrSet, cold, 2 KB',
    what: 'a key never seen before, with a factory that answers at once',
    contestants: contestants(server, limit, 1000, begin),
  }
}

/** What clients sent during `work`, by command; what a script calls inside the server is not a round trip. */
async function commandsDuring(server: RedisServer, work: () => Promise<void>): Promise<Map<string, number>> {
  const watcher = new Redis(server.url)
  const control = new Redis(server.url)
  const monitor = await watcher.monitor()
  const sent = new Map<string, number>()
  const mark = `mark-${process.pid}-${performance.now()}`
  let ended: () => void = () => undefined
  const seen = new Promise<void>(resolve => {
    ended = resolve
  })
  monitor.on('monitor', (_time: string, args: readonly string[], source: string) => {
    const name = (args[0] ?? '').toLowerCase()
    if (name === 'echo' && args[1] === mark) return ended()
    if (source !== 'lua') sent.set(name, (sent.get(name) ?? 0) + 1)
  })
  try {
    await work()
    await control.echo(mark)
    await seen
    return sent
  } finally {
    monitor.disconnect()
    watcher.disconnect()
    control.disconnect()
  }
}

async function roundTrips(server: RedisServer, times: number): Promise<Facts> {
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  for (const { name, package: from, open } of KINDS) {
    const loader = await open({ redisUrl: server.url })
    try {
      // The first calls may learn stamps, load scripts or look at the server; an application does that once.
      for (let i = 0; i < 20; i++) await loader.getOrSet(`count:${name}:first:${i}`, async () => pageAt(i))
      const cold = await commandsDuring(server, async () => {
        for (let i = 0; i < times; i++) await loader.getOrSet(`count:${name}:${i}`, async () => pageAt(i))
      })
      const total = [...cold.values()].reduce((sum, count) => sum + count, 0) / times
      const each = [...cold].map(([command, count]) => `${command} ${(count / times).toFixed(2)}`).join(', ')
      rows.push([name, versionOf(from), total.toFixed(2), each])
      if (name === PALIER) {
        // Heartbeats of the bus go on meanwhile: a few in all, not one per call.
        verdicts.push({
          text: 'a cold getOrSet takes at most two round trips',
          met: total <= 2.1,
          figure: total.toFixed(2),
        })
      }
    } catch (error) {
      rows.push([name, versionOf(from), '', messageOf(error)])
    } finally {
      await loader.close()
    }
  }
  return {
    name: 'commands of a cold getOrSet',
    what: `what the client sends for one key never seen before, mean of ${times}, counted by MONITOR; each is a round trip unless the client sends several together`,
    columns: ['contestant', 'version', 'commands', 'which'],
    rows,
    verdicts,
  }
}

async function run({ pace, quick, servers, say }: RunOptions): Promise<TableResult> {
  const server = await servers.redis()
  if (server === undefined) return { works: [], facts: [], missing: [NO_REDIS] }
  const works = []
  for (const one of [warmWork(server), sharedWork(server), coldWork(server)]) {
    say(`measuring ${one.name}`)
    works.push(await measure(one, pace, versionOf))
  }
  return { works, facts: [await roundTrips(server, quick ? 20 : 200)], missing: [] }
}

export const tiers: Table = { name: 'tiers', title: 'Two tiers: memory in front of Redis', run }
