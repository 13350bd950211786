import { expect, test } from 'vitest'
import { runScript } from '../support/netns.ts'
import { allUp, faultRoom, measured, NEVER, onRedis, percentile, sharedTier, timed } from '../support/fault-room.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

const urlOf = (port: number): string => `redis://127.0.0.1:${port}`

test('200 misses while Redis refuses connections each run their factory and cost next to nothing', async () => {
  const server = await room.redis()
  const cache = await room.cache(onRedis(server))
  await allUp(cache)
  await server.kill()
  const took: number[] = []
  for (let i = 0; i < 200; i++) {
    took.push(
      await timed(async () => {
        expect(await cache.getOrSet(`key${i}`, () => i)).toBe(i)
      }),
    )
  }
  measured('first ms', took[0] ?? 0)
  measured('p99 ms', percentile(took, 0.99))
  measured('median ms', percentile(took, 0.5))
  // A whole deadline is 250 ms and a client's own patience is seconds: nothing of the kind may show in the total.
  expect(took.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(5000)
  expect(cache.status()).toMatchObject({ state: 'DEGRADED' })
  expect(cache.status().reason).toMatch(/^redis is out/)
})

test('200 callers at once while Redis refuses connections are all answered', async () => {
  const cache = await room.cache(onRedis({ url: urlOf(await freePort()) }))
  const keys = Array.from({ length: 200 }, (_, i) => `key${i}`)
  const values = await Promise.all(keys.map(key => cache.getOrSet(key, () => key)))
  expect(values).toEqual(keys)
})

test('a cache that was made without Redis uses it soon after it was started, without a restart', async () => {
  const port = await freePort()
  const cache = await room.cache(onRedis({ url: urlOf(port) }))
  expect(cache.status().backend).toBe('filesystem')
  expect(sharedTier(cache)).toMatchObject({ name: 'redis', state: 'open', used: false })
  await cache.set('before', 1)
  // Long enough for the trials to have become rare.
  await until('several trials were made', () => (sharedTier(cache)?.nextTryIn ?? 0) > 500, NEVER)
  const server = await room.redis({ port })
  const recovery = await timed(() => allUp(cache))
  measured('explicit: start to use, ms', recovery)
  expect(cache.status().backend).toBe('redis')
  expect(await cache.get('before')).toBeUndefined()
  await cache.set('after', 2)
  expect(await cache.get('after')).toBe(2)
  expect(await server.ask('DBSIZE')).not.toBe(':0')
})

test('a cache that looks for a backend by itself moves from files to Redis when somebody starts it there', async () => {
  const port = await freePort()
  const node = await room.node({ env: { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port), REDIS_URL: '' } })
  expect(await node.status()).toMatchObject({ backend: 'filesystem' })
  expect(await node.load('key', 'from files')).toBe('from files')
  await room.redis({ port })
  const recovery = await timed(() =>
    until('it is on Redis', async () => (await node.status()).backend === 'redis', NEVER),
  )
  measured('REDIS_PORT: start to use, ms', recovery)
  expect(await node.load('key', 'from redis')).toBe('from redis')
  expect(await node.get('key')).toBe('from redis')
})

test('with nothing configured, a Redis that is started on the usual port later is found, and shared', async () => {
  const answer = await runScript('usual-port', [], { namespaces: ['net'] })
  expect(answer.errors).toBe('')
  expect(answer).toMatchObject({
    code: 0,
    report: { before: 'filesystem', after: 'redis', value: 'new', shared: 'new' },
  })
})
