import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Bus, BusListener } from '../../src/bus.ts'
import { type Cache, type CacheOptions, createCache, memoryStore } from '../../src/index.ts'
import { decodeMessage, encodeMessage } from '../../src/message.ts'
import type { SharedStore } from '../../src/store.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'
import { pair } from '../support/caches.ts'

describe('a message', () => {
  test('comes out as it went in, whatever the names', () => {
    const kind = fc.constantFrom('keys' as const, 'stamps' as const, 'made' as const, 'flush' as const)
    const names = fc.array(fc.string({ unit: 'grapheme' }))
    fc.assert(
      fc.property(kind, names, (of, list) => {
        expect(decodeMessage(encodeMessage({ kind: of, names: list }))).toEqual({ kind: of, names: list })
      }),
    )
  })

  test('of another kind or none is not understood, and never an exception', () => {
    for (const text of ['', '[', '{}', '[]', 'null', '["other","k"]', '["keys",5]', '["constructor"]', '"keys"']) {
      expect(decodeMessage(text)).toBeUndefined()
    }
    fc.assert(fc.property(fc.string(), text => void decodeMessage(text)))
  })
})

interface Wire {
  readonly a: Cache
  readonly b: Cache
  readonly clock: ManualClock
  readonly store: SharedStore
  /** What the bus of `b` tells it, and whether it vouches for anything. */
  readonly link: { listener: BusListener | undefined; trusted: boolean; deaf: boolean }
}

/** Two caches, the second with a bus the test has its hands on. */
async function wired(options: CacheOptions = {}): Promise<Wire> {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  const inner = backing.connect()
  const link: Wire['link'] = { listener: undefined, trusted: true, deaf: false }
  const wrap = (bus: Bus): Bus => ({
    get trustedUntil() {
      return link.trusted ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    },
    bound: 5,
    attach(listener) {
      link.listener = {
        message: text => (link.deaf ? undefined : listener.message(text)),
        lost: reason => listener.lost(reason),
      }
      return bus.attach(link.listener)
    },
    publish: text => bus.publish(text),
    poll: () => link.trusted,
    peers: () => bus.peers(),
    close: () => bus.close(),
  })
  const own: CacheOptions = { logger: false, clock, ...options }
  const a = createCache({ ...own, store: backing })
  const b = createCache({ ...own, store: { ...inner, openBus: channel => wrap(inner.openBus(channel)) } })
  await Promise.all([a.ready(), b.ready()])
  return { a, b, clock, store: backing, link }
}

