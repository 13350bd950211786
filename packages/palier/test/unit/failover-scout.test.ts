import { describe, expect, test } from 'vitest'
import type { Place } from '../../src/detect.ts'
import type { Cache } from '../../src/index.ts'
import { type Disk, house } from '../support/house.ts'
import { place, type Remote } from '../support/remote.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

describe('a better backend that nobody asked for', () => {
  const scouted =
    (isThere: () => boolean, given: Partial<Place> = {}) =>
    ({ redis, disk }: { redis: Remote; disk: Disk }): [readonly Place[], number] => [
      [
        place('redis', redis, {
          prove: () => (isThere() ? Promise.resolve() : Promise.reject(new Error('nobody listens'))),
          ...given,
        }),
        place('filesystem', undefined, { open: disk.open }),
        place('memory', undefined),
      ],
      1,
    ]

  test('is found within seconds, and is what counts from then on', async () => {
    const { clock, node, timers } = house()
    let there = false
    const at = await node(
      {},
      scouted(() => there),
    )
    expect(at.cache.status()).toMatchObject({ backend: 'filesystem', state: 'HEALTHY' })
    await at.cache.set('k', 'on disk')
    await clock.advance(20_000)
    expect(at.moves).toEqual([])
    there = true
    await clock.advance(6000)
    expect(at.moves).toEqual(['filesystem > redis'])
    expect(at.cache.status()).toMatchObject({ backend: 'redis', outbox: { pending: 0 } })
    expect(at.disk.closed()).toBe(1)
    expect(await at.cache.get('k')).toBeUndefined()
    expect(await at.cache.set('k', 'v')).toEqual({ local: true, shared: 'acked' })
    expect(await at.cache.peek('k')).toMatchObject({ ttl: 300_000 })
    await clock.advance(3000)
    expect(at.cache.status().state).toBe('HEALTHY')
    await at.cache.close()
    expect(timers()).toEqual([])
  })

  test('once found is fallen back from like any other, to the directory it took the place of', async () => {
    const { clock, node } = house()
    const at = await node(
      {},
      scouted(() => true),
    )
    await at.cache.set('k', 'on disk, before')
    await clock.advance(6000)
    await at.down()
    expect(at.moves).toEqual(['filesystem > redis', 'redis > memory', 'memory > filesystem'])
    expect(await at.cache.get('k')).toBeUndefined()
    await at.up()
    expect(at.cache.status().backend).toBe('redis')
    await at.cache.close()
  })

  test('holds nothing that was there before it was found', async () => {
    const { clock, node } = house()
    const other = await node()
    await other.cache.set('k', 'old')
    const at = await node(
      {},
      scouted(() => true),
    )
    await at.cache.delete('k')
    await clock.advance(6000)
    expect(at.cache.status().backend).toBe('redis')
    expect(await at.cache.get('k')).toBeUndefined()
    await Promise.all([at.cache.close(), other.cache.close()])
  })

  test('other processes that use it already hear what was deleted before it was found', async () => {
    const { clock, node } = house()
    const other = await node()
    await other.cache.set('k', 'old')
    expect(await other.cache.get('k')).toBe('old')
    const at = await node(
      {},
      scouted(() => true),
    )
    await at.cache.delete('k')
    await clock.advance(6000)
    expect(at.cache.status().backend).toBe('redis')
    expect(await other.cache.get('k')).toBeUndefined()
    await Promise.all([at.cache.close(), other.cache.close()])
  })

  test('a deletion made while it is being told is obeyed there', async () => {
    const { clock, node } = house()
    const other = await node()
    const at = await node(
      {},
      scouted(() => true),
    )
    at.redis.delay('attach', 200, clock)
    while (at.cache.status().tiers.find(one => one.role === 'scout')?.state !== 'draining') await clock.advance(1)
    await clock.advance(20)
    await other.cache.getOrSet('k', () => 'old')
    await at.cache.delete('k')
    await clock.advance(1000)
    expect(at.cache.status().backend).toBe('redis')
    expect(await at.cache.get('k')).toBeUndefined()
    await Promise.all([at.cache.close(), other.cache.close()])
  })

  test('that proves itself and cannot be opened harms nobody, and is looked for again', async () => {
    const { clock, node } = house()
    let opens = 0
    const at = await node({}, node => {
      const given: Partial<Place> = {
        open() {
          if (++opens === 1) throw new Error('no client is installed')
          return node.redis
        },
      }
      return scouted(() => true, given)(node)
    })
    await clock.advance(6000)
    expect(opens).toBe(1)
    expect(at.cache.status().backend).toBe('filesystem')
    await clock.advance(6000)
    expect(at.cache.status().backend).toBe('redis')
    await at.cache.close()
  })
})

