import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLayout } from '../../src/stores/file/layout.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import { type ManualClock, manualClock } from '../../src/testing/clock.ts'
import { diskUsage, fileRecord, freshDir, tree, type Watched, watchedStore } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'

const LONG = 600_000
const MB = 1024 * 1024

let dir: string
let removeAll: () => void
let clock: ManualClock
let opened: Watched[]

beforeEach(() => {
  const fresh = freshDir('disk')
  dir = fresh.dir
  removeAll = fresh.remove
  clock = manualClock()
  opened = []
})

afterEach(async () => {
  await Promise.all(opened.map(({ store }) => store.close()))
  removeAll()
})

function open(options: { readonly maxBytes?: number; readonly maxFiles?: number } = {}): Watched {
  const watched = watchedStore({ dir, clock, ...options })
  opened.push(watched)
  return watched
}

const pathOf = (key: string): string => createLayout(dir).entry(key)

/** As if the entry had last been used so long ago. */
function age(key: string, ms: number): void {
  const seconds = (Date.now() - ms) / 1000
  utimesSync(pathOf(key), seconds, seconds)
}

describe('a sweep', () => {
  test('removes what expired, and only that', async () => {
    const { store } = open()
    for (let i = 0; i < 40; i++) await store.set(`k${i}`, fileRecord(`k${i}`, 'x'), i < 30 ? 1_000 : LONG)
    await clock.advance(2_000)
    expect(await store.sweep?.()).toMatchObject({ expired: 30, evicted: 0, entries: 10, bytes: 10 * 4096 })
    expect(await store.sweep?.()).toMatchObject({ expired: 0, entries: 10 })
    expect(await store.usage('k3')).toEqual({ entries: 10, bytes: 10 * 4096 })
  })

  test('removes what killed processes left, once it is old, and ended leases', async () => {
    const { store } = open()
    await store.set('k', fileRecord('k', 'x'), LONG)
    await store.claim('ended', { token: 't', ttl: 1_000 })
    await store.claim('held', { token: 't', ttl: LONG })
    await clock.advance(2_000)
    const path = pathOf('k')
    const old = Date.now() / 1000 - 3_600
    for (const name of [`${path}.1-2.t`, `${path}.1-3.t`]) writeFileSync(name, 'half a rec')
    for (const name of [`${path}.1-4.c`]) {
      mkdirSync(name)
      writeFileSync(join(name, 'token'), '')
    }
    for (const name of [`${path}.1-2.t`, `${path}.1-4.c`]) utimesSync(name, old, old)
    expect(await store.sweep?.()).toMatchObject({ debris: 3, entries: 1 })
    const left = tree(join(dir, 'v1')).filter(name => /\.(t|c|l)\/?$/.test(name))
    expect(left).toHaveLength(2)
    expect(await store.commit('held', 't', fileRecord('held', 'x'), LONG)).toBe(true)
  })

  test('of two stores at once is done by one', async () => {
    const [a, b] = [open(), open()]
    for (let i = 0; i < 100; i++) await a.store.set(`k${i}`, fileRecord(`k${i}`, 'x'), 1_000)
    await clock.advance(2_000)
    const swept = await Promise.all([a.store.sweep?.(), b.store.sweep?.()])
    expect(swept.map(each => each?.expired).sort((x = 0, y = 0) => x - y)).toEqual([0, 100])
  })

  test('lets the event loop go round', async () => {
    const { store } = open()
    await Promise.all(Array.from({ length: 500 }, (_, i) => store.set(`k${i}`, fileRecord(`k${i}`, 'x'), LONG)))
    let rounds = 0
    const counting = setInterval(() => rounds++, 0)
    await store.sweep?.()
    clearInterval(counting)
    expect(rounds).toBeGreaterThan(5)
  })

  test('comes by itself when the last count is old, and removes what expired', async () => {
    const { store, events } = open()
    await store.set('k', fileRecord('k', 'x'), 1_000)
    for (let minute = 0; minute < 6; minute++) {
      await clock.advance(60_000)
      // What a timer started goes on in real time.
      await store.get('other')
    }
    await until('the entry is gone', () => tree(join(dir, 'v1')).every(name => name.endsWith('/')))
    expect(events.filter(({ kind }) => kind === 'fault')).toEqual([])
  })
})

