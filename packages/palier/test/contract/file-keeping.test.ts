import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCache } from '../../src/index.ts'
import { decodeRecord } from '../../src/record.ts'
import { createLayout } from '../../src/stores/file/layout.ts'
import { type FileStoreOptions, fileStore } from '../../src/stores/file/store.ts'
import type { SharedStore } from '../../src/store.ts'
import { type ManualClock, manualClock } from '../../src/testing/clock.ts'
import { diskUsage, fileRecord, freshDir, textOf, tree, type Watched, watchedStore } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'

const LONG = 600_000
const MB = 1024 * 1024
const REFUSED = { code: 'PALIER_STORE_REFUSED', message: expect.stringContaining('nothing alive may be taken away') }

let dir: string
let removeAll: () => void
let clock: ManualClock
let opened: SharedStore[]

beforeEach(() => {
  const fresh = freshDir('disk')
  dir = fresh.dir
  removeAll = fresh.remove
  clock = manualClock()
  opened = []
})

afterEach(async () => {
  await Promise.all(opened.map(store => store.close()))
  removeAll()
})

function open(options: Omit<FileStoreOptions, 'dir' | 'onEvent'> = {}): Watched {
  const watched = watchedStore({ dir, clock, evict: false, maxBytes: MB, ...options })
  opened.push(watched.store)
  return watched
}

async function textAt(store: SharedStore, key: string): Promise<string | undefined> {
  const found = await store.get(key)
  const record = found && decodeRecord(found.bytes)
  return record && textOf(record.payload)
}

/** Writes `k0`, `k1` … until one is refused; those that were taken. */
async function fill(store: SharedStore, size: number, ttl: number = LONG): Promise<string[]> {
  for (let i = 0; ; i++) {
    try {
      await store.set(`k${i}`, fileRecord(`k${i}`, `k${i}`, size), ttl)
    } catch (error) {
      expect(error).toMatchObject(REFUSED)
      return Array.from({ length: i }, (_, n) => `k${n}`)
    }
  }
}

const evicted = ({ events }: Watched): number =>
  events.reduce((sum, event) => sum + (event.kind === 'swept' ? event.swept.evicted : 0), 0)

describe('a store that may not evict, full to its limit', () => {
  test.each([
    ['bytes', { maxBytes: MB }, 20_000, 40],
    ['files', { maxFiles: 500 }, 10, 200],
  ] as const)('of %s, keeps all that is alive, and refuses what is more', async (_, budget, size, least) => {
    const full = open({ maxBytes: 64 * MB, ...budget })
    const keys = await fill(full.store, size)
    expect(keys.length).toBeGreaterThan(least)
    expect(diskUsage(dir)).toBeLessThan(1.03 * ('maxBytes' in budget ? budget.maxBytes : 64 * MB))
    expect(tree(dir).length).toBeLessThan(1.03 * ('maxFiles' in budget ? budget.maxFiles : 50_000))
    await clock.advance(10_000)
    await full.store.sweep?.()
    await expect(full.store.set('more', fileRecord('more', 'x', size), LONG)).rejects.toMatchObject(REFUSED)
    expect((await full.store.claim('more', { token: 't', ttl: LONG })).granted).toBe(true)
    await expect(full.store.commit('more', 't', fileRecord('more', 'x', size), LONG)).rejects.toMatchObject(REFUSED)
    for (const key of keys) expect(await textAt(full.store, key)).toBe(key)
    expect(await full.store.get('more')).toBeUndefined()
    expect(evicted(full)).toBe(0)
  })

  test('writes over what is there with what is not larger, again and again, and refuses what is larger', async () => {
    const { store } = open()
    const keys = await fill(store, 20_000)
    for (let round = 0; round < 3; round++) {
      for (const key of keys) await store.set(key, fileRecord(key, `${key} again`, 20_000), LONG)
    }
    await store.claim('k1', { token: 't', ttl: LONG, steal: true })
    expect(await store.commit('k1', 't', fileRecord('k1', 'committed', 20_000), LONG)).toBe(true)
    await expect(store.set('k0', fileRecord('k0', 'large', 400_000), LONG)).rejects.toMatchObject(REFUSED)
    expect([await textAt(store, 'k0'), await textAt(store, 'k1')]).toEqual(['k0 again', 'committed'])
    expect(diskUsage(dir)).toBeLessThan(1.03 * MB)
  })

  test('has room again for what is deleted', async () => {
    const { store } = open()
    const keys = await fill(store, 20_000)
    await store.delete(keys.slice(0, 10))
    for (const key of keys.slice(0, 7)) await store.set(key, fileRecord(key, 'new', 20_000), LONG)
    expect(await textAt(store, 'k3')).toBe('new')
  })

  test('has room for a write, its first attempt, once others expired', async () => {
    const { store, events } = open()
    await store.set('alive', fileRecord('alive', 'alive'), LONG)
    const keys = await fill(store, 20_000, 60_000)
    await clock.advance(61_000)
    await store.set('new', fileRecord('new', 'new', 20_000), LONG)
    expect([await textAt(store, 'alive'), await textAt(store, 'new')]).toEqual(['alive', 'new'])
    expect(keys.filter(key => existsSync(createLayout(dir).entry(key)))).toEqual([])
    expect(events.some(event => event.kind === 'swept' && event.swept.expired === keys.length)).toBe(true)
  })

  test('does not sweep for each write it refuses', async () => {
    const { store, events } = open()
    await fill(store, 20_000)
    const sweeps = (): number => events.filter(({ kind }) => kind === 'swept').length
    await until('what the last writes began has ended', async () => (await store.sweep?.()) !== undefined)
    const before = sweeps()
    for (let i = 0; i < 50; i++) await store.set('more', fileRecord('more', 'x', 20_000), LONG).catch(() => undefined)
    expect(sweeps() - before).toBeLessThanOrEqual(1)
  })
})

