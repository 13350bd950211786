import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { manualClock } from 'palier/testing'
import { fastifySessionStore } from '../../src/index.ts'
import { BACKENDS } from '../support/backing.ts'
import { openRoom, type Room } from '../support/session-room.ts'
import { FRAMEWORKS, type Site, type SiteOptions, sidOf } from '../support/session-site.ts'

const MINUTE = 60_000
const DAY = 86_400_000

let room: Room
let spaces = 0

beforeAll(async () => {
  room = await openRoom()
})
afterEach(() => void vi.useRealTimers())
afterAll(() => room.close())

/** Moves the wall clock of this process, and that alone. */
function later(ms: number): void {
  const now = Date.now()
  vi.useFakeTimers({ toFake: ['Date'], now: now + ms })
}

/** What anybody can see of it. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const idOf = (sid: string): string => createHash('sha256').update(sid).digest('base64url')

describe.each(BACKENDS.flatMap(backend => FRAMEWORKS.map(framework => ({ backend, framework }))))(
  '$framework on $backend',
  ({ backend, framework }) => {
    const open = async (options: Omit<SiteOptions, 'cache'> = {}): Promise<Site> =>
      room.site(framework, { cache: await room.open(backend, `stores${++spaces}`), ...options })

    /** A visitor with a session that holds `user`. */
    const arrive = async (site: Site, user = 'ada'): Promise<string> => {
      const { cookie } = await site.visit('POST', `/put?user=${user}`)
      if (cookie === undefined) throw new Error('no cookie was set')
      return cookie
    }

    test('keeps a session from request to request, and makes none for who stores nothing', async () => {
      const site = await open()
      expect((await site.visit('GET', '/')).cookie).toBeUndefined()
      expect(await site.store.length()).toBe(0)
      const cookie = await arrive(site)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada' })
      await site.visit('POST', '/put?theme=dark', cookie)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada', theme: 'dark' })
    })

    test('gives every one of many users what is theirs', async () => {
      const site = await open()
      const users = Array.from({ length: 24 }, (_, i) => `user-${i}`)
      const cookies: string[] = []
      for (let from = 0; from < users.length; from += 6) {
        const some = await Promise.all(users.slice(from, from + 6).map(user => arrive(site, user)))
        await Promise.all(some.map((cookie, i) => site.visit('POST', `/put?page=${from + i}`, cookie)))
        cookies.push(...some)
      }
      const seen = await Promise.all(cookies.map(cookie => site.visit('GET', '/', cookie)))
      expect(seen.map(({ fields }) => fields)).toEqual(users.map((user, i) => ({ user, page: String(i) })))
      expect(new Set(cookies.map(sidOf)).size).toBe(24)
      expect(await site.store.length()).toBe(24)
    })

    test('gives ids of 128 bits and more', async () => {
      const site = await open()
      const sids = await Promise.all(Array.from({ length: 6 }, async () => sidOf(await arrive(site))))
      for (const sid of sids) expect(Buffer.from(sid, 'base64url').length).toBeGreaterThanOrEqual(16)
      expect(new Set(sids).size).toBe(6)
    })

    test('takes no id that it has not given', async () => {
      const site = await open()
      const cookie = await arrive(site)
      await site.store.clear()
      const [name] = cookie.split('=')
      for (const foreign of [cookie, `${name}=made-up.signature`, `${name}=../../etc/passwd`]) {
        const { fields, cookie: given } = await site.visit('POST', '/put?user=eve', foreign)
        expect(fields).toEqual({ user: 'eve' })
        expect(given).toBeDefined()
        expect(sidOf(given)).not.toBe(sidOf(foreign))
      }
    })

    test('logs out for good', async () => {
      const site = await open()
      const cookie = await arrive(site)
      const destroyed: unknown[] = []
      site.store.on('destroyed', event => destroyed.push(event))
      expect((await site.visit('POST', '/logout', cookie)).status).toBe(200)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({})
      expect(await site.store.get(sidOf(cookie))).toBeNull()
      expect(await site.store.length()).toBe(0)
      expect(destroyed).toContainEqual({ id: idOf(sidOf(cookie)) })
    })

    test('is not brought back by a slow request that outlives the logout', async () => {
      const site = await open()
      const cookie = await arrive(site)
      const refused: unknown[] = []
      site.store.on('refused', event => refused.push(event))
      const slow = site.slow('cart=full', cookie)
      await slow.entered
      await site.visit('POST', '/logout', cookie)
      slow.release()
      expect((await slow.visit).status).toBe(200)
      expect(await site.store.get(sidOf(cookie))).toBeNull()
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({})
      expect(refused).toEqual([{ id: idOf(sidOf(cookie)) }])
    })

    test('keeps what both of two requests have changed', async () => {
      const site = await open()
      const cookie = await arrive(site)
      const one = site.slow('cart=full', cookie)
      const other = site.slow('theme=dark', cookie)
      await Promise.all([one.entered, other.entered])
      one.release()
      await one.visit
      other.release()
      await other.visit
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada', cart: 'full', theme: 'dark' })
    })

    test('keeps what a slow request has not touched as others left it', async () => {
      const site = await open({ rolling: true, resave: true })
      const cookie = await arrive(site)
      const slow = site.slow('', cookie)
      await slow.entered
      await site.visit('POST', '/put?user=grace', cookie)
      slow.release()
      await slow.visit
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'grace' })
    })

    test('lets the later of two win the field that both have changed', async () => {
      const site = await open()
      const cookie = await arrive(site)
      const slow = site.slow('user=late', cookie)
      await slow.entered
      await site.visit('POST', '/put?user=early', cookie)
      slow.release()
      await slow.visit
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'late' })
    })

    test('tells the later of two when that is asked for', async () => {
      const site = await open({ conflict: 'reject' })
      const cookie = await arrive(site)
      const session = await site.store.get(sidOf(cookie))
      await site.visit('POST', '/put?user=early', cookie)
      const late = site.store.set(sidOf(cookie), Object.assign(session ?? {}, { user: 'late' }))
      await expect(late).rejects.toMatchObject({ code: 'PALIER_STORE_REFUSED', statusCode: 409 })
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'early' })
    })

    test('saves in the order of the request, even when that does not wait', async () => {
      const site = await open({ conflict: 'reject' })
      const cookie = await arrive(site)
      await site.visit('POST', '/put?n=0', cookie)
      expect((await site.visit('POST', '/twice', cookie)).status).toBe(200)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada', n: 0, after: true })
    })

    test('compares each save of a request with the one before', async () => {
      const { store } = await open()
      await store.set('a', { n: 0, cookie: {} })
      const session = Object.assign((await store.get('a')) ?? {}, { n: 1 })
      const first = store.set('a', session)
      const second = store.set('a', Object.assign(session, { n: 0 }))
      await Promise.all([first, second])
      expect(plain(await store.get('a'))).toEqual({ n: 0, cookie: {} })
    })

    test('keeps what others have changed in every save that follows', async () => {
      const { store } = await open()
      await store.set('a', { n: 0, cookie: {} })
      const session = (await store.get('a')) ?? {}
      await store.set('a', Object.assign((await store.get('a')) ?? {}, { theme: 'dark' }))
      await store.set('a', Object.assign(session, { n: 1 }))
      await store.set('a', Object.assign(session, { n: 2 }))
      expect(plain(await store.get('a'))).toEqual({ n: 2, theme: 'dark', cookie: {} })
    })

    test('gives a new id at login, and the old one ends', async () => {
      const site = await open()
      const cookie = await arrive(site, 'guest')
      const login = await site.visit('POST', '/login?user=ada', cookie)
      expect(login.cookie).toBeDefined()
      expect(sidOf(login.cookie)).not.toBe(sidOf(cookie))
      expect((await site.visit('GET', '/', login.cookie)).fields).toEqual({ user: 'ada' })
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({})
      expect(await site.store.length()).toBe(1)
    })

    test('ends a session that was not used for as long as its cookie says', async () => {
      const site = await open({ maxAge: 10 * MINUTE, rolling: true })
      const cookie = await arrive(site)
      later(8 * MINUTE)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada' })
      later(8 * MINUTE)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada' })
      later(11 * MINUTE)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({})
      expect(await site.store.all()).toEqual([])
    })

    test('ends a session after the longest time, however much it is used', async () => {
      const site = await open({ maxAge: 2 * DAY, rolling: true, absolute: '3d' })
      const cookie = await arrive(site)
      for (const users of ['ada', 'ada']) {
        later(1.4 * DAY)
        expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: users })
      }
      later(0.4 * DAY)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({})
    })

    test('writes nothing for requests that change nothing, until its end has moved enough', async () => {
      const cache = await room.open(backend, `stores${++spaces}`)
      const site = await room.site(framework, { cache, maxAge: 60 * MINUTE, rolling: true })
      const cookie = await arrive(site)
      const version = async (): Promise<number | undefined> =>
        (await cache.documents('sessions').read(idOf(sidOf(cookie))))?.version
      later(0)
      for (let i = 0; i < 3; i++) await site.visit('GET', '/', cookie)
      expect(await version()).toBe(1)
      later(MINUTE)
      for (let i = 0; i < 3; i++) await site.visit('GET', '/', cookie)
      expect(await version()).toBe(2)
    })

    test('moves the end of a session by touch, and changes nothing else', async () => {
      const site = await open()
      const { store } = site
      const expires = (ms: number): string => new Date(Date.now() + ms).toISOString()
      const cookie = { originalMaxAge: MINUTE, expires: expires(MINUTE), path: '/' }
      await store.set('a', { user: 'ada', cookie })
      const old = await store.get('a')
      await store.set('a', { user: 'grace', cookie })
      const moved = { ...cookie, expires: expires(10 * MINUTE) }
      await store.touch('a', Object.assign(old ?? {}, { user: 'overwritten', cookie: moved }))
      expect(await store.get('a')).toMatchObject({ user: 'grace', cookie: { expires: moved.expires } })
      await store.touch('b', { user: 'nobody', cookie: moved })
      expect(await store.get('b')).toBeNull()
    })

    test('keeps no id, neither in names nor in values', async () => {
      const cache = await room.open(backend, `stores${++spaces}`)
      const site = await room.site(framework, { cache })
      const sid = sidOf(await arrive(site))
      const kept: string[] = []
      for await (const some of cache.documents('sessions').all()) kept.push(...some.map(one => JSON.stringify(one)))
      expect(kept).toHaveLength(1)
      expect(kept[0]).toContain(idOf(sid))
      expect(kept[0]).not.toContain(sid)
    })

    test('lists, counts and clears sessions, and nothing else in the cache', async () => {
      const cache = await room.open(backend, `stores${++spaces}`)
      const site = await room.site(framework, { cache })
      const other = await room.site(framework, { cache, name: 'staff' })
      await cache.set('entry', 1)
      const cookie = await arrive(site, 'ada')
      await arrive(site, 'grace')
      const staff = await arrive(other, 'root')
      expect(await site.store.length()).toBe(2)
      expect(new Set((await site.store.all()).map(({ user }) => user))).toEqual(new Set(['ada', 'grace']))
      expect((await site.visit('GET', '/', staff)).fields).toEqual({})
      await cache.clear()
      expect(await site.store.length()).toBe(2)
      await cache.set('entry', 1)
      await site.store.clear()
      expect(await site.store.length()).toBe(0)
      expect((await site.visit('GET', '/', cookie)).fields).toEqual({})
      expect((await other.visit('GET', '/', staff)).fields).toEqual({ user: 'root' })
      expect(await cache.get('entry')).toBe(1)
    })

    test('gives no session a prototype of its own choosing', async () => {
      const { store } = await open()
      await store.set('a', JSON.parse('{"user":{"__proto__":{"admin":true}},"__proto__":{"admin":true},"cookie":{}}'))
      const session = await store.get('a')
      expect(plain(session)).toEqual({ user: {}, cookie: {} })
      expect(Object.hasOwn(session ?? {}, '__proto__')).toBe(false)
      expect(Object.hasOwn(Object(session?.['user']), '__proto__')).toBe(false)
    })

    test('answers through a callback once, later, with null for no error', async () => {
      const { store } = await open()
      const heard: unknown[][] = []
      const ask = (call: (callback: (...told: unknown[]) => void) => void): Promise<void> =>
        new Promise(resolve => {
          let returned = false
          call((...told) => {
            heard.push([returned, plain(told[1] ?? null), told[0]])
            resolve()
          })
          returned = true
        })
      await ask(callback => store.set('a', { user: 'ada', cookie: {} }, callback))
      await ask(callback => store.get('a', callback))
      await ask(callback => store.length(callback))
      await ask(callback => store.destroy('a', callback))
      await ask(callback => store.get('a', callback))
      const session = { user: 'ada', cookie: {} }
      expect(heard).toEqual([
        [true, null, null],
        [true, session, null],
        [true, 1, null],
        [true, null, null],
        [true, null, null],
      ])
    })

    test('says which session cannot be kept, and why', async () => {
      const told: unknown[] = []
      const { store } = await open({ onError: error => told.push(error) })
      const loop: Record<string, unknown> = { cookie: {} }
      loop['self'] = loop
      await expect(store.set('a', loop)).rejects.toMatchObject({ code: 'PALIER_NOT_ENCODABLE' })
      const large = { cookie: {}, text: 'x'.repeat(2 ** 24) }
      await expect(store.set('a', large)).rejects.toMatchObject({ code: 'PALIER_TOO_LARGE' })
      expect(told).toHaveLength(2)
      expect(await store.get('a')).toBeNull()
    })
  },
)

