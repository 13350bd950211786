import { type CacheOptions, createCache, createMonitor } from '../../src/index.ts'
import type { WatchedAnswer, WatchedRequest } from './monitor-node.ts'

/* A process with one cache and its monitor, which does what the messages of its parent say. See monitor-node.ts. */
const cache = createCache({ logger: false, ...(JSON.parse(process.argv[2] ?? '{}') as CacheOptions) })
const monitor = createMonitor(cache, { logger: false, advice: false, timer: false })

async function work(rounds: number): Promise<void> {
  const users = cache.type('user')
  for (let i = 0; i < rounds; i++) {
    const id = `${process.pid} ${i}`
    await users.getOrSet(id, () => ({ id }))
    await users.get(id)
    await cache.get(`none ${id}`)
    await users.set(id, { id })
    if (i % 3 === 0) await users.delete(id)
    if (i % 4 === 0) await users.getOrSet('bad', () => Promise.reject(new Error('down'))).catch(() => undefined)
  }
  await cache.deleteByTag('some')
}

const verbs: Readonly<Record<WatchedRequest['verb'], (rounds: number) => Promise<unknown>>> = {
  work,
  tick: () => monitor.tick(),
  stats: async () => cache.stats(),
  prometheus: () => monitor.prometheus(),
  history: () => monitor.history('minutes'),
  async close() {
    await monitor.close()
    await cache.close()
  },
}

process.on('message', ({ id, verb, rounds = 0 }: WatchedRequest) => {
  verbs[verb](rounds).then(
    value => {
      process.send?.({ id, value } satisfies WatchedAnswer, () => {
        if (verb === 'close') process.disconnect()
      })
    },
    (error: unknown) => process.send?.({ id, error: String(error) } satisfies WatchedAnswer),
  )
})

await cache.ready()
process.send?.({ id: 0 } satisfies WatchedAnswer)
