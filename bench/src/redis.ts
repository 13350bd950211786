import { expectSame, type Page, page } from './fixtures.ts'
import { type Aim, type Contestant, measure, within, type Work } from './harness.ts'
import { inGroups, type Keeper, type KeeperKind, session } from './keeper.ts'
import { IOREDIS, NODE_REDIS, REDIS_KEEPERS } from './redis-keepers.ts'
import type { RedisServer } from './redis-server.ts'
import { versionOf } from './surroundings.ts'
import { NO_REDIS, type RunOptions, type Table, type TableResult } from './table.ts'

/** So many keys in turn, each with another value of the same size. */
const KEYS = 128
const SIZES = [
  { label: '200 B', bytes: 200 },
  { label: '2 KB', bytes: 2048 },
  { label: '50 KB', bytes: 51_200 },
]

const keyOf = (bytes: number, i: number): string => `page:${bytes}:${i % KEYS}`

type Verb = 'get' | 'getOrSet' | 'set' | 'getMany'

function pagesOf(bytes: number): readonly Page[] {
  return Array.from({ length: KEYS }, (_none, i) => page(bytes, i + 1))
}

const notLoaded = (): Promise<never> => Promise.reject(new Error('a hit ran its factory'))

function operationOf(
  verb: Verb,
  keeper: Keeper,
  bytes: number,
  pages: readonly Page[],
): (i: number) => Promise<unknown> {
  const key = (i: number): string => keyOf(bytes, i)
  if (verb === 'get') return i => keeper.get(key(i))
  if (verb === 'set') return i => keeper.set(key(i), pages[i % KEYS] ?? {})
  if (verb === 'getOrSet') return async i => keeper.getOrSet?.(key(i), notLoaded)
  return async i => keeper.getMany?.(Array.from({ length: 100 }, (_none, k) => key(i + k)))
}

function contestant(
  kind: KeeperKind<RedisServer>,
  server: RedisServer,
  verb: Verb,
  bytes: number,
  atOnce: number,
): Contestant {
  return {
    ...kind,
    async open() {
      const keeper = await kind.open(server)
      const pages = pagesOf(bytes)
      const operation = operationOf(verb, keeper, bytes, pages)
      return session(keeper, {
        async check() {
          for (const [i, one] of pages.entries()) await keeper.set(keyOf(bytes, i), one)
          for (const [i, one] of pages.entries()) expectSame(await keeper.get(keyOf(bytes, i)), one, keyOf(bytes, i))
          const answer = await operation(0)
          if (verb === 'getOrSet') expectSame(answer, pages[0], 'getOrSet')
          if (verb === 'getMany') expectSame(answer, pages.slice(0, 100), 'getMany')
        },
        run: n => inGroups(n, atOnce, operation),
      })
    },
  }
}

function aimsOf(verb: Verb): Aim[] {
  if (verb === 'getOrSet') return []
  return [
    within('palier on ioredis, compress: false', IOREDIS, 1.25),
    within('palier on redis, compress: false', NODE_REDIS, 1.25),
  ]
}

function work(
  server: RedisServer,
  verb: Verb,
  { label, bytes }: { label: string; bytes: number },
  atOnce: number,
): Work {
  const able = REDIS_KEEPERS.filter(
    ({ name }) => verb !== 'getMany' || !/^(bentocache|async-cache-dedupe)/.test(name),
  ).filter(({ name }) => verb !== 'getOrSet' || !/^(keyv|unstorage)/.test(name))
  const named = { get: 'get, hit', getOrSet: 'getOrSet, hit', set: 'set', getMany: 'getMany of 100' }[verb]
  return {
    name: `${named}, ${label}, ${atOnce === 1 ? 'one at a time' : `${atOnce} at once`}`,
    what:
      verb === 'getMany'
        ? 'one call for 100 keys that are there, nothing kept in this process'
        : 'one key, nothing kept in this process',
    atOnce,
    contestants: able.map(kind => contestant(kind, server, verb, bytes, atOnce)),
    aims: aimsOf(verb),
  }
}

async function run({ pace, quick, servers, say }: RunOptions): Promise<TableResult> {
  const server = await servers.redis()
  if (server === undefined) return { works: [], facts: [], missing: [NO_REDIS] }
  const [small, middle, large] = SIZES as [(typeof SIZES)[0], (typeof SIZES)[0], (typeof SIZES)[0]]
  const works = quick
    ? [work(server, 'get', middle, 1), work(server, 'set', middle, 64), work(server, 'getMany', small, 1)]
    : [
        ...SIZES.flatMap(size => [work(server, 'get', size, 1), work(server, 'get', size, 64)]),
        work(server, 'getOrSet', middle, 1),
        work(server, 'set', small, 1),
        work(server, 'set', middle, 1),
        work(server, 'set', middle, 64),
        work(server, 'set', large, 1),
        work(server, 'getMany', small, 1),
        work(server, 'getMany', middle, 1),
      ]
  const results = []
  for (const one of works) {
    say(`measuring ${one.name}`)
    results.push(await measure(one, pace, versionOf))
  }
  return { works: results, facts: [], missing: [] }
}

export const redis: Table = { name: 'redis', title: 'Redis: the shared store alone', run }
