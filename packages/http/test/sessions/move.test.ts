import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cache } from 'palier'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createSessionCache,
  fastifySessionStore,
  type SessionStore,
  type SessionStoreOptions,
} from '../../src/index.ts'
import { openRoom, type Room } from '../support/session-room.ts'
import { FRAMEWORKS } from '../support/session-site.ts'

const MINUTE = 60_000

let room: Room
let dir: string
let spaces = 0
let space: string

beforeAll(async () => {
  room = await openRoom()
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'palier-move-'))
  space = `move${++spaces}`
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(dir, { recursive: true, force: true })
})
afterAll(() => room.close())

const idOf = (sid: string): string => createHash('sha256').update(sid).digest('base64url')
const files = (): Promise<Cache> => room.open('filesystem', space, { dir })
const redis = (): Promise<Cache> => room.open('redis', space, { dir })
const storeOn = (cache: Cache, options: SessionStoreOptions = {}): SessionStore =>
  fastifySessionStore({ cache, ...options })

describe.each(FRAMEWORKS)('%s', framework => {
  test('goes on when a site moves from files to Redis', async () => {
    const cache = await files()
    const before = await room.site(framework, { cache })
    const { cookie } = await before.visit('POST', '/put?user=ada')
    await before.close()
    await cache.close()
    const after = await room.site(framework, { cache: await redis() })
    expect((await after.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada' })
    expect((await after.visit('POST', '/put?theme=dark', cookie)).cookie ?? cookie).toBe(cookie)
    expect((await after.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada', theme: 'dark' })
    await after.close()
  })
})

test('a session that was carried over lies in Redis alone, with the life it had left', async () => {
  const old = await files()
  await storeOn(old).set('a', { user: 'ada', cookie: { expires: new Date(Date.now() + 10 * MINUTE).toISOString() } })
  const cache = await redis()
  const store = storeOn(cache)
  expect(await store.get('a')).toMatchObject({ user: 'ada' })
  const moved = await cache.documents('sessions').read(idOf('a'))
  expect(moved?.remaining).toBeLessThanOrEqual(10 * MINUTE)
  expect(moved?.remaining).toBeGreaterThan(5 * MINUTE)
  expect(await old.documents('sessions').read(idOf('a'))).toBeUndefined()
  // A process that stayed behind sees a session that was ended, and cannot make it again.
  const behind = storeOn(old)
  await behind.set('a', { user: 'eve', cookie: {} })
  expect(await behind.get('a')).toBeNull()
  await store.close()
})

test('two processes that carry one session over at once both have it', async () => {
  await storeOn(await files()).set('a', { user: 'ada', cookie: {} })
  const stores = [storeOn(await redis()), storeOn(await redis())]
  const seen = await Promise.all(stores.map(store => store.get('a')))
  expect(seen.map(session => session?.['user'])).toEqual(['ada', 'ada'])
  await stores[0]?.set('a', { ...seen[0], n: 1 })
  expect(await stores[1]?.get('a')).toMatchObject({ user: 'ada', n: 1 })
  await Promise.all(stores.map(store => store.close()))
})

test('what was ended in Redis does not come back out of the files', async () => {
  const old = await files()
  await storeOn(old).set('a', { user: 'ada', cookie: {} })
  const store = storeOn(await redis())
  await store.destroy('a')
  expect(await store.get('a')).toBeNull()
  expect(await old.documents('sessions').read(idOf('a'))).toBeUndefined()
  await store.close()
})

test('listing, counting and clearing reach what was not carried over yet', async () => {
  const old = storeOn(await files())
  await old.set('a', { user: 'ada', cookie: {} })
  await old.set('b', { user: 'grace', cookie: {} })
  const store = storeOn(await redis())
  await store.get('a')
  await store.set('c', { user: 'alan', cookie: {} })
  expect(new Set((await store.all()).map(({ user }) => user))).toEqual(new Set(['ada', 'alan', 'grace']))
  expect(await store.length()).toBe(3)
  await store.clear()
  expect(await store.length()).toBe(0)
  expect(await store.get('b')).toBeNull()
  await store.close()
})

test('a directory that was found empty is looked at again after some minutes', async () => {
  const old = storeOn(await files())
  vi.useFakeTimers({ toFake: ['performance'], now: Date.now() })
  const store = storeOn(await redis(), { previous: await files() })
  expect(await store.get('a')).toBeNull()
  await old.set('a', { user: 'ada', cookie: {} })
  expect(await store.get('a')).toBeNull()
  vi.advanceTimersByTime(6 * MINUTE)
  expect(await store.get('a')).toMatchObject({ user: 'ada' })
})

test('sessions never move from Redis to files, nor from where nothing is to be carried over', async () => {
  const cache = await redis()
  await storeOn(cache).set('a', { user: 'ada', cookie: {} })
  const back = storeOn(await files(), { previous: cache })
  expect(await back.get('a')).toBeNull()
  await storeOn(await files(), { previous: false }).set('b', { user: 'grace', cookie: {} })
  expect(await storeOn(cache, { previous: false }).get('b')).toBeNull()
  await back.close()
})

test('previous sessions may lie anywhere', async () => {
  const elsewhere = await room.open('filesystem', `${space}-old`, { dir })
  await storeOn(elsewhere).set('a', { user: 'ada', cookie: {} })
  const store = storeOn(await redis(), { previous: elsewhere })
  expect(await store.get('a')).toMatchObject({ user: 'ada' })
  await store.close()
  expect(await elsewhere.documents('sessions').read(idOf('a'))).toBeUndefined()
})

test('a store that cannot look where sessions were says so, instead of "no session"', async () => {
  const elsewhere = createSessionCache({ backend: 'filesystem', dir, namespace: space, logger: false })
  const store = storeOn(await redis(), { previous: elsewhere })
  await elsewhere.close()
  await expect(store.get('a')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
})
