import { describe, expect, it } from 'vitest'
import { takeRoom, windowOf } from '../../server/whatsapp/throughput.ts'
import { startServices } from '../support/app.ts'
import { freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

describe('how fast messages leave', () => {
  it('spreads a rate over the shortest window in which it is a whole number, and is never above it', () => {
    expect(windowOf(60)).toEqual({ limit: 1, seconds: 1 })
    expect(windowOf(1200)).toEqual({ limit: 20, seconds: 1 })
    expect(windowOf(10)).toEqual({ limit: 1, seconds: 6 })
    expect(windowOf(90)).toEqual({ limit: 3, seconds: 2 })
    expect(windowOf(7)).toEqual({ limit: 7, seconds: 60 })
    for (let rate = 1; rate <= 2000; rate++) {
      const { limit, seconds } = windowOf(rate)
      expect(limit * 60).toBe(rate * seconds)
    }
  })

  it('shares the limits of a number and of a campaign among everybody on one backend', async () => {
    const [url, directory] = [await freshDatabase('sqlite'), freshDirectory()]
    const sides = [await startServices({ url, directory }), await startServices({ url, directory })]
    const pace = { accountId: 'number', perSecond: 30, campaign: { id: 'one', perMinute: 60_000 } }
    const granted: { at: number; count: number }[] = []
    const until = performance.now() + 2500
    await Promise.all(
      sides.flatMap(services =>
        [1, 2].map(async () => {
          while (performance.now() < until) {
            const before = performance.now()
            const room = await takeRoom(services, pace, 7)
            if (room.granted > 0) granted.push({ at: before, count: room.granted })
            else expect(room.retryAfter).toBeGreaterThan(0)
          }
        }),
      ),
    )
    const total = granted.reduce((sum, { count }) => sum + count, 0)
    // Four windows begin in that time, at most; a process that the backend keeps waiting counts its share by itself.
    expect(total).toBeLessThanOrEqual(30 * 4)
    expect(total).toBeGreaterThan(30)
  })

  it('grants what is left of the slower limit, and then says when to ask again', async () => {
    const services = await startServices({ backend: 'memory' })
    const slow = { accountId: 'number', perSecond: 30, campaign: { id: 'one', perMinute: 7 } }
    const rooms = []
    for (let turn = 0; turn < 4; turn++) rooms.push(await takeRoom(services, slow, 4))
    expect(rooms.map(room => room.granted)).toEqual([4, 3, 0, 0])
    expect(rooms[3]?.retryAfter).toBeGreaterThan(0)
  })
})