describe('going on with what memory had', () => {
  const SERVE = { outage: { serveFor: '30s', ttl: '5s' } } as const

  test('for the stated time entries from before are served; then nothing of them is', async () => {
    const { clock, node } = house()
    const at = await node(SERVE)
    await at.cache.set('k', 1, { tags: ['t'] })
    await at.down()
    expect(at.moves).toEqual([])
    expect(at.cache.status()).toMatchObject({ backend: 'redis', state: 'DEGRADED', staleBound: 30_000 })
    expect(at.cache.status().reason).toContain('memory goes on with what it had')
    expect(await at.cache.get('k')).toBe(1)
    expect(await at.cache.getOrSet('absent', () => 'source')).toBe('source')
    await clock.advance(29_600)
    expect(await at.cache.get('k')).toBe(1)
    await clock.advance(400)
    expect(await at.cache.get('k')).toBeUndefined()
    expect(at.moves[0]).toBe('redis > memory')
    await at.up()
    expect(at.cache.status().backend).toBe('redis')
    expect(await at.cache.get('k')).toBe(1)
    await at.cache.close()
  })

  const mutations: Readonly<Record<string, (cache: Cache) => Promise<{ readonly shared: string }>>> = {
    set: cache => cache.type('user').set('k', 'new'),
    delete: cache => cache.type('user').delete('k'),
    deleteByTag: cache => cache.deleteByTag('t'),
    deleteByType: cache => cache.deleteByType('user'),
    deleteByPattern: cache => cache.deleteByPattern('us*:k'),
    clear: cache => cache.clear(),
  }

  test.each(Object.entries(mutations))('%s meanwhile is obeyed at once, and after', async (_name, mutate) => {
    const { clock, node } = house()
    const [at, peer] = [await node(SERVE), await node(SERVE)]
    await at.cache.type('user').set('k', 'old', { tags: ['t'] })
    await at.cache.type('product').set('other', 'kept')
    await at.down()
    expect(await at.cache.type('user').get('k')).toBe('old')
    expect(await mutate(at.cache)).toEqual({ local: true, shared: 'pending' })
    for (const wait of [0, 1000, 29_000, 5000]) {
      await clock.advance(wait)
      expect(await at.cache.type('user').get('k')).not.toBe('old')
      expect((await at.cache.type('user').peek('k'))?.value).not.toBe('old')
    }
    await at.up()
    expect(await at.cache.type('user').get('k')).toBeUndefined()
    expect(await peer.cache.type('user').get('k')).toBeUndefined()
    await Promise.all([at.cache.close(), peer.cache.close()])
  })

  test('a backend that is back in time is used at once, and what memory had is dropped', async () => {
    const { clock, node } = house()
    const [at, peer] = [await node(SERVE), await node(SERVE)]
    await at.cache.set('k', 'old')
    await at.down()
    // Behind everybody's back: no message tells of it.
    await peer.redis.delete(['default:e:::k'])
    expect(await at.cache.get('k')).toBe('old')
    await at.up()
    expect(await at.cache.get('k')).toBeUndefined()
    await clock.advance(60_000)
    expect(at.moves).toEqual([])
    await Promise.all([at.cache.close(), peer.cache.close()])
  })

  test('each outage has its own time', async () => {
    const { clock, node } = house()
    const at = await node(SERVE)
    await at.down()
    await clock.advance(20_000)
    await at.up()
    await at.cache.set('k', 1)
    await at.down()
    await clock.advance(20_000)
    expect(await at.cache.get('k')).toBe(1)
    await clock.advance(10_000)
    expect(await at.cache.get('k')).toBeUndefined()
    await at.cache.close()
  })

  test('a recovery that fails half way serves nothing from before any more', async () => {
    const { clock, node } = house()
    const at = await node(SERVE)
    await at.cache.set('k', 'old')
    await at.down()
    await at.cache.delete('other')
    at.redis.heal()
    at.redis.fail('delete')
    await clock.advance(2000)
    expect(await at.cache.get('k')).toBeUndefined()
    await at.up()
    expect(await at.cache.get('k')).toBe('old')
    await at.cache.close()
  })
})
