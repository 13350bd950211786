import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { type CacheEvents, createCache, type EventName } from '../../src/index.ts'
import { createEvents } from '../../src/events.ts'
import { memoryCache, pair } from '../support/caches.ts'

const NAMES: readonly EventName[] = [
  'hit',
  'stale',
  'miss',
  'load',
  'set',
  'delete',
  'flush',
  'evict',
  'error',
  'state',
]

describe('events', () => {
  test('tell what happened, in order, with the namespace', async () => {
    const { cache, clock } = memoryCache({ namespace: 'shop', defaults: { ttl: 1000, grace: 5000, throttle: 0 } })
    await cache.ready()
    const told: unknown[] = []
    for (const name of NAMES) cache.on(name, event => told.push({ name, ...event }))
    const user = cache.type('user')
    await user.getOrSet('k', () => 1, { ttl: 1000 })
    await user.getOrSet('k', () => 2)
    await user.get('nothing')
    await user.set('s', 1)
    await user.delete('s')
    await cache.deleteByTag('t')
    await cache.deleteByType('user')
    await cache.deleteByPattern('x*')
    await cache.clear()
    const namespace = 'shop'
    expect(told).toEqual([
      { name: 'load', type: 'user', key: 'k', ms: 0, stored: true, namespace },
      { name: 'miss', type: 'user', key: 'k', reason: 'absent', namespace },
      { name: 'hit', type: 'user', key: 'k', tier: 'near', namespace },
      { name: 'miss', type: 'user', key: 'nothing', reason: 'absent', namespace },
      { name: 'set', type: 'user', key: 's', namespace },
      { name: 'delete', target: 'key', names: ['s'], namespace },
      { name: 'delete', target: 'tag', names: ['t'], namespace },
      { name: 'delete', target: 'type', names: ['user'], namespace },
      { name: 'delete', target: 'pattern', names: ['x*'], namespace },
      { name: 'delete', target: 'all', names: [], namespace },
    ])
    told.length = 0
    await cache.set('g', 'old')
    await clock.advance(1500)
    await cache.getOrSet('g', () => Promise.reject(new Error('down')))
    expect(told).toMatchObject([
      { name: 'set' },
      { name: 'error', operation: 'factory', key: 'g' },
      { name: 'stale', reason: 'error' },
    ])
  })

  test('a shared hit names its store', async () => {
    const { a, b } = pair()
    const tiers: string[] = []
    b.on('hit', event => tiers.push(event.tier))
    await a.set('k', 1)
    await b.get('k')
    await b.get('k')
    await b.getMany(['k'])
    expect(tiers).toEqual(['memory', 'near', 'near'])
  })

  test('an eviction names type and key', async () => {
    const { cache } = memoryCache({ memory: { maxEntries: 2 } })
    const evicted: unknown[] = []
    cache.on('evict', event => evicted.push(event))
    for (const key of ['1', '2', '3']) await cache.type('user').set(key, key)
    expect(evicted).toHaveLength(1)
    expect(evicted[0]).toMatchObject({ type: 'user', namespace: 'default' })
    expect(cache.stats().tiers[0]?.evictions).toBe(1)
  })

  test('reach node:diagnostics_channel as palier:<name>', async () => {
    const { cache } = memoryCache({ namespace: 'watched' })
    const heard: string[] = []
    const hears = NAMES.map(name => {
      const hear = (event: unknown): void => {
        const { namespace } = event as CacheEvents['hit'] & { namespace: string }
        if (namespace === 'watched') heard.push(name)
      }
      subscribe(`palier:${name}`, hear)
      return { name, hear }
    })
    try {
      await cache.getOrSet('k', () => 1)
      await cache.getOrSet('k', () => 1)
      await cache.get('k')
      await cache.set('k', 2)
      await cache.delete('k')
    } finally {
      for (const { name, hear } of hears) unsubscribe(`palier:${name}`, hear)
    }
    expect(heard.filter(name => name !== 'state')).toEqual(['load', 'miss', 'hit', 'hit', 'set', 'delete'])
    await cache.get('k')
    expect(heard.filter(name => name === 'miss')).toHaveLength(1)
  })

  test('a listener that throws harms neither the caller nor the other listeners, and is an error event', async () => {
    const { cache } = memoryCache()
    const errors: string[] = []
    const heard: string[] = []
    cache.on('error', event => errors.push(event.message))
    cache.on('error', () => {
      throw new Error('even here')
    })
    for (const name of NAMES) {
      if (name === 'error') continue
      cache.on(name, () => {
        throw new Error(`no ${name}`)
      })
      cache.on(name, () => heard.push(name))
    }
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    expect(await cache.getOrSet('k', () => 2)).toBe(1)
    expect(await cache.get('k')).toBe(1)
    expect((await cache.set('k', 2)).local).toBe(true)
    expect((await cache.delete('k')).local).toBe(true)
    expect(heard).toEqual(expect.arrayContaining(['load', 'miss', 'hit', 'set', 'delete']))
    expect(errors).toEqual(expect.arrayContaining(['a listener of "hit" threw: no hit']))
  })

  test('an asynchronous listener that rejects is an error event, never an unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    try {
      const { cache } = memoryCache()
      const errors: string[] = []
      cache.on('error', event => errors.push(event.operation))
      const listeners: (() => unknown)[] = [() => Promise.reject(new Error('later'))]
      for (const listener of listeners) cache.on('set', listener)
      await cache.set('k', 1)
      await new Promise(resolve => setImmediate(resolve))
      await new Promise(resolve => setImmediate(resolve))
      expect(unhandled).toEqual([])
      expect(errors).toEqual(['listener'])
    } finally {
      process.off('unhandledRejection', note)
    }
  })

  test('a listener taken off hears no more; one added twice is taken off once', async () => {
    const { cache } = memoryCache()
    let count = 0
    const listener = (): void => void count++
    const off = cache.on('set', listener)
    const offAgain = cache.on('set', listener)
    await cache.set('k', 1)
    expect(count).toBe(2)
    off()
    off()
    await cache.set('k', 1)
    expect(count).toBe(3)
    offAgain()
    await cache.set('k', 1)
    expect(count).toBe(3)
  })

  test('a listener that takes another off while being told does no harm', () => {
    const events = createEvents('n')
    const heard: string[] = []
    events.on('set', () => {
      heard.push('one')
      off()
    })
    const off = events.on('set', () => heard.push('two'))
    events.on('set', () => heard.push('three'))
    events.emit('set', { type: '', key: 'k' })
    expect(heard).toEqual(['one', 'three'])
    expect(events.wants('hit')).toBe(false)
    expect(events.wants('set')).toBe(true)
  })

  test('a name that is no event is refused, with those there are', () => {
    const { cache } = memoryCache()
    expect(() => cache.on('hits' as 'hit', () => undefined)).toThrow(/expected hit, stale, miss.*received "hits"/s)
  })

  test('state tells of the search for a backend and its end', async () => {
    const cache = createCache({ backend: 'memory', logger: false })
    const states: string[] = []
    cache.on('state', ({ state }) => states.push(state))
    expect(cache.status().state).toBe('WARMING')
    await cache.ready()
    await new Promise(resolve => setImmediate(resolve))
    expect(states).toEqual(['HEALTHY'])
    await cache.close()
  })
})
