import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { rateLimitCache } from '../../src/index.ts'
import { type LimitRoom, limitRoom } from '../support/limit-room.ts'

let room: LimitRoom
beforeAll(async () => {
  room = await limitRoom()
})
afterEach(() => vi.unstubAllEnvs())
afterAll(() => room.close())

async function backendWith(environment: Readonly<Record<string, string>>, options: object = {}): Promise<string> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  const cache = rateLimitCache({ logger: false, detectBudget: 30_000, ...options })
  try {
    const { backend, namespace, enabled } = await cache.ready()
    expect([namespace, enabled]).toEqual(['limits', true])
    const { count, source } = await cache.counter('probe', { window: '1m', onOutage: 'closed' }).count('k')
    expect([typeof count, source]).toEqual(['number', 'shared'])
    return backend
  } finally {
    await cache.close()
  }
}

test('limits are kept where RATE_LIMIT_STORAGE says, or where caches are kept, even if these are switched off', async () => {
  const place = { CACHE_DIR: room.dir, REDIS_URL: room.redis.url }
  expect(await backendWith({ ...place, RATE_LIMIT_STORAGE: 'redis' })).toBe('redis')
  expect(await backendWith({ ...place, RATE_LIMIT_STORAGE: 'filesystem', CACHE_ENABLED: 'false' })).toBe('filesystem')
  expect(await backendWith({ ...place, RATE_LIMIT_STORAGE: ' Memory ' })).toBe('memory')
  expect(await backendWith({ ...place, RATE_LIMIT_STORAGE: 'auto', CACHE_BACKEND: 'memory' })).toBe('redis')
  expect(await backendWith({ ...place, RATE_LIMIT_STORAGE: '', CACHE_BACKEND: 'filesystem' })).toBe('filesystem')
  expect(await backendWith({ ...place, RATE_LIMIT_STORAGE: 'redis' }, { backend: 'memory' })).toBe('memory')
})

test('another value of RATE_LIMIT_STORAGE is refused by its name', () => {
  vi.stubEnv('RATE_LIMIT_STORAGE', 'postgres')
  expect(() => rateLimitCache()).toThrow(
    expect.objectContaining({
      code: 'PALIER_BAD_OPTION',
      message: 'RATE_LIMIT_STORAGE: expected auto, redis, filesystem, memory, received "postgres"',
    }),
  )
})
