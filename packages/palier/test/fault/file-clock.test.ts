import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLayout } from '../../src/stores/file/layout.ts'
import { type ManualClock, manualClock } from '../../src/testing/clock.ts'
import type { SharedStore } from '../../src/store.ts'
import { fileRecord, freshDir, tree, watchedStore } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

let dir: string
let removeAll: () => void
let clock: ManualClock
let stores: SharedStore[]

beforeEach(() => {
  const fresh = freshDir()
  dir = fresh.dir
  removeAll = fresh.remove
  // Leases compare the clock with times the system itself gave to files.
  clock = manualClock(Date.now())
  stores = []
})

afterEach(async () => {
  await Promise.all(stores.map(store => store.close()))
  removeAll()
})

function open(): SharedStore {
  const { store } = watchedStore({ dir, clock })
  stores.push(store)
  return store
}

/** The times that the system gives to files are a few milliseconds coarse: what was before a turn must be seen to be before. */
async function turn(by: number): Promise<void> {
  for (const moved of [false, true]) {
    if (moved) clock.jumpWall(by)
    const since = Date.now()
    await until('the times of files have gone on', () => Date.now() > since + 10)
  }
}

const set = (store: SharedStore, key: string, ttl: number): Promise<void> => store.set(key, fileRecord(key, key), ttl)
const remaining = async (store: SharedStore, key: string): Promise<number> => (await store.get(key))?.remaining ?? 0
const pathOf = (key: string): string => createLayout(dir).entry(key)

describe('the clock is turned back by two hours', () => {
  test('nothing expires for it, and nothing lives longer than its ttl from then on', async () => {
    const store = open()
    await set(store, 'k', 5 * MINUTE)
    await clock.advance(MINUTE)
    await turn(-2 * HOUR)
    expect(await remaining(store, 'k')).toBeLessThanOrEqual(5 * MINUTE)
    expect(await remaining(store, 'k')).toBeGreaterThan(0)
    await clock.advance(4 * MINUTE)
    expect(await remaining(store, 'k')).toBe(MINUTE)
    await clock.advance(MINUTE + 1)
    expect(await store.get('k')).toBeUndefined()
    await store.sweep?.()
    expect(existsSync(pathOf('k'))).toBe(false)
  })

  test('and what is written after it lives for its ttl', async () => {
    const store = open()
    await turn(-2 * HOUR)
    await set(store, 'k', 5 * MINUTE)
    await clock.advance(4 * MINUTE)
    expect(await remaining(store, 'k')).toBe(MINUTE)
    await clock.advance(MINUTE)
    expect(await store.get('k')).toBeUndefined()
  })

  test('a process started later gives what was written before no more than its ttl', async () => {
    await set(open(), 'k', 5 * MINUTE)
    await turn(-2 * HOUR)
    const later = open()
    expect(await remaining(later, 'k')).toBe(5 * MINUTE)
    await clock.advance(5 * MINUTE)
    expect(await later.get('k')).toBeUndefined()
  })

  test('sweeps that come by themselves go on', async () => {
    const store = open()
    await set(store, 'k', 2 * MINUTE)
    await store.sweep?.()
    await turn(-2 * HOUR)
    for (let minute = 0; minute < 12; minute++) {
      await clock.advance(MINUTE)
      await store.get('other')
    }
    await until('the entry is gone', () => tree(join(dir, 'v1')).every(name => name.endsWith('/')))
  })

  test('a lease is held as long as it was to be', async () => {
    const store = open()
    for (const jump of [-2 * HOUR, -50_000]) {
      await store.claim('k', { token: 't', ttl: 10_000, steal: true })
      await store.claim('l', { token: 't', ttl: 10_000, steal: true })
      await turn(jump)
      await clock.advance(9_000)
      expect((await store.claim('k', { token: 'u', ttl: 10_000 })).granted).toBe(false)
      expect(await store.commit('k', 't', fileRecord('k', 'in time'), HOUR)).toBe(true)
      await clock.advance(1_001)
      expect(await store.commit('l', 't', fileRecord('l', 'late'), HOUR)).toBe(false)
      expect((await store.claim('l', { token: 'u', ttl: 10_000 })).granted).toBe(true)
    }
  })

  test('leases taken after it end in their time', async () => {
    const store = open()
    await store.get('k')
    await turn(-2 * HOUR)
    expect((await store.claim('k', { token: 't', ttl: 10_000 })).granted).toBe(true)
    await clock.advance(9_000)
    expect((await store.claim('k', { token: 'u', ttl: 10_000 })).granted).toBe(false)
    await clock.advance(1_001)
    expect((await store.claim('k', { token: 'u', ttl: 10_000 })).granted).toBe(true)
    expect(await store.commit('k', 'u', fileRecord('k', 'new'), HOUR)).toBe(true)
  })
})

