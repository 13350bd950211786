import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { allOut, allUp, faultRoom, onRedis, timed } from '../support/fault-room.ts'
import type { RedisServer } from '../support/redis-server.ts'

const room = faultRoom()
/** Far above two deadlines: what takes longer hangs. */
const HANG = 5000

const FAULTS: readonly (readonly [string, (server: RedisServer) => unknown, (server: RedisServer) => unknown])[] = [
  ['is killed', server => server.kill(), server => server.restart()],
  ['stops answering', server => server.pause(), server => server.resume()],
]

async function inTime<T>(work: () => Promise<T>): Promise<T> {
  let result: T | undefined
  const took = await timed(async () => (result = await work()))
  expect(took).toBeLessThan(HANG)
  return result as T
}

describe.each(FAULTS)('jobs of a Redis that %s', (_name, fault, heal) => {
  test('run nowhere, everywhere, or once in a process, as was asked; and afterwards once again', async () => {
    const server = await room.redis()
    const [here, there] = [await room.cache(onRedis(server)), await room.cache(onRedis(server))]
    await allUp(here, there)
    expect(await here.once('report', 0, () => 'before')).toEqual({ ran: true, value: 'before' })
    await fault(server)
    const run = ({ fence }: { fence: number | undefined }): string => `fence ${fence}`
    // What the server was sent and could not answer it does when it goes on: such a lock ends by its ttl.
    const ask = (cache: Cache, at: number, onOutage: 'closed' | 'open' | 'local') =>
      inTime(() => cache.once('report', at, run, { onOutage, ttl: '1s' }))
    // Noticed or not, the answer is the same.
    for (const at of [1, 2]) {
      expect(await ask(here, at, 'closed')).toEqual({ ran: false, reason: 'outage' })
      for (const cache of [here, there, here]) {
        expect(await ask(cache, 10 * at, 'open')).toEqual({ ran: true, value: 'fence undefined' })
      }
      expect(await ask(here, 100 * at, 'local')).toEqual({ ran: true, value: 'fence undefined' })
      expect(await ask(here, 100 * at, 'local')).toEqual({ ran: false, reason: 'claimed' })
      await allOut(here, there)
    }
    await heal(server)
    await allUp(here, there)
    const both = await Promise.all(
      [here, there].map(cache => cache.once('report', 1000, () => 'after', { wait: '10s' })),
    )
    expect(both.filter(({ ran }) => ran)).toHaveLength(1)
  })
})
