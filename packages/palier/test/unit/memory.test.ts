import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import type { NearRecord } from '../../src/store.ts'
import { memoryStore, nearStore } from '../../src/stores/memory.ts'
import { manualClock } from '../../src/testing.ts'

function record(deadAt = Infinity, size = 1): NearRecord {
  return { deadAt, size, visited: false }
}

function near(
  options: { maxEntries?: number; maxBytes?: number; onEvict?: (space: string, key: string) => void } = {},
) {
  const clock = manualClock()
  const store = nearStore({ maxEntries: Infinity, maxBytes: Infinity, clock, ...options })
  return { clock, store, space: store.space('s') }
}

describe('the near store', () => {
  test('gives back the record itself, marks it used on get and not on peek', () => {
    const { space } = near()
    const kept = record()
    expect(space.set('k', kept)).toBe(true)
    expect(space.peek('k')).toBe(kept)
    expect(kept.visited).toBe(false)
    expect(space.get('k')).toBe(kept)
    expect(kept.visited).toBe(true)
    expect(space.get('other')).toBeUndefined()
  })

  test('a record past its time is still given, until it is taken away', async () => {
    const { clock, space } = near()
    space.set('k', record(clock.now() + 10))
    await clock.advance(500)
    expect(space.get('k')).toBeDefined()
    await clock.advance(1_000)
    expect(space.get('k')).toBeUndefined()
  })

  test('a used record outlives newer ones that are not used', () => {
    const { space } = near({ maxEntries: 3 })
    for (const key of ['a', 'b', 'c']) space.set(key, record())
    space.get('a')
    space.set('d', record())
    space.set('e', record())
    expect([...space.keys()]).toEqual(['a', 'd', 'e'])
  })

  test('the expired leave before anybody alive, and are not reported as evicted', async () => {
    const evicted: string[] = []
    const { clock, space } = near({ maxEntries: 4, onEvict: (name, key) => void evicted.push(`${name}/${key}`) })
    space.set('old', record())
    space.set('dead', record(clock.now() + 10))
    space.get('dead')
    space.set('young', record())
    space.set('dead too', record(clock.now() + 10))
    await clock.advance(20)
    space.set('new', record())
    expect([...space.keys()]).toEqual(['old', 'young', 'new'])
    space.set('newer', record())
    space.set('newest', record())
    expect(evicted).toEqual(['s/old'])
  })

  test('an expired record is not reported as evicted even when only the policy comes upon it', async () => {
    const evicted: string[] = []
    const { clock, space } = near({ maxEntries: 41, onEvict: (_, key) => void evicted.push(key) })
    for (let i = 0; i < 40; i++) {
      space.set(`used${i}`, record())
      space.get(`used${i}`)
    }
    space.set('dead', record(clock.now() + 10))
    await clock.advance(20)
    space.set('new', record())
    expect(space.peek('dead')).toBeUndefined()
    expect(evicted).toEqual([])
  })

  test('a record larger than the whole budget is refused, evicts nobody, and its predecessor goes', () => {
    const { store, space } = near({ maxBytes: 100 })
    space.set('other', record(Infinity, 60))
    space.set('k', record(Infinity, 10))
    expect(space.set('k', record(Infinity, 101))).toBe(false)
    expect(space.peek('k')).toBeUndefined()
    expect(space.set('k', record(Infinity, Number.NaN))).toBe(false)
    expect(space.set('k', record(Infinity, -1))).toBe(false)
    expect(store.usage()).toEqual({ entries: 1, bytes: 60 })
    expect(space.set('k', record(Infinity, 100))).toBe(true)
    expect([...space.keys()]).toEqual(['k'])
  })

  test('a store without room refuses everything', () => {
    const { space } = near({ maxEntries: 0 })
    expect(space.set('k', record())).toBe(false)
    expect(space.get('k')).toBeUndefined()
  })

  test('a replaced record keeps its place and its mark, and others make room when it grows', () => {
    const { store, space } = near({ maxBytes: 10 })
    for (const key of ['a', 'b', 'c']) space.set(key, record(Infinity, 3))
    space.get('a')
    const grown = record(Infinity, 6)
    expect(space.set('a', grown)).toBe(true)
    expect(grown.visited).toBe(true)
    expect([...space.keys()]).toEqual(['a', 'c'])
    expect(store.usage()).toEqual({ entries: 2, bytes: 9 })
  })

  test('spaces share the budgets and nothing else', () => {
    const { store, space } = near({ maxEntries: 4 })
    const other = store.space('other')
    expect(store.space('other')).toBe(other)
    space.set('k', record())
    other.set('k', record())
    other.set('l', record())
    expect(space.delete('k')).toBe(true)
    expect(space.delete('k')).toBe(false)
    expect(other.get('k')).toBeDefined()
    space.set('m', record())
    space.clear()
    expect([...other.keys()]).toEqual(['k', 'l'])
    expect(store.usage().entries).toBe(2)
    store.clear()
    expect(store.usage()).toEqual({ entries: 0, bytes: 0 })
  })

  test('whoever is told of an eviction may change the store', () => {
    const { store, space } = near({
      maxEntries: 3,
      onEvict: () => {
        space.delete('c')
        space.set('from the listener', record())
      },
    })
    for (const key of ['a', 'b', 'c', 'd', 'e']) space.set(key, record())
    expect(store.usage().entries).toBeLessThanOrEqual(3)
    expect(space.peek('e')).toBeDefined()
  })

  test('one timer at most, only while there is something to watch, and none after close', async () => {
    const { clock, store, space } = near()
    expect(clock.pending()).toBe(0)
    for (let i = 0; i < 100; i++) space.set(`k${i}`, record(clock.now() + i))
    store.space('other').set('k', record())
    expect(clock.pending()).toBe(1)
    await clock.advance(5_000)
    expect(store.usage().entries).toBe(1)
    expect(clock.pending()).toBe(1)
    store.close()
    store.close()
    expect(clock.pending()).toBe(0)
    expect(space.set('late', record())).toBe(false)
    expect(clock.pending()).toBe(0)
  })

  test('a walk for the expired stays bounded: a large store takes several turns', async () => {
    const { clock, store, space } = near()
    for (let i = 0; i < 25_000; i++) space.set(`k${i}`, record(clock.now() + 1))
    await clock.advance(1_000)
    expect(store.usage().entries).toBe(15_000)
    await clock.advance(2_000)
    expect(store.usage().entries).toBe(0)
  })

  test('sizes that are no whole numbers leave nothing behind', () => {
    const { store, space } = near({ maxBytes: 1 })
    for (let i = 0; i < 10_000; i++) space.set(`k${i % 50}`, record(Infinity, 0.1))
    for (const key of [...space.keys()]) space.delete(key)
    expect(store.usage()).toEqual({ entries: 0, bytes: 0 })
    expect(space.set('k', record(Infinity, 1))).toBe(true)
  })

  test('changing much while evicting nobody keeps no memory', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { space } = near({ maxEntries: 10_000 })
    for (let i = 0; i < 10_001; i++) space.set(`k${i}`, record())
    const held = (): number => {
      collect()
      return process.memoryUsage().heapUsed
    }
    const churn = (from: number, count: number): void => {
      for (let i = from; i < from + count; i++) {
        space.delete(`k${i - 10_000}`)
        space.set(`k${i}`, record())
      }
    }
    churn(10_001, 20_000)
    const before = held()
    churn(30_001, 1_000_000)
    // An idle iterator would have kept 40 MB of former tables alive.
    expect(held() - before).toBeLessThan(8_000_000)
  })
})

