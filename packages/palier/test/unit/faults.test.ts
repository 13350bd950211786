import { describe, expect, test } from 'vitest'
import { type Cache, createCache, memoryStore } from '../../src/index.ts'
import { type FaultTarget, faulty, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { type Outage, outage } from '../support/outage.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

describe('a read while one method of the store fails', () => {
  const methods: readonly (FaultTarget | '*')[] = [
    'get',
    'getMany',
    'claim',
    'commit',
    'release',
    'renew',
    'publish',
    '*',
  ]

  test.each(methods)('%s failing: reads answer, the factory gives the value', async method => {
    const at = await outage()
    await at.b.set('there', 1)
    at.store.fail(method)
    expect([1, undefined]).toContain(await at.a.get('there'))
    expect(await at.a.has('absent')).toBe(false)
    expect(await at.a.peek('absent')).toBeUndefined()
    expect(await at.a.getMany(['absent', 'gone'])).toEqual([undefined, undefined])
    expect(await at.a.getOrSet('k', () => 'v')).toBe('v')
    expect(await at.during(50, () => at.a.getOrSetMany(['x', 'y'], keys => keys.map(key => key + key)))).toEqual([
      'xx',
      'yy',
    ])
    await at.close()
  })

  test.each(methods)('%s hanging: each call of the store costs its deadline and no more', async method => {
    const at = await outage()
    await at.b.set('there', 1)
    at.store.hang(method)
    const before = at.clock.now()
    const answers = at.during(3000, () =>
      Promise.all([
        at.a.get('there').then(() => at.clock.now() - before),
        at.a.getOrSet('k', () => 'v').then(() => at.clock.now() - before),
      ]),
    )
    const [got, loaded] = await answers
    expect(got).toBeLessThanOrEqual(500)
    expect(loaded).toBeLessThanOrEqual(750)
    await at.close()
  })

  test('the deadline is 250 ms unless said otherwise', async () => {
    const at = await outage({ deadline: 40 })
    at.store.hang('get')
    let answered = false
    const answer = at.a.get('k').then(() => (answered = true))
    await at.clock.advance(39)
    expect(answered).toBe(false)
    await at.clock.advance(1)
    await answer
    await at.close()
  })

  test('the failure is an error event and counted, never the error of a reader', async () => {
    const at = await outage()
    const events: { operation: string; code: string; key?: string }[] = []
    at.a.on('error', ({ operation, code, key }) => events.push({ operation, code, ...(key && { key }) }))
    at.store.fail('get', 1)
    await at.a.get('k')
    at.store.hang('get')
    await at.during(250, () => at.a.get('k'))
    expect(events).toEqual([
      { operation: 'get', code: 'PALIER_STORE_FAILED', key: 'k' },
      { operation: 'get', code: 'PALIER_STORE_TIMEOUT', key: 'k' },
    ])
    expect(at.a.stats()).toMatchObject({ errors: 2, misses: 2, missReasons: { store: 2 } })
    expect(at.a.stats().tiers[1]).toMatchObject({ errors: 2 })
    await at.close()
  })

  test('an answer that comes after the deadline is not used', async () => {
    const at = await outage()
    await at.b.set('k', 'late')
    at.store.delay('get', 300, at.clock)
    expect(await at.during(250, () => at.a.get('k'))).toBeUndefined()
    await at.clock.advance(100)
    at.store.heal()
    await at.b.delete('k')
    expect(await at.a.get('k')).toBeUndefined()
    await at.close()
  })

  test.each(['fail', 'hang'] as const)(
    'a store whose every call would %s from the first moment on: reads answer',
    async fault => {
      const clock = manualClock()
      const backing = memoryStore({ clock })
      const store = faulty(backing, [{ fault, on: '*' }])
      const cache = createCache({ logger: false, clock, store })
      let answer: unknown
      void cache.getOrSet('k', () => 'v').then(value => (answer = value))
      await clock.advance(3000)
      const inTime = answer
      store.heal()
      await Promise.all([cache.close(), clock.advance(2000)])
      expect(inTime).toBe('v')
    },
  )

  test('a store that throws instead of rejecting is a store that failed', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const throwing = (): never => {
      throw new Error('thrown at once')
    }
    const cache = createCache({ logger: false, clock, store: { ...backing, get: throwing } })
    await Promise.all([cache.ready(), clock.advance(2000)])
    for (let i = 0; i < 3; i++) expect(await cache.get('k')).toBeUndefined()
    expect(cache.status().state).toBe('DEGRADED')
    await cache.close()
    expect(clock.pending()).toBe(0)
  })
})

