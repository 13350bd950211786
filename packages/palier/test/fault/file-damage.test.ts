import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLayout } from '../../src/stores/file/layout.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import type { SharedStore } from '../../src/store.ts'
import { fileRecord, freshDir, tree, watchedStore } from '../support/file-store.ts'

const LONG = 600_000
const KEYS = ['a', 'b', 'a key that is longer than the others', 'ключ']
/** Of the frame and the record: where a byte says which version follows. */
const VERSION_AT = 24 + 2

let base: string
let dir: string
let elsewhere: string
let removeAll: () => void
let open: SharedStore[]

beforeEach(() => {
  const fresh = freshDir()
  base = fresh.dir
  dir = join(base, 'cache')
  elsewhere = join(base, 'elsewhere')
  mkdirSync(elsewhere)
  removeAll = fresh.remove
  open = []
})

afterEach(async () => {
  await Promise.all(open.map(store => store.close()))
  removeAll()
})

function opened(): SharedStore {
  const store = fileStore({ dir })
  open.push(store)
  return store
}

const pathOf = (key: string): string => createLayout(dir).entry(key)
const shardOf = (key: string): string => join(pathOf(key), '..')

const damage = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('flip'), at: fc.nat(), with: fc.integer({ min: 1, max: 255 }) }),
  },
  fc.record({ kind: fc.constant('cut'), at: fc.nat(), with: fc.constant(0) }),
  fc.record({ kind: fc.constant('zeros'), at: fc.nat(), with: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('append'), at: fc.constant(0), with: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('swap'), at: fc.nat(), with: fc.constant(0) }),
)

function damaged(whole: Buffer, kind: string, at: number, amount: number): Buffer {
  const bytes = Buffer.from(whole)
  const place = at % bytes.length
  if (kind === 'flip') bytes[place] = (bytes[place] ?? 0) ^ amount
  if (kind === 'zeros') bytes.fill(0, place, Math.min(bytes.length, place + amount))
  if (kind === 'cut') return bytes.subarray(0, place)
  return kind === 'append' ? Buffer.concat([bytes, Buffer.alloc(amount, 'x')]) : bytes
}

describe('ten thousand damages', () => {
  test('of one file each are misses, never another value and never an error; each is told once and removed', async () => {
    const { store, events } = watchedStore({ dir })
    open.push(store)
    const records = new Map(KEYS.map((key, i) => [key, fileRecord(key, `value of ${key}`, i * 300)]))
    const files = new Map<string, Buffer>()
    for (const [key, record] of records) {
      await store.set(key, record, LONG)
      files.set(key, readFileSync(pathOf(key)))
    }
    const property = fc.asyncProperty(fc.constantFrom(...KEYS), damage, async (key, { kind, at, with: amount }) => {
      const whole = files.get(key) ?? Buffer.alloc(0)
      const other = KEYS[(KEYS.indexOf(key) + 1 + (at % (KEYS.length - 1))) % KEYS.length] ?? ''
      const bytes = kind === 'swap' ? (files.get(other) ?? whole) : damaged(whole, kind, at, amount)
      const isNewer = bytes.length > VERSION_AT && (bytes[VERSION_AT] ?? 0) > 2
      writeFileSync(pathOf(key), bytes)
      events.length = 0
      for (let look = 0; look < 2; look++) {
        const found = await store.get(key)
        if (bytes.equals(whole)) expect(found?.bytes).toEqual(records.get(key))
        else expect(found).toBeUndefined()
      }
      if (bytes.equals(whole)) return
      const faults = events.flatMap(event => (event.kind === 'fault' ? [event.fault] : []))
      // A version this one does not know may be somebody else's.
      if (!isNewer || faults.length > 0) {
        expect(faults).toEqual(['damaged'])
        expect(existsSync(pathOf(key))).toBe(false)
      }
    })
    await fc.assert(property, { numRuns: 10_000 })
  }, 90_000)

  test('a file that was replaced since it was read is not removed', async () => {
    const store = opened()
    await store.set('a', fileRecord('a', 'old'), LONG)
    writeFileSync(pathOf('a'), 'damaged')
    // While one reads what is damaged, another process writes anew.
    const writer = opened()
    const found = await Promise.all([store.get('a'), writer.set('a', fileRecord('a', 'new'), LONG)])
    expect([undefined, fileRecord('a', 'new').length]).toContain(found[0]?.bytes.length)
    await store.get('a')
    await writer.set('a', fileRecord('a', 'newer'), LONG)
    expect(await store.get('a')).toBeDefined()
  })
})