describe('in a directory of a store that may not evict', () => {
  test('no other store evicts, whatever its options and its budget', async () => {
    const keys = await fill(open({ maxBytes: 4 * MB }).store, 20_000)
    const other = watchedStore({ dir, clock, maxBytes: MB })
    opened.push(other.store)
    expect(await other.store.sweep?.()).toMatchObject({ evicted: 0, entries: keys.length })
    await expect(other.store.set('more', fileRecord('more', 'x', 20_000), LONG)).rejects.toMatchObject(REFUSED)
    for (const key of keys) expect(await textAt(other.store, key)).toBe(key)
  })

  test('nor one that was there before', async () => {
    const before = watchedStore({ dir, clock, maxBytes: MB })
    opened.push(before.store)
    await before.store.get('k')
    const { store } = open({ maxBytes: 4 * MB })
    const keys = await fill(store, 20_000)
    expect(await before.store.sweep?.()).toMatchObject({ evicted: 0, entries: keys.length })
  })

  test('backups are not told to leave it out', async () => {
    await open().store.set('k', fileRecord('k', 'x'), LONG)
    expect(existsSync(createLayout(dir).tag)).toBe(false)
  })

  test('a damaged entry is left where it is, told, and may be written anew', async () => {
    const { store, events } = open()
    await store.set('k', fileRecord('k', 'old'), LONG)
    const path = createLayout(dir).entry('k')
    const whole = readFileSync(path)
    const damaged = Buffer.from(whole)
    damaged[damaged.length - 1] = 1
    writeFileSync(path, damaged)
    expect(await store.get('k')).toBeUndefined()
    expect(events.filter(({ kind }) => kind === 'fault')).toMatchObject([{ operation: 'get', fault: 'damaged' }])
    expect(existsSync(path)).toBe(true)
    // The trouble passed.
    writeFileSync(path, whole)
    await clock.advance(61_000)
    expect(await textAt(store, 'k')).toBe('old')
    await store.set('k', fileRecord('k', 'new'), LONG)
    expect(await textAt(store, 'k')).toBe('new')
  })

  test('what killed processes left is removed, and nothing of the sweep itself is left', async () => {
    const { store } = open()
    for (let i = 0; i < 20; i++) await store.set(`k${i}`, fileRecord(`k${i}`, 'x'), i < 10 ? 1_000 : LONG)
    const path = createLayout(dir).entry('k15')
    writeFileSync(`${path}.1-2.t`, 'half a rec')
    utimesSync(`${path}.1-2.t`, 1, 1)
    await clock.advance(2_000)
    expect(await store.sweep?.()).toMatchObject({ expired: 10, evicted: 0, debris: 1, entries: 10 })
    expect(tree(`${dir}/v1`).filter(name => /\.[tcl]\b/.test(name))).toEqual([])
  })
})

describe('options', () => {
  test('that are neither true nor false are refused at once, by name', () => {
    for (const wrong of ['no', 0, null]) {
      const value = wrong as unknown as boolean
      expect(() => fileStore({ dir, evict: value })).toThrow('evict: expected true or false')
      expect(() => fileStore({ dir, durable: value })).toThrow('durable: expected true or false')
      for (const name of ['evict', 'durable']) {
        expect(() => createCache({ logger: false, dir, files: { [name]: value } })).toThrow(
          expect.objectContaining({ code: 'PALIER_BAD_OPTION', message: expect.stringContaining(`files.${name}`) }),
        )
      }
    }
  })

  test('of a cache reach its directory', async () => {
    const cache = createCache({ logger: false, backend: 'filesystem', dir, files: { evict: false, durable: true } })
    await cache.ready()
    expect(await cache.set('k', 'v')).toMatchObject({ shared: 'acked' })
    await cache.close()
    expect(existsSync(createLayout(dir).keep)).toBe(true)
  })
})