describe('the breaker', () => {
  async function opened(): Promise<Outage> {
    const at = await outage()
    at.store.fail('*')
    for (let i = 0; i < 3; i++) await at.a.get(`k${i}`)
    return at
  }

  test('opens after three failures in a row, not before', async () => {
    const at = await outage()
    at.store.fail('get', 2)
    await at.a.get('a')
    await at.a.get('b')
    await at.a.get('c')
    at.store.fail('get', 2)
    await at.a.get('d')
    await at.a.get('e')
    expect(at.a.status().tiers[1]?.state).toBe('up')
    at.store.fail('get')
    await at.a.get('f')
    expect(at.a.status().tiers[1]?.state).toBe('open')
    await at.close()
  })

  test('open, it asks the store nothing but a trial now and then, ever more rarely', async () => {
    const at = await opened()
    const before = at.store.calls('*')
    for (let i = 0; i < 50; i++) await at.a.getOrSet(`k${i}`, () => i)
    expect(at.store.calls('*')).toBe(before)
    await at.clock.advance(1000)
    expect(at.store.calls('*') - before).toBeLessThanOrEqual(5)
    for (let second = 1; second <= 5; second++) {
      const asked = at.store.calls('*')
      await Promise.all(Array.from({ length: 20 }, (_, i) => at.a.get(`k${i}`)))
      expect(at.store.calls('*')).toBe(asked)
      await at.clock.advance(1000)
      expect(at.store.calls('*') - asked).toBeLessThanOrEqual(2)
      expect(at.store.calls('*') - asked).toBeGreaterThanOrEqual(1)
    }
    await at.close()
  })

  test('closes with the first trial that succeeds', async () => {
    const at = await opened()
    at.store.heal()
    await at.b.set('k', 1)
    expect(await at.a.get('k')).toBeUndefined()
    await at.clock.advance(1000)
    expect(await at.a.get('k')).toBe(1)
    expect(at.a.status().tiers[1]?.state).toBe('up')
    await at.close()
  })

  test('a store that always answers too late opens it', async () => {
    const at = await outage()
    at.store.delay('*', 300, at.clock)
    for (let i = 0; i < 8; i++) await at.during(250, () => at.a.get(`k${i}`))
    expect(at.a.status().tiers[1]?.state).toBe('open')
    await at.close()
  })

  test('a call counts as one failure, even when it fails once more after its deadline', async () => {
    const at = await outage()
    // Not `get`: the question whether the store is there must be answered.
    at.store.hang('getMany')
    await at.during(250, () => Promise.all([at.a.getMany(['a']), at.a.getMany(['b'])]))
    at.store.heal()
    await at.clock.advance(0)
    expect(at.a.status().tiers[1]?.state).toBe('suspect')
    await at.a.getMany(['c'])
    expect(at.a.status().tiers[1]?.state).toBe('up')
    await at.close()
  })

  test('flapping: the state follows, reads always answer', async () => {
    const at = await outage()
    const states: string[] = []
    at.a.on('state', ({ state }) => states.push(state))
    for (let round = 0; round < 3; round++) {
      at.store.fail('*')
      for (let i = 0; i < 4; i++) expect(await at.a.getOrSet(`k${round}.${i}`, () => i)).toBe(i)
      at.store.heal()
      await at.clock.advance(1000)
      expect(await at.a.getOrSet(`k${round}`, () => round)).toBe(round)
    }
    await at.clock.advance(4000)
    expect(states).toEqual(['DEGRADED', 'WARMING', 'DEGRADED', 'WARMING', 'DEGRADED', 'WARMING', 'HEALTHY'])
    await at.close()
  })
})

describe('health', () => {
  test('DEGRADED says why, and the store is found again without anybody asking', async () => {
    const at = await outage()
    const states: { state: string; reason: string }[] = []
    at.a.on('state', ({ state, reason }) => states.push({ state, reason }))
    at.store.fail('*')
    for (let i = 0; i < 3; i++) await at.a.get(`k${i}`)
    expect(at.a.status()).toMatchObject({ state: 'DEGRADED' })
    expect(at.a.status().reason).toContain('as the test asked')
    at.store.heal()
    await at.clock.advance(1500)
    expect(states.map(one => one.state)).toEqual(['DEGRADED', 'WARMING'])
    await at.clock.advance(3000)
    expect(states.map(one => one.state)).toEqual(['DEGRADED', 'WARMING', 'HEALTHY'])
    await at.close()
  })

  test('a deletion that waits is an event of its own, and so is its end', async () => {
    const at = await outage()
    const states: string[] = []
    at.a.on('state', ({ state }) => states.push(state))
    at.store.fail('delete', 1)
    await at.a.delete('k')
    expect(states).toEqual(['DEGRADED'])
    await at.clock.advance(1000)
    expect(states).toEqual(['DEGRADED', 'HEALTHY'])
    await at.close()
  })
})

