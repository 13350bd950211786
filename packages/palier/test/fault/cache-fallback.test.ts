import { mkdir, rm, writeFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Cache, CacheOptions } from '../../src/index.ts'
import type { CacheNode } from '../support/cache-node.ts'
import { allOut, allUp, allWell, faultRoom, measured, NEVER, never, onRedis, timed } from '../support/fault-room.ts'
import { runScript } from '../support/netns.ts'
import type { Proxy } from '../support/proxy.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

interface Place {
  readonly path: Proxy
  readonly options: CacheOptions
  readonly dir: string
}

async function place(outage: CacheOptions['outage'] = {}): Promise<Place> {
  const server = await room.redis()
  const path = await room.proxy(server.port)
  const dir = join(await room.folder(), 'cache')
  return { path, dir, options: { ...onRedis(path), dir, outage: { ttl: '1m', ...outage } } }
}

/** Trials of a backend are at most a second apart. */
const SOON = 10_000

const onFiles = (...caches: readonly Cache[]): Promise<void> => onBackend('filesystem', ...caches)

async function onBackend(backend: string, ...caches: readonly Cache[]): Promise<void> {
  for (const cache of caches) await until(`it is on ${backend}`, () => cache.status().backend === backend, SOON)
}

async function nodesOnFiles(...nodes: readonly CacheNode[]): Promise<void> {
  for (const node of nodes) {
    await until('the process is on files', async () => (await node.status()).backend === 'filesystem', NEVER)
  }
}

type Sharer = Pick<CacheNode, 'get'> & { load(key: string, value: string): Promise<unknown> }

const sharer = (cache: Cache): Sharer => ({
  get: key => cache.get(key),
  load: (key, value) => cache.getOrSet(key, () => value),
})

/** Whoever came last to the directory made a new beginning; what the others load is shared once they have heard of it. */
const shares = (from: Sharer, to: Pick<Sharer, 'get'>, key: string, value: string): Promise<void> =>
  until(
    `what one loads as "${key}" is read by the other`,
    async () => (await from.load(key, value)) === value && (await to.get(key)) === value,
    NEVER,
  )

describe('Redis is out, and several processes have one directory', () => {
  test('they share what is loaded and its leases: one load in all of them', async () => {
    const { path, options } = await place()
    const loads = join(await room.folder(), 'loads')
    await writeFile(loads, '')
    const nodes = await Promise.all([1, 2].map(() => room.node({ options, loads })))
    await path.mode('refuse')
    await nodesOnFiles(...nodes)
    const [one, two] = nodes
    if (one === undefined || two === undefined) throw new Error('two processes were started')
    await shares(one, two, 'first', 'value')
    await shares(two, one, 'second', 'value')
    await writeFile(loads, '')
    const herds = await Promise.all(nodes.map(node => node.herd('key', 50, 'loaded', 300)))
    for (const herd of herds) expect(herd).toEqual({ values: ['loaded'], failures: [] })
    expect((await readFile(loads, 'utf8')).trim().split('\n')).toHaveLength(1)
  })

  test('each sees what another deletes and sets', async () => {
    const { path, options } = await place()
    const here = await room.cache(options)
    const there = await room.node({ options })
    await path.mode('refuse')
    await onFiles(here)
    await nodesOnFiles(there)
    await shares(sharer(here), there, 'key', 'one')
    expect(await there.delete('key')).toEqual({ local: true, shared: 'pending' })
    expect(await there.get('key')).toBeUndefined()
    await until('the deletion was heard', async () => (await here.get('key')) === undefined, NEVER)
    await here.set('key', 'two')
    await until('the new value was heard', async () => (await there.get('key')) === 'two', NEVER)
    await here.deleteByType('dashboard')
    await here.clear()
    await until('everything is gone', async () => (await there.get('key')) === undefined, NEVER)
  })

  test('what one deletes stays deleted on Redis too, once that is back', async () => {
    const { path, options } = await place()
    const here = await room.cache(options)
    const there = await room.cache(options)
    await allWell(here, there)
    await here.set('key', 'old')
    expect(await there.get('key')).toBe('old')
    await path.mode('refuse')
    await onFiles(here, there)
    expect(await there.getOrSet('key', () => 'meanwhile')).toBe('meanwhile')
    expect(await here.delete('key')).toEqual({ local: true, shared: 'pending' })
    await until('the deletion was heard', async () => (await there.get('key')) === undefined, NEVER)
    await path.mode('pass')
    await allUp(here, there)
    for (const cache of [here, there]) expect(await cache.get('key')).toBeUndefined()
  })

  test('what was loaded in one outage is not seen in the next', async () => {
    const { path, options } = await place()
    const here = await room.cache(options)
    const there = await room.cache(options)
    await allWell(here, there)
    await path.mode('refuse')
    await onFiles(here, there)
    await shares(sharer(here), there, 'key', 'first outage')
    await path.mode('pass')
    await allUp(here, there)
    expect(await here.get('key')).toBeUndefined()
    await here.set('key', 'between')
    await path.mode('refuse')
    await onFiles(here, there)
    for (const cache of [here, there]) expect(await cache.get('key')).not.toBe('first outage')
    await shares(sharer(there), here, 'key', 'second outage')
    for (const cache of [here, there]) expect(await cache.get('key')).not.toBe('first outage')
  })

  test('nothing loaded meanwhile lives longer than the outage allows', async () => {
    const { path, options } = await place({ ttl: 200 })
    const here = await room.cache(options)
    await allWell(here)
    await path.mode('refuse')
    await onFiles(here)
    await here.getOrSet('key', () => 'meanwhile', { ttl: '1h', grace: '1h' })
    await here.set('set', 'meanwhile', { ttl: '1h' })
    await until(
      'both have ended',
      async () => (await here.getMany(['key', 'set'])).every(one => one === undefined),
      NEVER,
    )
    expect(await here.getOrSet('key', () => 'again')).toBe('again')
  })

  test('an outage with a ttl of 0 keeps nothing: each read goes to the source', async () => {
    const { path, options } = await place({ ttl: 0 })
    const here = await room.cache(options)
    await allWell(here)
    await path.mode('refuse')
    await allOut(here)
    let loads = 0
    for (let i = 1; i <= 5; i++) expect(await here.getOrSet('key', () => ++loads)).toBe(i)
    expect(here.status().backend).toBe('memory')
    await path.mode('pass')
    await allUp(here)
  })

  test('what memory held may be served for a stated time, and not after it, and not what was deleted', async () => {
    const { path, options } = await place({ serveFor: 1500 })
    const here = await room.cache(options)
    await allWell(here)
    await here.set('kept', 'before')
    await here.set('deleted', 'before')
    await until('it is in memory', async () => (await here.fetch('kept', never)).tier === 'near', NEVER)
    expect(await here.get('deleted')).toBe('before')
    await path.mode('refuse')
    await allOut(here)
    expect(await here.get('kept')).toBe('before')
    await here.delete('deleted')
    expect(await here.get('deleted')).toBeUndefined()
    await until('its time is over', async () => (await here.get('kept')) === undefined, NEVER)
    await path.mode('pass')
    await allUp(here)
    expect(await here.get('deleted')).toBeUndefined()
  })
})