test('a session that ended while a request was under way is not made again', async () => {
  const clock = manualClock()
  const cache = await room.open('memory', `stores${++spaces}`, { clock })
  const store = fastifySessionStore({ cache, ttl: '1h' })
  await store.set('a', { user: 'ada', cookie: {} })
  const session = (await store.get('a')) ?? {}
  await clock.advance(61 * MINUTE)
  const refused: unknown[] = []
  store.on('refused', event => refused.push(event))
  await store.set('a', Object.assign(session, { user: 'late' }))
  expect(refused).toEqual([{ id: idOf('a') }])
  expect(await store.get('a')).toBeNull()
})

describe.each(
  FRAMEWORKS.flatMap(framework => (['filesystem', 'redis'] as const).map(backend => ({ backend, framework }))),
)('$framework on $backend, when everything starts anew', ({ backend, framework }) => {
  test('sessions go on, and those that were ended do not', async () => {
    const space = `stores${++spaces}`
    const cache = await room.open(backend, space)
    const before = await room.site(framework, { cache })
    const { cookie } = await before.visit('POST', '/put?user=ada')
    const { cookie: left } = await before.visit('POST', '/put?user=grace')
    await before.visit('POST', '/logout', left)
    await before.close()
    await cache.close()
    const after = await room.site(framework, { cache: await room.open(backend, space) })
    expect((await after.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada' })
    expect((await after.visit('GET', '/', left)).fields).toEqual({})
  })

  test('a second process sees what the first has saved and ended', async () => {
    const space = `stores${++spaces}`
    const one = await room.site(framework, { cache: await room.open(backend, space) })
    const two = await room.site(framework, { cache: await room.open(backend, space) })
    const { cookie } = await one.visit('POST', '/put?user=ada')
    const slow = two.slow('cart=full', cookie ?? '')
    await slow.entered
    await one.visit('POST', '/logout', cookie)
    slow.release()
    await slow.visit
    expect((await one.visit('GET', '/', cookie)).fields).toEqual({})
    expect((await two.visit('GET', '/', cookie)).fields).toEqual({})
  })
})