describe('a set the store refuses', () => {
  test('receipt pending while its deletion waits, and nobody sees either value here', async () => {
    const at = await outage()
    await at.a.set('k', 'old')
    at.store.fail('*')
    expect(await at.a.set('k', 'new')).toEqual({ local: true, shared: 'pending' })
    expect(await at.a.get('k')).toBeUndefined()
    at.store.heal()
    expect(await at.a.get('k')).toBeUndefined()
    await at.clock.advance(3000)
    expect(at.a.status().outbox.pending).toBe(0)
    expect(await at.b.get('k')).toBeUndefined()
    await at.close()
  })

  test('refused when the store takes deletions but no values: nothing waits, the old value is gone', async () => {
    const at = await outage()
    await at.a.set('k', 'old')
    at.store.fail('set')
    const receipt = await at.a.set('k', 'new')
    expect(await at.a.get('k')).toBeUndefined()
    expect(await at.b.get('k')).toBeUndefined()
    expect(at.a.status().outbox.pending).toBe(0)
    expect(receipt).toEqual({ local: true, shared: 'refused' })
    await at.close()
  })

  test('a value too large once encoded is the caller`s mistake on every backend', async () => {
    const at = await outage({ maxValueBytes: 1000 })
    const value = '\u0001'.repeat(400)
    await expect(at.a.set('k', value)).rejects.toMatchObject({ code: 'PALIER_TOO_LARGE' })
    await at.close()
  })
})

describe('a lost or failing end of a load', () => {
  test('the answer of the commit is lost: the value is there all the same', async () => {
    const at = await outage()
    at.store.lose('commit', 9)
    expect(await at.a.getOrSet('k', () => 1)).toBe(1)
    at.store.heal()
    expect(await at.b.getOrSet('k', () => 2)).toBeLessThanOrEqual(2)
    const [one, two] = await Promise.all([at.a.get('k'), at.b.get('k')])
    expect(one).toBe(two)
    await at.close()
  })

  test('the commit fails: the next process need not wait for the lease to end', async () => {
    const at = await outage({ types: { user: { near: false } } })
    await at.a.type('user').getOrSet('warm', () => 0)
    at.store.fail('commit', 1)
    expect(await at.a.type('user').getOrSet('k', () => 1)).toBe(1)
    const before = at.clock.now()
    const later = at.b
      .type('user')
      .getOrSet('k', () => 2)
      .then(() => at.clock.now() - before)
    await at.clock.advance(8000)
    expect(await later).toBeLessThanOrEqual(1000)
    await at.close()
  })

  test('a failing factory whose release fails too is the factory`s error', async () => {
    const at = await outage()
    await at.a.getOrSet('warm', () => 0)
    at.store.fail('release')
    await expect(at.a.getOrSet('k', () => Promise.reject(new Error('source')))).rejects.toThrow('source')
    await at.close()
  })

  test('renewals that fail do not end the load', async () => {
    const at = await outage()
    await at.a.getOrSet('warm', () => 0)
    at.store.fail('renew')
    const slow = gate<string>()
    const answer = at.a.getOrSet('k', () => slow.promise)
    await at.clock.advance(10_000)
    slow.open('v')
    expect(await at.during(300, () => answer)).toBe('v')
    await at.close()
  })
})

describe('an invalidation while the stamps are out of reach', () => {
  const mutations: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
    delete: cache => cache.type('user').delete('k'),
    deleteByTag: cache => cache.deleteByTag('t'),
    deleteByType: cache => cache.deleteByType('user'),
    deleteByPattern: cache => cache.deleteByPattern('user:k'),
    clear: cache => cache.clear(),
  }
  test.each(Object.entries(mutations))('%s: nobody joins the load that began before', async (_name, mutate) => {
    const at = await outage()
    at.store.fail('*')
    const slow = gate<string>()
    const started = gate<void>()
    const options = { tags: ['t'] }
    const load = (): Promise<string> => (started.open(), slow.promise)
    const first = at.a.type('user').getOrSet('k', load, options)
    await started.promise
    await mutate(at.a)
    const second = at.a.type('user').getOrSet('k', () => 'new', options)
    await at.clock.advance(1)
    slow.open('old')
    expect(await first).toBe('old')
    expect(await second).toBe('new')
    await at.close()
  })
})
