import { describe, expect, test } from 'vitest'
import { createCache, memoryStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { noRejections } from '../support/rejections.ts'

noRejections()

describe('a pattern deleted while a clear still waits', () => {
  test('kills what was set in between, at once', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const store = faulty(backing)
    const cache = createCache({ logger: false, clock, store })
    await cache.ready()
    store.fail('set', 1)
    expect(await cache.clear()).toEqual({ local: true, shared: 'pending' })
    await cache.set('k', 'old')
    expect(await cache.get('k')).toBe('old')
    store.fail('claim', 1)
    expect(await cache.deleteByPattern('k*')).toEqual({ local: true, shared: 'pending' })
    expect(await cache.get('k')).toBeUndefined()
    await clock.advance(3000)
    expect(await cache.get('k')).toBeUndefined()
    await cache.close()
  })
})

describe('a deletion that fails while the deletion of its type is on its way', () => {
  test('is not forgotten with the type`s acknowledgement', async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const answers: { hold?: Promise<void> } = {}
    const inner = faulty(backing)
    const store: SharedStore = {
      ...inner,
      async set(key, bytes, ttl) {
        const wait = key.includes(':s:') ? answers.hold : undefined
        await inner.set(key, bytes, ttl)
        await wait
      },
    }
    const cache = createCache({ logger: false, clock, store })
    const peer = createCache({ logger: false, clock, store: backing.connect() })
    await Promise.all([cache.ready(), peer.ready()])
    const user = cache.type('user')
    await user.get('warm')
    inner.fail('set', 1)
    expect(await cache.deleteByType('user')).toEqual({ local: true, shared: 'pending' })
    const answer = gate<void>()
    answers.hold = answer.promise
    // The new stamp of the type is with the store, its acknowledgement is not yet here.
    await clock.advance(500)
    expect(await user.set('k', 'old')).toMatchObject({ shared: 'acked' })
    inner.fail('delete', 1)
    expect(await user.delete('k')).toEqual({ local: true, shared: 'pending' })
    answer.open()
    await clock.advance(200)
    expect(await user.get('k')).toBeUndefined()
    await clock.advance(3000)
    expect(await user.get('k')).toBeUndefined()
    expect(await peer.type('user').get('k')).toBeUndefined()
    await Promise.all([cache.close(), peer.close()])
  })
})
