import { describe, expect, test } from 'vitest'
import { createCache, memoryStore } from '../../src/index.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { outage } from '../support/outage.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

describe('close', () => {
  test('leaves no timer, on a store that works', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const cache = createCache({ logger: false, clock, store })
    await cache.set('k', 1)
    await cache.getOrSet('l', () => 1)
    await cache.deleteByTag('t')
    await cache.close()
    await store.close()
    expect(clock.pending()).toBe(0)
  })

  test.each(['fail', 'hang'] as const)('leaves no timer when everything %ss', async fault => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const store = faulty(backing)
    const cache = createCache({ logger: false, clock, store })
    await cache.ready()
    await clock.advance(1000)
    store[fault]('*')
    void cache.set('k', 1)
    void cache.deleteByTag('t')
    void cache.deleteByPattern('x*')
    void cache.getOrSet('k', () => 1)
    await clock.advance(2000)
    let closed = false
    const closing = cache.close().then(() => (closed = true))
    await clock.advance(2000)
    expect(closed).toBe(true)
    await closing
    await backing.close()
    expect(clock.pending()).toBe(0)
    store.heal()
  })

  test('does not wait for a bus that never takes its messages', async () => {
    const at = await outage()
    at.store.hang('publish')
    await at.a.set('k', 1)
    let closed = false
    const closing = at.a.close().then(() => (closed = true))
    await at.clock.advance(2000)
    const inTime = closed
    at.store.heal()
    await closing
    expect(inTime).toBe(true)
    await at.close()
  })

  test('stops the attempts to attach to a bus', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const cache = createCache({ logger: false, clock, store: faulty(backing, [{ fault: 'fail', on: 'attach' }]) })
    await cache.ready()
    await clock.advance(1500)
    await cache.close()
    await backing.close()
    expect(clock.pending()).toBe(0)
  })

  test('at once after creation does not close a store that was given', async () => {
    const store = memoryStore()
    const cache = createCache({ logger: false, store })
    await cache.close()
    await store.set('k', new Uint8Array([1]), 1000)
    expect((await store.get('k'))?.bytes).toEqual(new Uint8Array([1]))
    await store.close()
  })
})