describe('the clock is set forward by an hour', () => {
  test('what was to live longer lives, and turned back again nothing is lost that was not swept', async () => {
    const store = open()
    await set(store, 'short', 5 * MINUTE)
    await set(store, 'long', 2 * HOUR)
    await turn(HOUR)
    expect(await store.get('short')).toBeUndefined()
    expect(await remaining(store, 'long')).toBe(HOUR)
    await turn(-2 * HOUR)
    expect(await remaining(store, 'short')).toBeGreaterThan(0)
    expect(await remaining(store, 'long')).toBeLessThanOrEqual(2 * HOUR)
    await clock.advance(5 * MINUTE + 1)
    expect(await store.get('short')).toBeUndefined()
    // Longer than the clock was turned back: by so much longer it lives.
    await clock.advance(3 * HOUR)
    expect(await store.get('long')).toBeUndefined()
  })

  test('a lease is held as long as it was to be', async () => {
    const store = open()
    await store.claim('k', { token: 't', ttl: 10_000 })
    await turn(HOUR)
    await clock.advance(9_000)
    expect((await store.claim('k', { token: 'u', ttl: 10_000 })).granted).toBe(false)
    expect(await store.renew('k', 't', 10_000)).toBe(true)
    await clock.advance(9_000)
    expect(await store.commit('k', 't', fileRecord('k', 'in time'), 3 * HOUR)).toBe(true)
  })

  test('for a process that did not see it, a lease ends early: a second load, and one value', async () => {
    const store = open()
    await store.claim('k', { token: 't', ttl: 10_000 })
    await turn(HOUR)
    const later = open()
    expect((await later.claim('k', { token: 'u', ttl: 10_000 })).granted).toBe(true)
    expect(await store.commit('k', 't', fileRecord('k', 'late'), HOUR)).toBe(false)
    expect(await later.commit('k', 'u', fileRecord('k', 'new'), HOUR)).toBe(true)
  })
})

test('a machine that was suspended finds what expired meanwhile expired, and a second machine takes its leases', async () => {
  const store = open()
  await set(store, 'k', 5 * MINUTE)
  await set(store, 'long', 3 * HOUR)
  await store.claim('l', { token: 't', ttl: 10_000 })
  // The monotonic clock stood still with the machine.
  await turn(2 * HOUR)
  expect(await store.get('k')).toBeUndefined()
  expect(await remaining(store, 'long')).toBe(HOUR)
  expect((await open().claim('l', { token: 'u', ttl: 10_000 })).granted).toBe(true)
  expect(await store.commit('l', 't', fileRecord('l', 'late'), HOUR)).toBe(false)
})

test('times as far as 2106 and beyond are no trouble', async () => {
  clock = manualClock(Date.UTC(2106, 1, 8))
  const store = open()
  await set(store, 'k', 25 * 24 * HOUR)
  await set(store, 'for ever', Number.MAX_SAFE_INTEGER)
  await clock.advance(24 * HOUR)
  expect(await remaining(store, 'k')).toBe(24 * 24 * HOUR)
  expect(await remaining(store, 'for ever')).toBeGreaterThan(1_000_000 * HOUR)
})