describe('the memory store', () => {
  test('stays within its budgets, and keeps the leases of what it lets go', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock, maxEntries: 10, maxBytes: 2_000 })
    const claimed = await store.claim('filling', { token: 'holder', ttl: 60_000 })
    expect(claimed.granted).toBe(true)
    for (let i = 0; i < 200; i++) await store.set(`k${i}`, new Uint8Array(i), 60_000)
    const { entries, bytes } = await store.usage('')
    expect(entries).toBeLessThanOrEqual(10)
    expect(bytes).toBeLessThanOrEqual(2_000)
    expect(await store.get('k199')).toBeDefined()
    expect(await store.commit('filling', 'holder', new Uint8Array(3), 60_000)).toBe(true)
    await store.close()
    expect(clock.pending()).toBe(0)
  })

  test('what is too large for it is absent, and so is what was there before', async () => {
    const store = memoryStore({ clock: manualClock(), maxBytes: 100 })
    await store.set('k', new Uint8Array(10), 1_000)
    await store.set('k', new Uint8Array(1_000), 1_000)
    expect(await store.get('k')).toBeUndefined()
    await store.close()
  })

  test('the backing lives until the last of its stores is closed; a closed store rejects', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const other = store.connect()
    await store.set('k', new Uint8Array(1), 60_000)
    await store.close()
    await expect(store.get('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    expect(await other.get('k')).toBeDefined()
    await other.close()
    await expect(other.set('k', new Uint8Array(1), 1)).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    expect(() => store.connect()).toThrow('closed')
    expect(clock.pending()).toBe(0)
  })

  test('a sweep says what it did', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    await store.set('short', new Uint8Array(5), 100)
    await store.set('long', new Uint8Array(7), 60_000)
    await store.claim('left behind', { token: 't', ttl: 100 })
    await clock.advance(200)
    expect(await store.sweep?.()).toEqual({ expired: 1, evicted: 0, debris: 1, entries: 1, bytes: 11 })
    await store.close()
  })

  test('a scan ends although a writer goes on', async () => {
    const store = memoryStore({ clock: manualClock() })
    for (let i = 0; i < 600; i++) await store.set(`k${i}`, new Uint8Array(1), 60_000)
    let seen = 0
    for await (const batch of store.scan('k')) {
      seen += batch.length
      for (const key of batch) {
        await store.delete([key])
        await store.set(`${key}+`, new Uint8Array(1), 60_000)
      }
    }
    expect(seen).toBe(600)
    await store.close()
  })

  test('a listener that fails on a message is told it missed one, and the others hear it', async () => {
    const store = memoryStore()
    const [sender, broken, sound] = [store.openBus('c'), store.openBus('c'), store.openBus('c')]
    const told: string[] = []
    const message = (): void => {
      throw new Error('cannot')
    }
    await broken.attach({ message, lost: reason => void told.push(`lost: ${reason}`) })
    await sound.attach({ message: text => void told.push(text), lost: reason => void told.push(reason) })
    await sender.publish('m')
    expect(told).toEqual(['lost: the listener failed on a message', 'm'])
  })

  test('answers to answers reach a third listener after what they answer', async () => {
    const store = memoryStore()
    const [asking, answering, watching] = [store.openBus('c'), store.openBus('c'), store.openBus('c')]
    const sent: Promise<void>[] = []
    const told: string[] = []
    const lost = (reason: string): void => void told.push(reason)
    await asking.attach({ message: text => text === 'answer' && sent.push(asking.publish('thanks')), lost })
    await answering.attach({ message: text => text === 'question' && sent.push(answering.publish('answer')), lost })
    await watching.attach({ message: text => void told.push(text), lost })
    await asking.publish('question')
    await Promise.all(sent)
    expect(told).toEqual(['question', 'answer', 'thanks'])
  })

  test('who attaches late has missed nothing and is told of no loss', async () => {
    const store = memoryStore()
    const [sender, late] = [store.openBus('c'), store.openBus('c')]
    await sender.publish('before')
    const told: string[] = []
    await late.attach({ message: text => void told.push(text), lost: reason => void told.push(reason) })
    await sender.publish('after')
    expect(told).toEqual(['after'])
  })
})
