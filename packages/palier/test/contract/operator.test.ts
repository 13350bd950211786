import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Cache, createCache } from '../../src/index.ts'
import { type RedisServer, startRedis, until } from '../support/redis-server.ts'

let redis: RedisServer
let dir: string
const open = new Set<Cache>()

beforeAll(async () => {
  redis = await startRedis()
  dir = mkdtempSync(join(tmpdir(), 'palier-operator-'))
})
afterEach(async () => {
  await Promise.all([...open].map(cache => cache.close()))
  open.clear()
})
afterAll(async () => {
  await redis.stop()
  rmSync(dir, { recursive: true, force: true })
})

const TYPES = {
  page: { ttl: '5m', grace: '1h', tags: ['site'] },
  mine: { ttl: '5m', scope: 'user' },
} as const
type Backend = 'redis' | 'filesystem' | 'memory'
let spaces = 0

function caches(backend: Backend, count: number): Promise<[Cache<typeof TYPES>, ...Cache<typeof TYPES>[]]> {
  const namespace = `operator${++spaces}`
  const make = async (): Promise<Cache<typeof TYPES>> => {
    const cache = createCache({
      namespace,
      backend,
      redisUrl: redis.url,
      dir,
      logger: false,
      types: TYPES,
      deadline: '10s',
    })
    open.add(cache as unknown as Cache)
    await cache.ready()
    return cache
  }
  return Promise.all([make(), ...Array.from({ length: backend === 'memory' ? 0 : count - 1 }, make)])
}

async function fill(cache: Cache<typeof TYPES>): Promise<void> {
  for (let i = 0; i < 30; i++) await cache.type('page').set(`p${i}`, i, i < 10 ? { tags: ['few'] } : {})
  for (let i = 0; i < 5; i++) await cache.set(`plain${i}`, i)
  for (const subject of ['ann', 'bob']) await cache.type('mine').set('home', subject, { subject })
}