describe('a link that was planted', () => {
  /** What a careless store would remove, write over or fill. */
  const victim = (): string => join(elsewhere, 'victim')

  beforeEach(() => {
    writeFileSync(victim(), 'precious')
    utimesSync(victim(), 1, 1)
  })

  const untouched = (): void => {
    expect(tree(elsewhere)).toEqual(['victim'])
    expect(readFileSync(victim(), 'utf8')).toBe('precious')
    expect(lstatSync(victim()).mtimeMs).toBe(1_000)
  }

  const everything = async (store: SharedStore): Promise<PromiseSettledResult<unknown>[]> =>
    Promise.allSettled([
      store.get('a'),
      store.claim('a', { token: 't', ttl: LONG }),
      store.claim('a', { token: 'u', ttl: LONG, steal: true }),
      store.renew('a', 'u', LONG),
      store.commit('a', 'u', fileRecord('a', 'x'), LONG),
      store.release('a', 't'),
      store.set('a', fileRecord('a', 'x'), LONG),
      store.delete(['a']),
      store.sweep?.(),
      store.usage(''),
    ])

  test('in the place of an entry is replaced or removed itself', async () => {
    const store = opened()
    await store.set('a', fileRecord('a', 'x'), LONG)
    for (const act of [
      () => store.set('a', fileRecord('a', 'x'), LONG),
      () => store.delete(['a']),
      () => store.sweep?.(),
      () => everything(store),
    ]) {
      rmSync(pathOf('a'), { force: true })
      symlinkSync(victim(), pathOf('a'))
      expect(await store.get('a')).toBeUndefined()
      await act()
      untouched()
    }
  })

  test('in the place of a lease is removed, and nothing behind it is', async () => {
    const store = opened()
    for (const act of [
      () => store.claim('a', { token: 't', ttl: LONG }),
      () => store.claim('a', { token: 't', ttl: LONG, steal: true }),
      () => store.set('a', fileRecord('a', 'x'), LONG),
      () => store.delete(['a']),
      () => everything(store),
    ]) {
      await store.delete(['a'])
      mkdirSync(shardOf('a'), { recursive: true })
      rmSync(`${pathOf('a')}.l`, { recursive: true, force: true })
      symlinkSync(elsewhere, `${pathOf('a')}.l`)
      await act()
      untouched()
      expect(lstatSync(`${pathOf('a')}.l`, { throwIfNoEntry: false })?.isSymbolicLink() ?? false).toBe(false)
    }
  })

  test('in the place of a shard in use, or of all of them, is gone neither through nor around', async () => {
    for (const place of [() => shardOf('a'), () => join(dir, 'v1')]) {
      const store = opened()
      await store.set('a', fileRecord('a', 'x'), LONG)
      renameSync(place(), join(base, 'moved'))
      symlinkSync(elsewhere, place())
      const results = await everything(store)
      untouched()
      expect(results[0]).toMatchObject({ status: 'fulfilled', value: undefined })
      for (const at of [1, 2, 6, 7]) expect(results[at]).toMatchObject({ reason: { code: 'PALIER_STORE_FAILED' } })
      rmSync(place())
      renameSync(join(base, 'moved'), place())
      expect(await store.claim('b', { token: 't', ttl: LONG })).toMatchObject({ granted: true })
      await store.delete(['b'])
    }
  })

  test('to a copy of the shards is not written through either', async () => {
    const store = opened()
    await store.set('a', fileRecord('a', 'x'), LONG)
    const copy = join(base, 'copy')
    renameSync(join(dir, 'v1'), copy)
    symlinkSync(copy, join(dir, 'v1'))
    const before = tree(copy)
    await expect(store.set('a', fileRecord('a', 'new'), LONG)).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    await expect(store.delete(['a'])).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    expect(await store.get('a')).toBeUndefined()
    expect(tree(copy)).toEqual(before)
  })

  for (const part of ['state', 'bus', 'v1']) {
    test(`in the place of ${part} is refused when the store is opened`, async () => {
      mkdirSync(dir, { mode: 0o700 })
      symlinkSync(elsewhere, join(dir, part))
      await expect(opened().set('a', fileRecord('a', 'x'), LONG)).rejects.toThrow('not a directory')
      await expect(opened().openBus('c').publish('x')).rejects.toThrow('not a directory')
      untouched()
    })
  }

  test('in the place of a channel of the bus is refused', async () => {
    const store = opened()
    await store.openBus('c').publish('x')
    const [channel = ''] = readdirSync(join(dir, 'bus'))
    rmSync(join(dir, 'bus', channel), { recursive: true })
    symlinkSync(elsewhere, join(dir, 'bus', channel))
    await expect(store.openBus('c').publish('x')).rejects.toThrow('not a directory')
    untouched()
  })
})

test('half of the directory is removed while the store is open: misses, and all goes on', async () => {
  const { store, events } = watchedStore({ dir })
  open.push(store)
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
  const leased = Array.from({ length: 20 }, (_, i) => `leased${i}`)
  for (const key of keys) await store.set(key, fileRecord(key, key), LONG)
  for (const key of leased) await store.claim(key, { token: 't', ttl: LONG })
  for (const name of readdirSync(join(dir, 'v1')).filter((_, i) => i % 2 === 0)) {
    rmSync(join(dir, 'v1', name), { recursive: true })
  }
  rmSync(join(dir, 'state'), { recursive: true })
  const isLeft = new Map(leased.map(key => [key, existsSync(`${pathOf(key)}.l`)]))
  const left = keys.filter(key => existsSync(pathOf(key)))
  expect((await store.getMany(keys)).filter(found => found !== undefined)).toHaveLength(left.length)
  for (const key of leased) {
    // Who lost the lease with its shard stores nothing, and another may claim it.
    expect(await store.commit(key, 't', fileRecord(key, 'late'), LONG)).toBe(isLeft.get(key))
    if (isLeft.get(key) === false) {
      expect(await store.claim(key, { token: 'u', ttl: LONG })).toEqual({ record: undefined, granted: true })
    }
  }
  for (const key of keys) await store.set(key, fileRecord(key, 'new'), LONG)
  expect((await store.getMany(keys)).filter(found => found !== undefined)).toHaveLength(keys.length)
  expect(events.filter(({ kind }) => kind === 'fault')).toEqual([])
})