describe('the bus', () => {
  test.each(['', 'gibberish', '["of the future","k"]'])('a message like %j empties everything learned', async text => {
    const { a, b, link, store } = await wired()
    await a.set('k', 'old')
    expect(await b.get('k')).toBe('old')
    // Changed behind the caches: only who asks the store again can know.
    await store.delete(['default:e:::k'])
    expect(await b.get('k')).toBe('old')
    link.listener?.message(text)
    expect(await b.get('k')).toBeUndefined()
  })

  test('lost messages empty the near tier, forget the stamps, and are an event', async () => {
    const { a, b, link } = await wired()
    const flushes: unknown[] = []
    b.on('flush', event => flushes.push(event))
    await a.set('near', 1, { tags: ['t'] })
    expect(await b.get('near')).toBe(1)
    link.deaf = true
    await a.deleteByTag('t')
    await a.set('near', 2)
    link.deaf = false
    link.listener?.lost('a gap')
    expect(b.stats().near.entries).toBe(0)
    expect(await b.get('near')).toBe(2)
    expect(flushes).toEqual([{ reason: 'a gap', namespace: 'default' }])
  })

  test('tell what another cache deleted, by tag, type and everything', async () => {
    const { a, b } = await wired()
    const heard: unknown[] = []
    b.on('heard', ({ target, names }) => heard.push({ target, names }))
    await a.deleteByTags(['x', 'y'])
    await b.deleteByTag('mine')
    await a.deleteByType('user')
    await a.clear()
    expect(heard).toEqual([
      { target: 'tag', names: ['x', 'y'] },
      { target: 'type', names: ['user'] },
      { target: 'all', names: [] },
    ])
  })

  test('a load under way when messages were lost is not kept', async () => {
    const { b, link, store } = await wired()
    const answer = await b.getOrSet('k', () => {
      link.listener?.lost('a gap')
      return 'v'
    })
    expect(answer).toBe('v')
    await store.delete(['default:e:::k'])
    expect(await b.get('k')).toBeUndefined()
  })

  test('in doubt, the near tier is off and the cache answers from the store; afterwards it is on again', async () => {
    const { a, b, link } = await wired()
    await a.set('k', 1)
    expect(await b.get('k')).toBe(1)
    link.trusted = false
    link.deaf = true
    expect(b.status().tiers[0]).toEqual({ name: 'memory', role: 'near', state: 'in doubt', used: true })
    await a.set('k', 2)
    expect(await b.get('k')).toBe(2)
    expect(await b.getMany(['k'])).toEqual([2])
    expect(await b.getOrSet('k', () => 3)).toBe(2)
    await a.delete('k')
    expect(await b.get('k')).toBeUndefined()
    expect(await b.getOrSet('k', () => 3)).toBe(3)
    expect(await a.get('k')).toBe(3)
    link.deaf = false
    link.trusted = true
    link.listener?.lost('reconnected')
    const hits = b.stats().tiers[0]?.hits ?? 0
    expect(await b.get('k')).toBe(3)
    expect(await b.get('k')).toBe(3)
    expect(b.stats().tiers[0]?.hits).toBe(hits + 1)
    expect(b.status().tiers[0]?.state).toBe('up')
  })

  const mutations: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
    delete: cache => cache.type('user').delete('k'),
    deleteByTag: cache => cache.deleteByTag('t'),
    deleteByType: cache => cache.deleteByType('user'),
    deleteByPattern: cache => cache.deleteByPattern('user:k'),
    clear: cache => cache.clear(),
  }

  test.each(Object.entries(mutations))('in doubt, a %s elsewhere is seen by the next read', async (_name, mutate) => {
    const { a, b, link } = await wired()
    await a.type('user').set('k', 'old', { tags: ['t'] })
    expect(await b.type('user').get('k')).toBe('old')
    link.trusted = false
    link.deaf = true
    await mutate(a)
    expect(await b.type('user').get('k')).toBeUndefined()
    expect(await b.type('user').getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new')
  })

  test.each(Object.entries(mutations))(
    'that never attaches: a %s elsewhere is seen by the next read',
    async (_name, mutate) => {
      const clock = manualClock()
      const backing = memoryStore({ clock })
      const inner = backing.connect()
      const refused = (): Promise<never> => Promise.reject(new Error('no pub/sub for this user'))
      const a = createCache({ logger: false, clock, store: backing })
      const b = createCache({
        logger: false,
        clock,
        store: { ...inner, openBus: channel => ({ ...inner.openBus(channel), attach: refused }) },
      })
      await Promise.all([a.ready(), b.ready()])
      await a.type('user').set('k', 'old', { tags: ['t'] })
      expect(await b.type('user').get('k')).toBe('old')
      expect(b.status()).toMatchObject({ state: 'DEGRADED' })
      await mutate(a)
      expect(await b.type('user').get('k')).toBeUndefined()
    },
  )

  test('that attaches late is used from then on, and health says so', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    let failures = 2
    const openBus = (channel: string): Bus => {
      const bus = backing.openBus(channel)
      const attach = (listener: BusListener): Promise<void> =>
        failures-- > 0 ? Promise.reject(new Error('not yet')) : bus.attach(listener)
      return {
        bound: bus.bound,
        attach,
        get trustedUntil() {
          return bus.trustedUntil
        },
        publish: text => bus.publish(text),
        poll: () => bus.poll(),
        peers: () => bus.peers(),
        close: () => bus.close(),
      }
    }
    const cache = createCache({ logger: false, clock, store: { ...backing, openBus } })
    const states: string[] = []
    cache.on('state', ({ state }) => states.push(state))
    await cache.ready()
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    await clock.advance(3000)
    expect(states).toEqual(['DEGRADED', 'HEALTHY'])
    await cache.get('k')
    await cache.get('k')
    expect(cache.stats().tiers[0]?.hits).toBeGreaterThan(0)
  })

  test('in doubt for good, health says so', async () => {
    const { b, link } = await wired()
    link.trusted = false
    await b.get('k')
    expect(b.status()).toMatchObject({ state: 'DEGRADED' })
    expect(b.status().reason).toContain('bus')
  })

  test('its bound and its members are in the status', async () => {
    const { b } = await wired()
    expect(b.status()).toMatchObject({ staleBound: 5, processes: 2, backend: 'custom' })
  })
})

describe('what one cache tells the others', () => {
  test('entries of a subject and of a type this process does not know are taken in without harm', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const types = { profile: { scope: 'user' }, secret: {} } as const
    const a = createCache({ logger: false, clock, store, types })
    const b = createCache({ logger: false, clock, store: store.connect(), types: { profile: { scope: 'user' } } })
    await Promise.all([a.ready(), b.ready()])
    await a.type('profile').set('me', 1, { subject: 'ada' })
    expect(await b.type('profile').get('me', { subject: 'ada' })).toBe(1)
    await a.type('secret').set('k', 1)
    await a.type('secret').delete('k')
    await a.type('profile').set('me', 2, { subject: 'ada' })
    expect(await b.type('profile').get('me', { subject: 'ada' })).toBe(2)
  })

  test('never holds a value', async () => {
    const { a, b, store } = pair()
    await Promise.all([a.ready(), b.ready()])
    const texts: string[] = []
    const bus = store.openBus('default')
    await bus.attach({ message: text => void texts.push(text), lost: () => undefined })
    await a.set('k', 'secret value', { tags: ['t'] })
    await a.getOrSet('l', () => 'secret value')
    await a.deleteByTag('t')
    await a.clear()
    expect(texts.length).toBeGreaterThan(0)
    expect(texts.join('\n')).not.toContain('secret')
  })
})
