import { describe, expect, test } from 'vitest'
import type { Place } from '../../src/detect.ts'
import type { SharedStore } from '../../src/store.ts'
import { faulty } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { type Disk, house } from '../support/house.ts'
import { place, type Remote } from '../support/remote.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

describe('a directory that stands in for Redis', () => {
  test('is opened once the outage has lasted, and not for a shorter one', async () => {
    const { clock, node } = house()
    const at = await node()
    at.redis.lost()
    at.redis.ready()
    await clock.advance(1000)
    expect({ opened: at.disk.opened.length, moves: at.moves }).toEqual({
      opened: 0,
      moves: ['redis > memory', 'memory > redis'],
    })
    await at.down()
    expect(at.moves.slice(2)).toEqual(['redis > memory', 'memory > filesystem'])
    expect(at.cache.status()).toMatchObject({
      backend: 'filesystem',
      tiers: [
        { role: 'near', used: true },
        { name: 'redis', role: 'shared', state: 'open', used: false },
        { name: 'filesystem', role: 'spare', state: 'up', used: true },
      ],
    })
    await at.cache.close()
  })

  test('is given what is loaded meanwhile, with its ttl cut', async () => {
    const { node, backing } = house()
    const at = await node()
    await at.down()
    await at.cache.getOrSet('loaded', () => 1, { grace: '1h' })
    await at.cache.set('set', 2)
    for (const key of ['loaded', 'set']) {
      const record = await backing.get(`default:e:::${key}`)
      expect(record?.remaining).toBeGreaterThan(0)
      expect(record?.remaining).toBeLessThanOrEqual(10_000)
    }
    expect(at.cache.stats().tiers[1]?.name).toBe('filesystem')
    await at.cache.close()
  })

  test('holds nothing of an earlier outage, of this process or another', async () => {
    const { node } = house()
    const [a, b] = [await node(), await node()]
    await Promise.all([a.down(), b.down()])
    await a.cache.getOrSet('a', () => 'first', { tags: ['t'] })
    await b.cache.getOrSet('b', () => 'first')
    expect(await b.cache.get('a')).toBe('first')
    await Promise.all([a.up(), b.up()])
    await Promise.all([a.down(), b.down()])
    expect(await a.cache.getMany(['a', 'b'])).toEqual([undefined, undefined])
    expect(await b.cache.getMany(['a', 'b'])).toEqual([undefined, undefined])
    await Promise.all([a.cache.close(), b.cache.close()])
  })

  test('is shared by the processes of one outage, which hear each other', async () => {
    const { node } = house()
    const [a, b] = [await node(), await node()]
    await Promise.all([a.down(), b.down()])
    await a.cache.getOrSet('k', () => 'v', { tags: ['t'] })
    expect(await b.cache.get('k')).toBe('v')
    expect(await b.cache.deleteByTag('t')).toEqual({ local: true, shared: 'pending' })
    expect(await a.cache.get('k')).toBeUndefined()
    expect(a.cache.status().processes).toBe(2)
    await Promise.all([a.cache.close(), b.cache.close()])
  })

  test('a value that another process keeps there is not believed once it was deleted here on the way', async () => {
    const { clock, node } = house()
    const [a, b] = [await node(), await node()]
    await b.down()
    a.redis.fail('*')
    a.redis.lost()
    // A begins anew with the directory while its bus is slow; B goes on loading there, and A deletes.
    while (a.disk.opened.length === 0) await clock.advance(1)
    a.disk.opened[0]?.delay('attach', 100, clock)
    await clock.advance(20)
    await b.cache.getOrSet('k', () => 'old')
    await a.cache.delete('k')
    await clock.advance(500)
    expect(a.cache.status().backend).toBe('filesystem')
    expect(await a.cache.get('k')).toBeUndefined()
    await Promise.all([a.cache.close(), b.cache.close()])
  })

  test('a deletion made while it is being begun anew is obeyed there, whoever uses it already', async () => {
    const { clock, node } = house()
    const answer = gate<void>()
    const slow = (node: { redis: Remote; disk: Disk }): [readonly Place[], number] => {
      const open = (): SharedStore => {
        const store = node.disk.open()
        const set: SharedStore['set'] = async (key, bytes, ttl) => {
          await store.set(key, bytes, ttl)
          if (key.includes(':s:')) await answer.promise
        }
        return { ...store, set }
      }
      const files = place('filesystem', undefined, { open })
      return [[place('redis', node.redis, { wanted: true }), files, place('memory', undefined)], 0]
    }
    const [a, b] = [await node({}, slow), await node()]
    for (const { redis } of [a, b]) {
      redis.fail('*')
      redis.lost()
      await clock.advance(10)
    }
    await clock.advance(210)
    // A has begun anew with the directory and does not know it yet; B did after it, and goes on.
    const spare = (one: typeof a): string | undefined => one.cache.status().tiers[2]?.state
    expect([spare(a), spare(b)]).toEqual(['draining', 'up'])
    await b.cache.getOrSet('k', () => 'old')
    await a.cache.delete('k')
    answer.open()
    await clock.advance(100)
    expect(a.cache.status().backend).toBe('filesystem')
    expect(await a.cache.get('k')).toBeUndefined()
    await Promise.all([a.cache.close(), b.cache.close()])
  })

  test('that fails too leaves memory; when it is back it is used again, begun anew', async () => {
    const { clock, node } = house()
    const at = await node()
    await at.down()
    await at.cache.getOrSet('k', () => 'disk')
    const [spare] = at.disk.opened
    spare?.fail('*')
    await at.cache.get('nothing')
    await clock.advance(0)
    expect(at.cache.status()).toMatchObject({ backend: 'memory', state: 'DEGRADED' })
    expect(await at.cache.get('k')).toBeUndefined()
    expect(await at.cache.getOrSet('m', () => 'memory')).toBe('memory')
    expect(await at.cache.delete('k')).toEqual({ local: true, shared: 'pending' })
    spare?.heal()
    await clock.advance(2000)
    expect(at.cache.status().backend).toBe('filesystem')
    expect(await at.cache.getMany(['k', 'm'])).toEqual([undefined, undefined])
    await at.up()
    expect(at.cache.status()).toMatchObject({ backend: 'redis', outbox: { pending: 0 } })
    await at.cache.close()
  })

  test('that cannot be proven is tried again, and each time an error says so', async () => {
    const { clock, node } = house()
    let works = false
    const at = await node({}, ({ redis, disk }) => [
      [
        place('redis', redis, { wanted: true }),
        place('filesystem', undefined, {
          open: disk.open,
          prove: () => (works ? Promise.resolve() : Promise.reject(new Error('no space left'))),
        }),
        place('memory', undefined),
      ],
      0,
    ])
    await at.down()
    await clock.advance(3000)
    expect(at.errors.filter(one => one === 'failover').length).toBeGreaterThanOrEqual(3)
    expect(at.cache.status().backend).toBe('memory')
    works = true
    await clock.advance(1100)
    expect(at.cache.status().backend).toBe('filesystem')
    await at.cache.close()
  })

  test('is closed when Redis is back, and nothing of it goes on', async () => {
    const { clock, node, timers } = house()
    const at = await node()
    await at.down()
    await at.cache.getOrSet('user:k', () => 1)
    await at.cache.deleteByPattern('user:*')
    await at.cache.deleteByTag('t')
    await at.up()
    expect(at.disk.closed()).toBe(1)
    expect(at.cache.status().tiers.map(one => one.role)).toEqual(['near', 'shared'])
    at.errors.splice(0)
    const calls = at.disk.opened[0]?.calls('*')
    await clock.advance(400_000)
    expect(at.errors).toEqual([])
    expect(at.disk.opened[0]?.calls('*')).toBe(calls)
    await at.cache.close()
    expect(timers()).toEqual([])
  })

  test('whose bus cannot be had is not asked for it any more once Redis is back', async () => {
    const { clock, node } = house()
    const at = await node({}, ({ redis, disk }) => [
      [
        place('redis', redis, { wanted: true }),
        place('filesystem', undefined, {
          open() {
            const store = disk.open()
            store.fail('attach')
            return store
          },
        }),
        place('memory', undefined),
      ],
      0,
    ])
    await at.down()
    await clock.advance(3000)
    expect(at.cache.status().backend).toBe('filesystem')
    await at.up()
    const asked = at.disk.opened[0]?.calls('attach')
    at.errors.splice(0)
    await clock.advance(10_000)
    expect(at.disk.opened[0]?.calls('attach')).toBe(asked)
    expect(at.errors).toEqual([])
    await at.cache.close()
  })

  test('Redis back while the directory is being opened: it is left alone', async () => {
    const { clock, node } = house()
    const proof = gate<void>()
    const at = await node({}, ({ redis, disk }) => [
      [
        place('redis', redis, { wanted: true }),
        place('filesystem', undefined, { open: disk.open, prove: () => proof.promise }),
      ],
      0,
    ])
    await at.down()
    await at.up()
    proof.open()
    await clock.advance(1000)
    expect({ opened: at.disk.opened.length, moves: at.moves }).toEqual({
      opened: 0,
      moves: ['redis > memory', 'memory > redis'],
    })
    await at.cache.close()
  })

  test('with a ttl of 0 no record without a lifetime is ever handed to it, and it is closed in the end', async () => {
    const { clock, node } = house()
    const lifetimes: number[] = []
    const at = await node({ outage: { ttl: 0 } }, ({ redis, disk }) => {
      redis.fail('*')
      const store = disk.open()
      const watched = faulty({
        ...store,
        set: (key, bytes, ttl) => (lifetimes.push(ttl), store.set(key, bytes, ttl)),
        commit: (key, token, bytes, ttl) => (lifetimes.push(ttl), store.commit(key, token, bytes, ttl)),
      })
      return [[place('redis', redis, { wanted: true }), place('filesystem', watched)], 1]
    })
    await clock.advance(1000)
    await at.cache.set('k', 1)
    await at.cache.getOrSet('l', () => 1)
    await at.cache.add('m', 1)
    expect(lifetimes.filter(ttl => !(ttl > 0))).toEqual([])
    await at.cache.close()
    expect(at.disk.closed()).toBe(1)
  })
})

