import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cache, createCache, type Document, PalierError } from '../../src/index.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

type Basket = { items: string[] }
const HOUR = 3_600_000

let redis: RedisServer
let dir: string
const open = new Set<Cache>()

beforeAll(async () => {
  redis = await startRedis()
  dir = mkdtempSync(join(tmpdir(), 'palier-documents-'))
})
afterAll(async () => {
  await Promise.all([...open].map(cache => cache.close()))
  await redis.stop()
  rmSync(dir, { recursive: true, force: true })
})

let spaces = 0

/** Caches of one namespace on the same backend; on memory one is all there is. */
async function caches(backend: 'redis' | 'filesystem' | 'memory', count: number): Promise<[Cache, ...Cache[]]> {
  const namespace = `documents${++spaces}`
  const make = (): Cache =>
    createCache({ namespace, backend, redisUrl: redis.url, dir, logger: false, deadline: '10s' })
  const made: [Cache, ...Cache[]] = [make(), ...Array.from({ length: backend === 'memory' ? 0 : count - 1 }, make)]
  for (const cache of made) open.add(cache)
  await Promise.all(made.map(cache => cache.ready()))
  return made
}

describe.each(['redis', 'filesystem', 'memory'] as const)('documents on %s', backend => {
  const add =
    (item: string) =>
    (before: Document<Basket> | undefined): { value: Basket; ttl: number } => ({
      value: { items: [...(before?.value.items ?? []), item] },
      ttl: HOUR,
    })

  test('are made, read by others, changed and counted', async () => {
    const [one, other = one] = await caches(backend, 2)
    const mine = one.documents<Basket>('baskets')
    const theirs = other.documents<Basket>('baskets')
    expect(await mine.read('a')).toBeUndefined()
    expect(await mine.change('a', add('tea'))).toMatchObject({ value: { items: ['tea'] }, version: 1, remaining: HOUR })
    expect(await theirs.change('a', add('milk'))).toMatchObject({ version: 2 })
    const found = await mine.read('a')
    expect(found).toMatchObject({ value: { items: ['tea', 'milk'] }, version: 2 })
    expect(found?.remaining).toBeGreaterThan(HOUR - 60_000)
    expect(await theirs.change('a', () => undefined)).toMatchObject({ version: 2 })
  })

  test('lose no change, however many change one at once', async () => {
    const some = await caches(backend, 3)
    await Promise.all(
      some.flatMap((cache, i) =>
        Array.from({ length: 20 }, (_, n) => cache.documents<Basket>('baskets').change('a', add(`${i}-${n}`))),
      ),
    )
    const found = await some[0].documents<Basket>('baskets').read('a')
    expect(new Set(found?.value.items).size).toBe(20 * some.length)
    expect(found?.version).toBe(20 * some.length)
  })

  test('once deleted are not made again by a late change', async () => {
    const [one, other = one] = await caches(backend, 2)
    const mine = one.documents<Basket>('baskets')
    const theirs = other.documents<Basket>('baskets')
    await mine.change('a', add('tea'))
    expect(await mine.delete('a')).toEqual({ local: true, shared: backend === 'memory' ? 'none' : 'acked' })
    let asked = 0
    const late = await theirs.change('a', before => (asked++, add('revived')(before)))
    expect(late).toBeUndefined()
    expect(asked).toBe(0)
    expect(await theirs.read('a')).toBeUndefined()
    expect(await mine.change('b', add('other'))).toMatchObject({ version: 1 })
  })

  test('survive every clear, and are no keys of the cache', async () => {
    const [cache] = await caches(backend, 1)
    const baskets = cache.documents<Basket>('baskets')
    await baskets.change('a', add('tea'))
    await cache.set('a', 1)
    await cache.deleteByPattern('*')
    await cache.clear()
    expect(await cache.get('a')).toBeUndefined()
    expect(await baskets.read('a')).toMatchObject({ version: 1 })
    expect(await cache.documents('other').read('a')).toBeUndefined()
  })

  test('are listed, the deleted ones not', async () => {
    const [cache] = await caches(backend, 1)
    const baskets = cache.documents<Basket>('baskets')
    const names = Array.from({ length: 150 }, (_, i) => `ns:é/${i}`)
    await Promise.all(names.map(name => baskets.change(name, add('tea'))))
    await baskets.delete('ns:é/7')
    const listed: string[] = []
    for await (const some of baskets.all()) listed.push(...some.map(({ id }) => id))
    expect(new Set(listed)).toEqual(new Set(names.filter(name => name !== 'ns:é/7')))
  })

  test('are copies: what a reader does to one changes nothing', async () => {
    const [cache] = await caches(backend, 1)
    const baskets = cache.documents<Basket>('baskets')
    const value = { items: ['tea'] }
    const made = await baskets.change('a', () => ({ value, ttl: HOUR }))
    value.items.push('later')
    const read = await baskets.read('a')
    expect([made?.value, read?.value]).toEqual([{ items: ['tea'] }, { items: ['tea'] }])
  })

  test('refuse what is no id, no value and no time', async () => {
    const [cache] = await caches(backend, 1)
    const baskets = cache.documents<unknown>('baskets')
    await expect(baskets.read('')).rejects.toMatchObject({ code: 'PALIER_BAD_KEY' })
    await expect(baskets.change('a', () => ({ value: () => 1, ttl: HOUR }))).rejects.toMatchObject({
      code: 'PALIER_NOT_ENCODABLE',
    })
    await expect(baskets.change('a', () => ({ value: 1, ttl: 0 }))).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
    expect(() => cache.documents('')).toThrow(PalierError)
    expect(await baskets.read('a')).toBeUndefined()
    const failing = baskets.change('a', () => {
      throw new Error('mine')
    })
    await expect(failing).rejects.toThrow('mine')
    // The failed change let the lease go: the next one does not wait for it.
    expect(await baskets.change('a', () => ({ value: 1, ttl: HOUR }))).toMatchObject({ version: 1 })
  })

  test('end with the cache', async () => {
    const [cache] = await caches(backend, 1)
    const baskets = cache.documents<Basket>('baskets')
    await cache.close()
    await expect(baskets.read('a')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    await expect(baskets.delete('a')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    expect(() => cache.documents('baskets')).toThrow(expect.objectContaining({ code: 'PALIER_CLOSED' }))
  })
})
