import { describe, expect, test } from 'vitest'
import { startRedis } from '../../../../packages/palier/test/support/redis-server.ts'
import { openSite } from './site.ts'
import { addPerson, comeIn, createVisitor, PASSWORD } from './visitor.ts'

const LOGIN = '/api/v1/auth/login'

describe('limits', () => {
  test('stop who tries out passwords, in all processes together, and leave sessions and other places alone', async () => {
    const one = await openSite({ shared: true, trustProxy: true, rates: { login: { limit: 6, window: 900_000 } } })
    const two = await one.sibling()
    const owner = await comeIn(one.app, one.services, 'agent')
    const attempt = (n: number, ip: string, password: string) =>
      (n % 2 === 0 ? one : two).app.inject({
        method: 'POST',
        url: LOGIN,
        headers: { 'x-forwarded-for': ip },
        payload: { email: n % 3 === 0 ? ` ${owner.email.toUpperCase()}` : owner.email, password },
      })
    const statuses: number[] = []
    for (let n = 0; n < 12; n++) statuses.push((await attempt(n, '192.0.2.1', `guess number ${n}`)).statusCode)
    expect(statuses).toEqual([...Array(6).fill(401), ...Array(6).fill(429)])
    const denied = await attempt(0, '192.0.2.1', PASSWORD)
    expect(denied.statusCode).toBe(429)
    expect(Number(denied.headers['retry-after'])).toBeGreaterThan(0)
    expect(String(denied.headers['ratelimit'])).toContain('"login";r=0')
    expect(denied.headers['content-type']).toContain('application/problem+json')
    expect((await owner.get('/api/v1/auth/me')).statusCode).toBe(200)
    expect((await attempt(1, '198.51.100.7', PASSWORD)).statusCode).toBe(200)
  })

  test('forget the failures of who then knew the password', async () => {
    const { app, services } = await openSite({ rates: { login: { limit: 3, window: 900_000 } } })
    const { email } = await addPerson(services, 'agent')
    for (let round = 0; round < 4; round++) {
      expect((await createVisitor(app).login(email, 'not this one')).statusCode).toBe(401)
      expect((await createVisitor(app).login(email, PASSWORD)).statusCode).toBe(200)
    }
  })

  test('bound what is tried against one account from many places, known or not', async () => {
    const { app } = await openSite({ trustProxy: true, rates: { account: { limit: 5, window: 900_000 } } })
    const statuses: number[] = []
    for (let n = 0; n < 7; n++) {
      const headers = { 'x-forwarded-for': `192.0.2.${n + 1}` }
      const payload = { email: 'nobody@example.org', password: 'any password at all' }
      statuses.push((await app.inject({ method: 'POST', url: LOGIN, headers, payload })).statusCode)
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429])
  })

  test('bound requests by person and by place, keys that are tried out among them', async () => {
    const rate = { limit: 4, window: 900_000 }
    const { app, services } = await openSite({ rates: { api: rate, anonymous: rate } })
    const visitor = await comeIn(app, services, 'agent')
    const other = await addPerson(services, 'agent')
    const mine = []
    for (let n = 0; n < 6; n++) mine.push((await visitor.get('/api/v1/auth/me')).statusCode)
    expect(mine).toEqual([200, 200, 200, 200, 429, 429])
    // One login above and three guesses are all that is left to this place without a name.
    const guesses = []
    for (let n = 0; n < 5; n++) {
      const headers = { authorization: `Bearer pk_${'x'.repeat(30)}${n}` }
      guesses.push((await app.inject({ url: '/api/v1/auth/me', headers })).statusCode)
    }
    expect(guesses).toEqual([401, 401, 401, 429, 429])
    expect((await createVisitor(app).login(other.email, PASSWORD)).statusCode).toBe(429)
  })

  test('go on in the process while their backend is out', async () => {
    const redis = await startRedis()
    const state = { backend: 'redis', redisUrl: redis.url, detectBudget: '10s' } as const
    const { app } = await openSite({ state, rates: { login: { limit: 3, window: 900_000 } } })
    await redis.kill()
    const statuses: number[] = []
    for (let n = 0; n < 5; n++) {
      const payload = { email: 'nobody@example.org', password: 'any password at all' }
      statuses.push((await app.inject({ method: 'POST', url: LOGIN, payload })).statusCode)
    }
    await redis.stop()
    expect(statuses).toEqual([401, 401, 401, 429, 429])
  })
})

describe('sessions whose store is out', () => {
  test('are answered with 503 and are there again afterwards, and nobody was logged out', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    const state = { backend: 'redis', redisUrl: redis.url, detectBudget: '10s' } as const
    const { app, services } = await openSite({ state })
    const visitor = await comeIn(app, services, 'manager')
    const cookie = visitor.cookie
    expect((await visitor.get('/api/v1/auth/me')).statusCode).toBe(200)
    await redis.kill()
    for (let n = 0; n < 3; n++) {
      const answer = await visitor.get('/api/v1/auth/me')
      expect(answer.statusCode).toBe(503)
      expect(answer.headers['content-type']).toContain('application/problem+json')
      expect(answer.body).not.toMatch(/redis|ECONN|127\.0\.0\.1/i)
      expect(answer.cookies).toEqual([])
    }
    await redis.restart()
    await expect.poll(async () => (await visitor.get('/api/v1/auth/me')).statusCode, { timeout: 15_000 }).toBe(200)
    expect((await visitor.get('/api/v1/auth/me')).json().user.id).toBe(visitor.id)
    expect(visitor.cookie?.split('.')[0]).toBe(cookie?.split('.')[0])
    await redis.stop()
  })
})
