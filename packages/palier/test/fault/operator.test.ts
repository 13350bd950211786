import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { allOut, allUp, allWell, faultRoom, onRedis, timed } from '../support/fault-room.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()
/** Far above any deadline: what takes longer hangs. */
const HANG = 5000
const TYPES = { types: { page: { ttl: '1h' } } } as const

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code,
  )

describe.each(['is killed', 'stops answering'] as const)('an operator of a Redis that %s', fault => {
  test('is told so in time, and what was cleared meanwhile is cleared everywhere afterwards', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const options = { ...onRedis(path), ...TYPES, outage: { ttl: 0 } }
    const [here, there] = [await room.cache(options), await room.cache(options)]
    await allWell(here, there)
    await here.type('page').set('k', 'old')
    await here.set('kept', 1)
    await here.set('tagged', 1, { tags: ['t'] })
    const { undo = '' } = await here.operator.clear({ kind: 'tag', tag: 't' })
    if (fault === 'is killed') await path.mode('refuse')
    else server.pause()
    const { operator } = here
    const took = await timed(async () => {
      const works = [
        operator.preview({ kind: 'all' }),
        operator.keys(),
        operator.undo(undo),
        operator.setPolicy('page', null),
      ]
      const codes = await Promise.all(works.map(codeOf))
      for (const code of codes.slice(2)) expect(code).toMatch(/^PALIER_STORE_(FAILED|TIMEOUT)$/)
      const cleared = await operator.clear({ kind: 'type', type: 'page' })
      expect(cleared).toEqual({ receipt: { local: true, shared: 'pending' } })
      const { next } = await operator.explain('k', { type: 'page' })
      expect(next).toBe('miss')
    })
    expect(took).toBeLessThan(HANG)
    await allOut(here)
    if (fault === 'is killed') await path.mode('pass')
    else server.resume()
    await allUp(here, there)
    expect(await there.operator.undo(undo)).toEqual({ restored: true })
    for (const cache of [here, there]) {
      expect(await cache.type('page').get('k')).toBeUndefined()
      expect(await cache.get('kept')).toBe(1)
      expect(await cache.operator.preview({ kind: 'all' })).toMatchObject({ entries: 2, exact: true })
    }
  })
})

describe('an operator of a directory', () => {
  test('is told what the next read will do, and what a clear of another process has left', async () => {
    const dir = join(await room.folder(), 'cache')
    const options = { backend: 'filesystem', dir, deadline: '10s', ...TYPES } as const
    const [here, there] = [await room.cache(options), await room.cache(options)]
    const clear = { kind: 'type', type: 'page' } as const
    for (let round = 0; round < 3; round++) {
      await here.type('page').set('k', round)
      await until('the other reads it', async () => (await there.type('page').get('k')) === round)
      const { undo = '' } = await here.operator.clear(clear)
      await until('it is dead there', async () => (await there.operator.preview(clear)).entries === 0)
      expect(await there.operator.explain('k', { type: 'page' })).toMatchObject({ next: 'miss' })
      expect(await there.type('page').get('k')).toBeUndefined()
      expect(await there.operator.undo(undo)).toEqual({ restored: true })
      await until('it lives here', async () => (await here.operator.preview(clear)).entries === 1)
      expect(await here.operator.explain('k', { type: 'page' })).toMatchObject({ next: 'hit' })
      expect(await here.type('page').get('k')).toBe(round)
    }
  })
})