describe('Redis is out, and the directory cannot be used either', () => {
  const works = async (cache: Cache): Promise<void> => {
    expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded')
    expect(await cache.delete('key')).toEqual({ local: true, shared: 'pending' })
    expect(await cache.get('key')).toBeUndefined()
    expect(await cache.getOrSet('key', () => 'anew')).toBe('anew')
    expect(await cache.getOrSet('key', never)).toBe('anew')
  }

  test('from the start: memory serves, and Redis is used when it returns', async () => {
    const { path, options, dir } = await place()
    await writeFile(dir, 'a file where a directory should be')
    const cache = await room.cache(options)
    await allWell(cache)
    await cache.set('key', 'old')
    await path.mode('refuse')
    await allOut(cache)
    await works(cache)
    expect(cache.status()).toMatchObject({ backend: 'memory', state: 'DEGRADED' })
    await path.mode('pass')
    await allUp(cache)
    expect(await cache.get('key')).toBeUndefined()
  })

  test('in the middle of an outage: memory takes over from the files, and they from it when they work', async () => {
    const { path, options, dir } = await place()
    const cache = await room.cache(options)
    await allWell(cache)
    await cache.set('key', 'old')
    await path.mode('refuse')
    await onFiles(cache)
    expect(await cache.getOrSet('on files', () => 1)).toBe(1)
    await rm(dir, { recursive: true })
    await writeFile(dir, 'a file where the directory was')
    const took = await timed(async () => {
      for (let i = 0; i < 100; i++) expect(await cache.getOrSet(`key${i}`, () => i)).toBe(i)
    })
    measured('100 misses with neither Redis nor directory, ms', took)
    await onBackend('memory', cache)
    await works(cache)
    await rm(dir)
    await mkdir(dir, { mode: 0o700 })
    await onFiles(cache)
    expect(await cache.getOrSet('on files', () => 2)).toBe(2)
    await path.mode('pass')
    await allUp(cache)
    expect(await cache.get('key')).toBeUndefined()
  })

  test('a disk that is full: every load is answered, deletions hold, and Redis is used when it returns', async () => {
    const end = await runScript('full-outage', [await room.folder()], { namespaces: ['mount'] })
    expect(end.errors).toBe('')
    expect(end).toMatchObject({
      code: 0,
      report: { loads: 'right', deletedSeen: false, pendingThen: true, deletedAfter: null, backendAfter: 'redis' },
    })
  })
})
