import { describe, expect, test } from 'vitest'
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
