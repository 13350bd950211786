import { describe, expect, test } from 'vitest'
import { comeIn, createVisitor } from '../access/visitor.ts'
import { startApp } from '../support/app.ts'

describe('the management API of the cache, in the application', () => {
  test('answers under all its addresses to who may look', async () => {
    const app = await startApp()
    await app.get('/api/v1/dashboard')
    await app.get('/api/v1/dashboard')
    for (const prefix of ['/api/cache', '/api/v1/cache']) {
      const stats = await app.get(`${prefix}/stats`)
      expect(stats.statusCode).toBe(200)
      expect(stats.json()).toMatchObject({ is_available: true, backend: 'filesystem' })
    }
    const manager = await app.as('manager')
    expect((await manager.get('/api/cache/health')).statusCode).toBe(200)
    expect((await manager.post('/api/cache/invalidate/dashboard')).statusCode).toBe(403)
    expect((await (await app.as('agent')).get('/api/cache/stats')).statusCode).toBe(403)
    expect((await app.app.inject({ url: '/api/cache/stats' })).statusCode).toBe(401)
  })

  test('has its pages at /admin/cache, and its API there for a session that shows it is one', async () => {
    const app = await startApp()
    const visitor = createVisitor(app.app)
    const moved = await visitor.get('/admin/cache')
    expect([moved.statusCode, moved.headers['location']]).toEqual([308, './cache/'])
    // The pages are there when they were built, and for everybody: they hold nothing.
    const shell = await visitor.get('/admin/cache/')
    expect([200, 501]).toContain(shell.statusCode)
    expect(shell.headers['content-security-policy']).toContain("require-trusted-types-for 'script'")
    expect((await visitor.get('/admin/cache/assets/none.js')).statusCode).toBe(404)
    const bootstrap = '/admin/cache/api/cache/bootstrap'
    expect((await visitor.get(bootstrap)).statusCode).toBe(401)
    expect((await (await comeIn(app.app, app.services, 'agent')).get(bootstrap)).statusCode).toBe(403)

    const admin = await comeIn(app.app, app.services, 'admin')
    admin.token = undefined
    const seen = await admin.get(bootstrap)
    expect(seen.json()).toMatchObject({ role: 'admin', name: admin.email, features: { monitor: true, signOut: false } })
    const clear = (headers: Record<string, string>) =>
      admin.send({ method: 'POST', url: '/admin/cache/api/cache/invalidate/dashboard', headers })
    const token = String(seen.headers['x-palier-token'])
    expect((await clear({})).statusCode).toBe(403)
    expect((await clear({ 'x-palier-token': `${token}x` })).statusCode).toBe(403)
    expect((await clear({ 'x-palier-token': token, origin: 'https://elsewhere.example' })).statusCode).toBe(403)
    expect((await clear({ 'x-palier-token': token })).statusCode).toBe(200)
    const { items } = (await app.get('/api/v1/admin/history?entity=cache')).json()
    expect(items).toMatchObject([
      { actor: admin.email, after: { line: 'POST /api/cache/invalidate/dashboard', status: 200 } },
    ])
  })

  test('clears a type, a tag, a pattern, a key and everything for an API key, and the history says who did', async () => {
    const app = await startApp()
    const outcome = async (): Promise<unknown> => (await app.get('/api/v1/dashboard')).headers['x-cache']
    const clears = [
      () => app.post('/api/cache/invalidate/dashboard'),
      () => app.post('/api/cache/invalidate-tag', { tag: 'contacts' }),
      () => app.post('/api/v1/cache/invalidate-pattern', { pattern: 'admin:*', type: 'dashboard' }),
      () => app.post('/api/v1/cache/clear-all', { confirm: app.services.caching.cache.status().namespace }),
    ]
    for (const clear of clears) {
      await outcome()
      expect(await outcome()).toBe('HIT')
      const answer = await clear()
      expect([answer.statusCode, answer.json().receipt]).toEqual([200, { local: true, shared: 'acked' }])
      expect(await outcome()).toBe('MISS')
    }
    const { items } = (await app.get('/api/v1/admin/history?entity=cache')).json()
    expect(items).toHaveLength(clears.length)
    expect(items[0]).toMatchObject({ actor: 'key test', after: { line: 'POST /api/cache/clear-all', status: 200 } })
  })

  test('does not reach what belongs to other software, and refuses a clear that does not name the namespace', async () => {
    const app = await startApp()
    const protectedPattern = await app.post('/api/cache/invalidate-pattern', { pattern: 'celery*' })
    expect([protectedPattern.statusCode, protectedPattern.json().code]).toEqual([403, 'PALIER_PROTECTED'])
    expect((await app.post('/api/cache/clear-all', {})).statusCode).toBe(400)
  })

  test('warms up by name what the first visitors ask for', async () => {
    const app = await startApp()
    expect((await app.post('/api/cache/warm')).statusCode).toBe(200)
    expect((await app.get('/api/v1/dashboard')).headers['x-cache']).toBe('HIT')
    expect((await app.get('/api/v1/categories')).headers['x-cache']).toBe('HIT')
    expect((await app.get('/api/v1/messages/stats')).headers['x-cache']).toBe('HIT')
  })
})