describe('the budget', () => {
  test('of bytes: what was used longest ago goes first, down to nine tenths', async () => {
    const before = open({ maxBytes: 16 * MB })
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    for (const [i, key] of keys.entries()) {
      await before.store.set(key, fileRecord(key, 'x', 40_000), LONG)
      age(key, (100 - i) * 600_000)
    }
    await before.store.close()
    const { store } = open({ maxBytes: 3 * MB })
    await store.get('k3')
    expect((await store.sweep?.())?.evicted).toBeGreaterThan(20)
    const kept = keys.map(key => existsSync(pathOf(key)))
    const oldest = kept.indexOf(true, 4)
    expect(kept).toEqual(keys.map((_, i) => i === 3 || i >= oldest))
    expect(oldest).toBeLessThan(70)
    expect(diskUsage(dir)).toBeLessThan(0.95 * 3 * MB)
  })

  test('of files holds as that of bytes does', async () => {
    const { store, events } = open({ maxFiles: 1_000 })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 2_000 }, (_, i) => store.set(`k${i}`, fileRecord(`k${i}`, 'x'), LONG)),
    )
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect(tree(dir).length).toBeLessThanOrEqual(1_050)
    await until('it was swept', () => events.some(event => event.kind === 'swept' && event.swept.evicted > 0))
    await until('it is written again', () =>
      store.set('again', fileRecord('again', 'x'), LONG).then(
        () => true,
        () => false,
      ),
    )
  })

  test('used up refuses a set and a commit with a plain reason; reading and deleting go on', async () => {
    const { store } = open({ maxBytes: MB })
    await store.set('k', fileRecord('k', 'x'), LONG)
    await expect(store.set('huge', fileRecord('huge', 'x', 2 * MB), LONG)).rejects.toMatchObject({
      code: 'PALIER_STORE_REFUSED',
      message: expect.stringContaining('no room'),
      cause: expect.objectContaining({ name: 'BudgetError' }),
    })
    expect((await store.claim('huge', { token: 't', ttl: LONG })).granted).toBe(true)
    await expect(store.commit('huge', 't', fileRecord('huge', 'x', 2 * MB), LONG)).rejects.toMatchObject({
      code: 'PALIER_STORE_REFUSED',
    })
    // The refused commit ended its lease.
    expect((await store.claim('huge', { token: 'u', ttl: LONG })).granted).toBe(true)
    expect(await store.get('k')).toBeDefined()
    await store.delete(['k'])
    expect(await store.get('k')).toBeUndefined()
  })

  test('is credited with what is overwritten and deleted: writing one entry for ever needs no sweep', async () => {
    const { store, events } = open({ maxBytes: MB, maxFiles: 500 })
    for (let i = 0; i < 500; i++) {
      await store.set('k', fileRecord('k', String(i), 20_000), LONG)
      if (i % 3 === 0) await store.delete(['k'])
    }
    expect(events.filter(({ kind }) => kind !== 'io')).toEqual([])
  })

  test('is counted anew when the ledger is lost', async () => {
    const { store } = open({ maxBytes: 4 * MB })
    for (let i = 0; i < 50; i++) await store.set(`k${i}`, fileRecord(`k${i}`, 'x', 20_000), LONG)
    await store.close()
    const { ledger } = createLayout(dir)
    writeFileSync(ledger, '{"bytes":')
    const again = open({ maxBytes: 4 * MB })
    await again.store.set('new', fileRecord('new', 'x'), LONG)
    const counted = JSON.parse(readFileSync(ledger, 'utf8')) as { bytes: number }
    expect(counted.bytes).toBeGreaterThanOrEqual(50 * 20_480)
    expect(counted.bytes).toBeLessThan(4 * MB)
  })
})

describe('options', () => {
  test('that make no sense are refused at once, by name', () => {
    expect(() => fileStore({ dir: '' })).toThrow('dir')
    expect(() => fileStore({ dir, maxBytes: 1.5 })).toThrow('maxBytes')
    expect(() => fileStore({ dir, maxFiles: 3 })).toThrow('maxFiles')
  })
})
