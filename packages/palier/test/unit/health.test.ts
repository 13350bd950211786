import { describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { PalierError } from '../../src/errors.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'
import { engineOn, place, type Remote, remoteServer } from '../support/remote.ts'

interface At {
  readonly clock: ManualClock
  readonly redis: Remote
  readonly cache: Cache
  readonly states: string[]
}

async function named(options: CacheOptions = {}, disk = true): Promise<At> {
  const clock = manualClock()
  const redis = remoteServer(clock).connect()
  const files = { ...memoryStore({ clock }), name: 'filesystem' }
  const spare = disk ? [place('filesystem', files)] : []
  const cache = engineOn({
    clock,
    places: [place('redis', redis, { wanted: true }), ...spare, place('memory', undefined)],
    options,
  })
  const states: string[] = []
  cache.on('state', ({ state, reason }) => states.push(`${state}: ${reason}`))
  await Promise.all([cache.ready(), clock.advance(10)])
  return { clock, redis, cache, states }
}

async function down(at: At, why = 'connect ECONNREFUSED 10.0.0.7:6379'): Promise<void> {
  at.redis.fail('*', Number.POSITIVE_INFINITY, new Error(why))
  at.redis.lost(why)
  await at.clock.advance(0)
}

async function up(at: At): Promise<void> {
  at.redis.heal()
  at.redis.ready()
  await at.clock.advance(0)
}

const reason = (at: At): string => at.cache.status().reason

describe('the reason of a state', () => {
  test('of a backend that is well, and of memory alone', async () => {
    const at = await named()
    expect(at.cache.status()).toMatchObject({ state: 'HEALTHY', reason: 'the store answers' })
    const clock = manualClock()
    const alone = createCache({ logger: false, backend: 'memory', clock })
    expect(alone.status()).toMatchObject({ state: 'WARMING', reason: 'looking for a backend' })
    expect(await alone.ready()).toMatchObject({
      state: 'HEALTHY',
      reason: 'nothing is shared: entries live in this process',
    })
    await Promise.all([at.cache.close(), alone.close()])
  })

  test('of an outage names the backend, why it is out, who serves, how old that may be, and the next try', async () => {
    const at = await named({}, false)
    await down(at)
    expect(at.cache.status()).toMatchObject({ state: 'DEGRADED', backend: 'memory' })
    expect(reason(at)).toMatch(
      /^redis is out \(connect ECONNREFUSED 10\.0\.0\.7:6379\): memory serves in its place, nothing older than 10000 ms; next try in \d+ ms$/,
    )
    const next = Number(/next try in (\d+) ms/.exec(reason(at))?.[1])
    expect(next).toBe(at.cache.status().tiers[1]?.nextTryIn)
    await at.cache.close()
  })

  test('of an outage counts what waits', async () => {
    const at = await named({}, false)
    await down(at)
    await at.cache.delete('a')
    expect(reason(at)).toContain('; 1 invalidation waiting; next try in ')
    await at.cache.deleteMany(['a', 'b'])
    await at.cache.deleteByTag('t')
    expect(reason(at)).toContain('; 3 invalidations waiting; next try in ')
    await at.cache.close()
  })

  test('of an outage says that the directory serves once it does', async () => {
    const at = await named({ outage: { ttl: '3s' } })
    await down(at)
    expect(reason(at)).toContain(': memory serves in its place, nothing older than 3000 ms;')
    await at.clock.advance(500)
    expect(reason(at)).toContain(': filesystem serves in its place, nothing older than 3000 ms;')
    await at.cache.close()
  })

  test('of an outage without anything in place', async () => {
    const at = await named({ outage: { ttl: 0 } })
    await down(at)
    await at.clock.advance(500)
    expect(reason(at)).toContain(': reads go to the source;')
    expect(at.cache.status().state).toBe('DOWN')
    await at.cache.close()
  })

  test('of an outage in which memory goes on', async () => {
    const at = await named({ outage: { serveFor: '10s' } })
    await down(at)
    expect(reason(at)).toContain(': memory goes on with what it had;')
    await at.clock.advance(10_500)
    expect(reason(at)).toContain(': filesystem serves in its place')
    await at.cache.close()
  })

  test('of an outage changes with what the last try found', async () => {
    const at = await named()
    await down(at, 'the connection was closed')
    at.redis.fail('*', Number.POSITIVE_INFINITY, new Error('WRONGPASS invalid password'))
    await at.clock.advance(1000)
    expect(reason(at)).toContain('WRONGPASS')
    await at.cache.close()
  })

  test('of a backend that was asked for and never there says why it is not', async () => {
    const clock = manualClock()
    const redis = remoteServer(clock).connect()
    redis.fail('*', Number.POSITIVE_INFINITY, new Error('connect ECONNREFUSED'))
    const files = { ...memoryStore({ clock }), name: 'filesystem' }
    const places = [place('redis', redis, { wanted: true }), place('filesystem', files)]
    const cache = engineOn({ clock, places, chosen: 1 })
    await Promise.all([cache.ready(), clock.advance(2000)])
    expect(cache.status()).toMatchObject({ state: 'DEGRADED', backend: 'filesystem' })
    expect(cache.status().reason).toContain('redis is out')
    expect(cache.status().reason).toContain('ECONNREFUSED')
    expect(cache.status().reason).toContain('filesystem serves in its place')
    await cache.close()
  })

  test('while the store is told what it missed', async () => {
    const at = await named()
    await down(at)
    await at.cache.deleteMany(['a', 'b'])
    at.redis.heal()
    at.redis.hang('delete')
    at.redis.ready()
    await at.clock.advance(1)
    expect(at.cache.status()).toMatchObject({
      state: 'WARMING',
      reason: 'redis answers again; 2 invalidations to deliver first',
    })
    await Promise.all([at.cache.close(), at.clock.advance(2000)])
    at.redis.heal()
  })

  test('after the return: WARMING for two seconds, then HEALTHY', async () => {
    const at = await named()
    await down(at)
    await up(at)
    expect(at.cache.status()).toMatchObject({
      state: 'WARMING',
      backend: 'redis',
      reason: 'redis is back; memory is filling again',
    })
    await at.clock.advance(1999)
    expect(at.cache.status().state).toBe('WARMING')
    await at.clock.advance(1)
    expect(at.cache.status()).toMatchObject({ state: 'HEALTHY', reason: 'the store answers' })
    await at.cache.close()
  })

  test('of writes that are refused: what waits, and for whom', async () => {
    const at = await named()
    at.redis.fail('delete', Number.POSITIVE_INFINITY, new PalierError('PALIER_STORE_REFUSED', 'READONLY'))
    expect(await at.cache.delete('a')).toEqual({ local: true, shared: 'pending' })
    expect(at.cache.status()).toMatchObject({
      state: 'DEGRADED',
      backend: 'redis',
      reason: '1 invalidation waiting for redis',
    })
    await at.clock.advance(5000)
    expect(at.cache.status()).toMatchObject({ state: 'DEGRADED', backend: 'redis' })
    at.redis.heal()
    await at.clock.advance(1000)
    expect(at.cache.status()).toMatchObject({ state: 'HEALTHY', outbox: { pending: 0 } })
    await at.cache.close()
  })

  test('a store that is well is not said to be well for the reason of a call that failed', async () => {
    const at = await named()
    at.redis.fail('get', 1, new Error('timeout'))
    await at.cache.get('k')
    expect(at.cache.status().tiers[1]?.state).toBe('suspect')
    const { state, reason: why } = at.cache.status()
    expect(state === 'HEALTHY' && why.includes('timeout')).toBe(false)
    await at.cache.close()
  })
})

describe('what is told of an outage', () => {
  test('each state once, in order, whether anybody asks or not', async () => {
    const at = await named()
    at.states.splice(0)
    await down(at)
    await at.clock.advance(20_000)
    await up(at)
    await at.clock.advance(5000)
    expect(at.states.map(text => text.split(':')[0])).toEqual(['DEGRADED', 'WARMING', 'HEALTHY'])
    expect(at.states[0]).toContain('DEGRADED: redis is out (connect ECONNREFUSED 10.0.0.7:6379)')
    await at.cache.close()
  })

  test('since is the moment of the change', async () => {
    const at = await named()
    await at.clock.advance(7000)
    const since = at.clock.wall()
    await down(at)
    await at.clock.advance(3000)
    expect(at.cache.status()).toMatchObject({ state: 'DEGRADED', since })
    await at.cache.close()
  })

  test('every tier: which is used, how it is, why, and when it is tried again', async () => {
    const at = await named()
    const startedAt = at.clock.wall() - 10
    await at.clock.advance(5000)
    expect(at.cache.status().tiers).toEqual([
      { name: 'memory', role: 'near', state: 'up', used: true },
      { name: 'redis', role: 'shared', state: 'up', used: true, reason: 'the store answers', since: startedAt },
    ])
    await down(at)
    const lostAt = at.clock.wall()
    await at.clock.advance(700)
    const { tiers } = at.cache.status()
    expect(tiers).toMatchObject([
      { name: 'memory', role: 'near', state: 'up', used: true },
      { name: 'redis', role: 'shared', state: 'open', used: false, since: lostAt },
      { name: 'filesystem', role: 'spare', state: 'up', used: true, reason: 'the store answers' },
    ])
    expect(tiers[1]?.nextTryIn).toBeGreaterThanOrEqual(0)
    expect(tiers[2]).not.toHaveProperty('nextTryIn')
    await at.cache.close()
  })
})
