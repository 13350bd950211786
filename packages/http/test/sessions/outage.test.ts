import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../../palier/test/support/redis-server.ts'
import { expressSessionStore, fastifySessionStore } from '../../src/index.ts'
import session from 'express-session'
import { openRoom, type Room } from '../support/session-room.ts'
import { FRAMEWORKS, sidOf } from '../support/session-site.ts'

let room: Room
let spaces = 0

/** As applications have it. */
const QUICK = { deadline: 250 }

beforeAll(async () => {
  // What it has acknowledged it still has when it is started again.
  room = await openRoom({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
})
afterEach(() => room.redis.resume())
afterAll(() => room.close())

describe.each(FRAMEWORKS)('%s, while Redis is away', framework => {
  test('gives errors instead of a new session, and goes on with the old one afterwards', async () => {
    const cache = await room.open('redis', `outage${++spaces}`, QUICK)
    const told: unknown[] = []
    const site = await room.site(framework, { cache, onError: error => told.push(error) })
    const { cookie } = await site.visit('POST', '/put?user=ada')
    room.redis.pause()
    // First the deadline decides, then the breaker; it is the same to who asks.
    for (let i = 0; i < 6; i++) {
      expect(await site.visit('GET', '/', cookie)).toMatchObject({ status: 503, fields: {}, cookie: undefined })
    }
    expect(told.map(error => (error as { code: unknown }).code)).toContain('PALIER_STORE_TIMEOUT')
    expect(JSON.stringify(told.map(String))).not.toContain(sidOf(cookie))
    await expect(site.store.set(sidOf(cookie), { cookie: {} })).rejects.toMatchObject({ statusCode: 503 })
    await expect(site.store.touch(sidOf(cookie), { cookie: {} })).rejects.toMatchObject({ statusCode: 503 })
    await expect(site.store.length()).rejects.toMatchObject({ statusCode: 503 })
    room.redis.resume()
    await until('sessions are back', async () => (await site.visit('GET', '/', cookie)).status === 200)
    expect((await site.visit('GET', '/', cookie)).fields).toEqual({ user: 'ada' })
  })

  test('ends a session all the same, for good, and says that Redis has yet to hear of it', async () => {
    const space = `outage${++spaces}`
    const cache = await room.open('redis', space, QUICK)
    const site = await room.site(framework, { cache })
    const other = await room.site(framework, { cache: await room.open('redis', space, QUICK) })
    const { cookie } = await site.visit('POST', '/put?user=ada')
    const slow = site.slow('cart=full', cookie ?? '')
    await slow.entered
    const pending: unknown[] = []
    site.store.on('pending', event => pending.push(event))
    await room.redis.kill()
    await site.store.destroy(sidOf(cookie))
    expect(pending).toHaveLength(1)
    await room.redis.restart()
    await until('sessions are back', async () => (await site.visit('GET', '/', cookie)).status === 200)
    slow.release()
    await slow.visit
    expect((await site.visit('GET', '/', cookie)).fields).toEqual({})
    await until('Redis has heard of it', () => cache.status().outbox.pending === 0)
    expect((await other.visit('GET', '/', cookie)).fields).toEqual({})
  })
})

test('what was ended during an outage is ended, though the process did not live to see the end of it', async () => {
  const space = `outage${++spaces}`
  const own = { ...QUICK, dir: await mkdtemp(join(tmpdir(), 'palier-sessions-')) }
  try {
    const cache = await room.open('redis', space, own)
    const store = fastifySessionStore({ cache })
    await store.set('a', { user: 'ada', cookie: {} })
    await room.redis.kill()
    await store.destroy('a')
    await cache.close()
    await room.redis.restart()
    const other = fastifySessionStore({ cache: await room.open('redis', space, QUICK) })
    expect(await other.get('a')).toMatchObject({ user: 'ada' })
    const next = fastifySessionStore({ cache: await room.open('redis', space, own) })
    await until('Redis has heard of it', async () => (await other.get('a')) === null)
    expect(await next.get('a')).toBeNull()
  } finally {
    await rm(own.dir, { recursive: true, force: true })
  }
})

test('the store of express-session never says that it is disconnected', async () => {
  const store = expressSessionStore(session, { cache: await room.open('redis', `outage${++spaces}`, QUICK) })
  const heard: string[] = []
  store.on('disconnect', () => heard.push('disconnect'))
  room.redis.pause()
  await expect(store.get('a')).rejects.toMatchObject({ code: expect.stringMatching(/^PALIER_STORE/) })
  expect(heard).toEqual([])
})