describe.each(['redis', 'filesystem', 'memory'] as const)('an operator on %s', backend => {
  test('is told exactly what a clear would take away', async () => {
    const [cache] = await caches(backend, 1)
    await fill(cache)
    const { preview } = cache.operator
    expect(await preview({ kind: 'all' })).toMatchObject({
      entries: 37,
      exact: true,
      types: { page: 30, default: 5, mine: 2 },
    })
    expect(await preview({ kind: 'type', type: 'page' })).toMatchObject({ entries: 30, types: { page: 30 } })
    expect(await preview({ kind: 'tag', tag: 'few' })).toMatchObject({ entries: 10 })
    expect(await preview({ kind: 'tag', tag: 'site' })).toMatchObject({ entries: 30 })
    expect(await preview({ kind: 'pattern', pattern: 'page:p1?' })).toMatchObject({ entries: 10 })
    expect(await preview({ kind: 'pattern', pattern: 'p1*', type: 'page' })).toMatchObject({ entries: 11 })
    expect(await preview({ kind: 'key', key: 'plain1' })).toMatchObject({ entries: 1, sample: ['plain1'] })
    expect(await preview({ kind: 'key', key: 'plain9' })).toMatchObject({ entries: 0 })
    const { sample, bytes } = await preview({ kind: 'type', type: 'mine' })
    expect(sample).toEqual(['mine:home', 'mine:home'])
    expect(bytes).toBeGreaterThan(0)
    await cache.deleteByTag('few')
    expect(await preview({ kind: 'type', type: 'page' })).toMatchObject({ entries: 20 })
  })

  test('is told what it costs to make entries again', async () => {
    const [cache] = await caches(backend, 1)
    await cache.type('page').getOrSet('slow', async () => {
      const until = performance.now() + 30
      while (performance.now() < until) await new Promise(resolve => setImmediate(resolve))
      return 1
    })
    const { cost } = await cache.operator.preview({ kind: 'all' })
    expect(cost).toBeGreaterThanOrEqual(29)
  })

  test.each([
    ['everything', { kind: 'all' }, 7],
    ['a type', { kind: 'type', type: 'page' }, 7],
    ['a tag', { kind: 'tag', tag: 'few' }, 7],
  ] as const)('can undo a clear of %s, from another process too', async (_what, target, plain) => {
    const [cache, other = cache] = await caches(backend, 2)
    await fill(cache)
    expect(await other.type('page').get('p1')).toBe(1)
    const { receipt, undo, undoUntil } = await cache.operator.clear(target)
    expect(receipt).toEqual({ local: true, shared: backend === 'memory' ? 'none' : 'acked' })
    expect(undoUntil).toBeGreaterThan(Date.now() + 590_000)
    expect(await cache.type('page').get('p2')).toBeUndefined()
    await until('the other has heard', async () => (await other.type('page').get('p2')) === undefined)
    // Set and deleted meanwhile: an undo does not touch that.
    await cache.type('page').set('p3', 'new', { tags: ['few'] })
    await cache.type('page').delete('p4')
    expect(await other.operator.undo(undo ?? '')).toEqual({ restored: true })
    await until('it is back', async () => (await cache.type('page').get('p5')) === 5)
    await until('it is back there', async () => (await other.type('page').get('p6')) === 6)
    // The set carried the stamps that the undo took away.
    expect(await cache.type('page').get('p3')).toBeUndefined()
    expect(await cache.type('page').get('p4')).toBeUndefined()
    expect(await cache.operator.preview({ kind: 'all' })).toMatchObject({
      types: { default: 5, mine: 2 },
      entries: plain + 28,
    })
    expect(await cache.operator.undo(undo ?? '')).toMatchObject({ restored: false })
  })

  test('cannot undo a clear that was cleared over', async () => {
    const [cache] = await caches(backend, 1)
    await fill(cache)
    const { undo } = await cache.operator.clear({ kind: 'type', type: 'page' })
    await cache.deleteByType('page')
    expect(await cache.operator.undo(undo ?? '')).toMatchObject({
      restored: false,
      reason: expect.stringContaining('again'),
    })
    expect(await cache.type('page').get('p1')).toBeUndefined()
  })

  test('brings nothing back that a pattern killed, before the clear or after it', async () => {
    const [cache] = await caches(backend, 1)
    await fill(cache)
    await cache.type('page').deleteByPattern('p1?')
    const { undo } = await cache.operator.clear({ kind: 'all' })
    await cache.type('page').deleteByPattern('p2?')
    expect(await cache.operator.undo(undo ?? '')).toEqual({ restored: true })
    expect(await cache.type('page').getMany(['p5', 'p15', 'p25'])).toEqual([5, undefined, undefined])
    // Rules go on being numbered: what comes now kills too.
    await cache.type('page').deleteByPattern('p5')
    expect(await cache.type('page').get('p5')).toBeUndefined()
  })

  test('brings nothing back that a wider clear took after it', async () => {
    const [cache] = await caches(backend, 1)
    await fill(cache)
    const { undo } = await cache.operator.clear({ kind: 'type', type: 'page' })
    await cache.clear()
    await cache.set('again', 1)
    expect(await cache.operator.undo(undo ?? '')).toEqual({ restored: true })
    // Everything was cleared after it: that was not undone.
    expect(await cache.operator.preview({ kind: 'all' })).toMatchObject({ entries: 1 })
  })

  test('is told why a key is there or not', async () => {
    const [cache] = await caches(backend, 1)
    const { explain } = cache.operator
    expect(await explain('p0', { type: 'page' })).toMatchObject({
      next: 'miss',
      tiers: [{ state: 'absent' }, ...(backend === 'memory' ? [] : [{ state: 'absent' }])],
    })
    await fill(cache)
    const found = await explain('p0', { type: 'page' })
    expect(found).toMatchObject({ type: 'page', key: 'p0', next: 'hit' })
    for (const tier of found.tiers) {
      expect(tier).toMatchObject({ state: 'fresh', tags: ['site', 'few'] })
      expect(tier.stamps?.map(({ group, name, isCurrent }) => [group, name, isCurrent])).toEqual([
        ['namespace', undefined, true],
        ['type', 'page', true],
        ['tag', 'site', true],
        ['tag', 'few', true],
      ])
    }
    if (backend !== 'memory') expect(found.tiers[1]).toMatchObject({ tier: backend, writer: cache.id })
    await cache.deleteByTag('few')
    const dead = await explain('p0', { type: 'page' })
    expect(dead.next).toBe('miss')
    expect(dead.summary).toContain('the tag "few" was cleared since')
    await cache.type('page').expire('p20')
    expect(await explain('p20', { type: 'page' })).toMatchObject({ next: 'stale' })
    await expect(explain('home', { type: 'mine' })).rejects.toMatchObject({ code: 'PALIER_BAD_KEY' })
    expect(await explain('home', { type: 'mine', subject: 'ann' })).toMatchObject({ next: 'hit' })
    await expect(explain('x', { type: 'nothing' })).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
  })

  test('lists keys in pages, without saying whose they are', async () => {
    const [cache] = await caches(backend, 1)
    await fill(cache)
    const names: string[] = []
    let after: string | undefined
    let pages = 0
    do {
      const page = await cache.operator.keys({ limit: 10, ...(after !== undefined && { after }) })
      names.push(...page.keys.map(({ type, key }) => `${type}/${key}`))
      expect(page.complete).toBe(true)
      after = page.after
      pages++
    } while (after !== undefined)
    expect(pages).toBe(4)
    expect(names.length).toBe(37)
    expect(new Set(names).size).toBe(36)
    const mine = await cache.operator.keys({ type: 'mine' })
    expect(new Set(mine.keys.map(({ subject }) => subject)).size).toBe(2)
    expect(JSON.stringify(mine)).not.toMatch(/ann|bob/)
    const some = await cache.operator.keys({ type: 'page', pattern: 'p1*' })
    expect(some.keys.map(({ key }) => key)).toEqual(['p1', ...Array.from({ length: 10 }, (_, i) => `p1${i}`)])
    await expect(cache.operator.keys({ limit: 0 })).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
    await expect(cache.operator.keys({ pattern: 'celery*' })).rejects.toMatchObject({ code: 'PALIER_PROTECTED' })
  })

  test('changes the policy of a type in every process, and after a restart', async () => {
    const [cache, other = cache] = await caches(backend, 2)
    await cache.operator.setPolicy('page', { ttl: '10m' })
    expect(cache.operator.policies()['page']).toEqual({
      ttl: 600_000,
      grace: 3_600_000,
      scope: 'public',
      declared: { ttl: 300_000, grace: 3_600_000 },
    })
    // A directory is listened to when something is asked of it.
    await until('the other has heard', async () => {
      await other.type('page').get('anything')
      return other.operator.policies()['page']?.ttl === 600_000
    })
    const found = await other.type('page').fetch('x', () => 1)
    expect(found.outcome).toBe('miss')
    expect((await other.type('page').peek('x'))?.ttl).toBeGreaterThan(590_000)
    if (backend !== 'memory') {
      const { namespace } = cache.status()
      const next = createCache({
        namespace,
        backend,
        redisUrl: redis.url,
        dir,
        logger: false,
        types: TYPES,
        deadline: '10s',
      })
      open.add(next as unknown as Cache)
      await until('it was read', () => next.operator.policies()['page']?.ttl === 600_000)
    }
    await cache.operator.setPolicy('page', null)
    expect(cache.operator.policies()['page']?.declared).toBeUndefined()
    await expect(cache.operator.setPolicy('nothing', {})).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
    await expect(cache.operator.setPolicy('page', { ttl: 0 })).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
  })
})