describe('a Redis that was asked for and is not there at the start', () => {
  const absent = (node: { redis: Remote; disk: Disk }): [readonly Place[], number] => {
    node.redis.fail('*')
    return [
      [
        place('redis', node.redis, { wanted: true }),
        place('filesystem', undefined, { open: node.disk.open }),
        place('memory', undefined),
      ],
      1,
    ]
  }

  test('is waited for; the directory stands in, and what is deleted waits', async () => {
    const { clock, node, server } = house()
    const first = await node()
    await first.cache.set('k', 'old')
    const at = await node({}, absent)
    expect(at.cache.status()).toMatchObject({ backend: 'filesystem', state: 'DEGRADED', staleBound: 10_000 })
    expect(await at.cache.getOrSet('l', () => 1)).toBe(1)
    expect(await at.cache.peek('l')).toMatchObject({ ttl: 10_000 })
    expect(await at.cache.delete('k')).toEqual({ local: true, shared: 'pending' })
    at.redis.heal()
    await clock.advance(4000)
    expect(at.cache.status()).toMatchObject({ backend: 'redis', state: 'HEALTHY', outbox: { pending: 0 } })
    expect(await at.cache.getMany(['k', 'l'])).toEqual([undefined, undefined])
    expect(server).toBeDefined()
    await Promise.all([at.cache.close(), first.cache.close()])
  })

  test('is told what was deleted, and so is everybody who hears it', async () => {
    const { clock, node } = house()
    const first = await node()
    for (const key of ['k', 'tagged', 'p:k']) await first.cache.set(key, 'old', { tags: key === 'tagged' ? ['t'] : [] })
    expect(await first.cache.getMany(['k', 'tagged', 'p:k'])).toEqual(['old', 'old', 'old'])
    const at = await node({}, absent)
    await at.cache.delete('k')
    await at.cache.deleteByTag('t')
    await at.cache.deleteByPattern('p:*')
    at.redis.heal()
    await clock.advance(4000)
    expect(at.cache.status().outbox).toEqual({ pending: 0 })
    expect(await first.cache.getMany(['k', 'tagged', 'p:k'])).toEqual([undefined, undefined, undefined])
    await Promise.all([at.cache.close(), first.cache.close()])
  })

  test('and cannot even be opened does not keep the directory from being used', async () => {
    const { node } = house()
    const at = await node({}, ({ disk }) => [
      [
        place('redis', undefined, {
          wanted: true,
          open() {
            throw new Error('no client is installed')
          },
        }),
        place('filesystem', undefined, { open: disk.open }),
        place('memory', undefined),
      ],
      1,
    ])
    expect(at.cache.status().backend).toBe('filesystem')
    await at.cache.set('k', 1)
    expect(await at.cache.get('k')).toBe(1)
    await at.cache.close()
  })
})
