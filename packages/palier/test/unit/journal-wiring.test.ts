import { describe, expect, test } from 'vitest'
import type { Cache, CacheOptions } from '../../src/index.ts'
import type { Journal } from '../../src/journal.ts'
import { entryId, entryKey, tagStamp } from '../../src/key.ts'
import { keyTarget, patternTarget, stampTarget, WIDEST } from '../../src/targets.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'
import { gate } from '../support/caches.ts'
import { engineOn, place, type Remote, remoteServer } from '../support/remote.ts'

/** A journal in memory, as a disk that several processes share would keep it. */
interface Paper extends Journal {
  /** What this process appended and did not clear. */
  readonly lines: readonly string[]
  readonly appended: readonly (readonly string[])[]
  /** What the next `inherit` finds. */
  leave(...lines: string[]): void
  readonly settled: number
  readonly closed: number
  /** The next appends, clears and inherits reject, or wait for this. */
  meet(trouble: {
    append?: Promise<void>
    clear?: Promise<void>
    inherit?: Promise<void>
    settle?: Promise<void>
  }): void
}

function paper(): Paper {
  const lines: string[] = []
  const appended: (readonly string[])[] = []
  let left: string[] = []
  let trouble: Parameters<Paper['meet']>[0] = {}
  let settled = 0
  let closed = 0
  return {
    lines,
    appended,
    get settled() {
      return settled
    },
    get closed() {
      return closed
    },
    leave: (...more) => void (left = [...left, ...more]),
    meet(next) {
      for (const one of Object.values(next)) one?.catch(() => undefined)
      trouble = next
    },
    async append(more) {
      appended.push(more)
      await trouble.append
      lines.push(...more)
    },
    async clear() {
      await trouble.clear
      lines.splice(0)
    },
    async inherit() {
      await trouble.inherit
      const found = left
      left = []
      return {
        lines: found,
        neighbours: [],
        async settle() {
          await trouble.settle
          settled++
        },
      }
    },
    async close() {
      closed++
    },
  }
}

interface At {
  readonly clock: ManualClock
  readonly redis: Remote
  readonly peer: Cache
  readonly cache: Cache
  readonly journal: Paper
  readonly errors: { operation: string; message: string }[]
  down(): Promise<void>
  up(): Promise<void>
}

async function journalled(
  options: CacheOptions = {},
  before: (at: { redis: Remote; journal: Paper; peer: Cache }) => Promise<void> | void = () => undefined,
): Promise<At> {
  const clock = manualClock()
  const server = remoteServer(clock)
  const [redis, other] = [server.connect(), server.connect()]
  const journal = paper()
  const peer = engineOn({ clock, places: [place('redis', other, { wanted: true })] })
  await Promise.all([peer.ready(), clock.advance(10)])
  await before({ redis, journal, peer })
  const cache = engineOn({
    clock,
    journal,
    places: [place('redis', redis, { wanted: true }), place('memory', undefined)],
    options,
  })
  const errors: At['errors'] = []
  cache.on('error', ({ operation, message }) => errors.push({ operation, message }))
  await Promise.all([cache.ready(), clock.advance(1000)])
  return {
    clock,
    redis,
    peer,
    cache,
    journal,
    errors,
    async down() {
      redis.fail('*')
      redis.lost()
      await clock.advance(0)
    },
    async up() {
      redis.heal()
      redis.ready()
      await clock.advance(100)
    },
  }
}

const K = keyTarget(entryKey('default', '', entryId('k')))
const T = stampTarget(tagStamp('t'))
const P = patternTarget({ glob: 'p*', type: undefined })

describe('an invalidation that has to wait', () => {
  test('is written down before its receipt says pending', async () => {
    const at = await journalled()
    await at.down()
    const disk = gate<void>()
    at.journal.meet({ append: disk.promise })
    const answers: unknown[] = []
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      key: () => at.cache.delete('k'),
      tag: () => at.cache.deleteByTag('t'),
      pattern: () => at.cache.deleteByPattern('p*'),
      all: () => at.cache.clear(),
    }
    const pending = Object.values(calls).map(call => call().then(receipt => answers.push(receipt)))
    await at.clock.advance(100)
    expect(answers).toEqual([])
    disk.open()
    await Promise.all(pending)
    expect(answers).toEqual(Object.values(calls).map(() => ({ local: true, shared: 'pending' })))
    expect([...at.journal.lines].sort()).toEqual([K, T, P, WIDEST].sort())
    await at.cache.close()
  })

  test('is written once, however often it is deleted while it waits', async () => {
    const at = await journalled()
    await at.down()
    for (let i = 0; i < 3; i++) await at.cache.delete('k')
    await at.clock.advance(5000)
    await at.cache.delete('k')
    expect(at.journal.appended).toEqual([[K]])
    await at.cache.close()
  })

  test('a set that has to wait is a deletion on paper: no value is ever written', async () => {
    const at = await journalled()
    await at.down()
    expect(await at.cache.set('k', 'a secret')).toEqual({ local: true, shared: 'pending' })
    expect(at.journal.appended).toEqual([[K]])
    await at.cache.close()
  })

  test('what is acknowledged at once is never written', async () => {
    const at = await journalled()
    await at.cache.delete('k')
    await at.cache.deleteByTag('t')
    await at.cache.set('k', 1)
    await at.clock.advance(5000)
    expect(at.journal.appended).toEqual([])
    await at.cache.close()
  })

  test('the paper is cleared when nothing waits any more, and not before', async () => {
    const at = await journalled()
    await at.down()
    await at.cache.delete('k')
    await at.cache.deleteByTag('t')
    at.redis.heal()
    at.redis.fail('set')
    at.redis.ready()
    await at.clock.advance(10)
    expect(at.journal.lines).toEqual([K, T])
    await at.up()
    expect(at.cache.status().outbox).toEqual({ pending: 0 })
    expect(at.journal.lines).toEqual([])
    await at.cache.close()
  })

  test('stays on paper when the process ends before its store is back', async () => {
    const at = await journalled()
    await at.down()
    await at.cache.delete('k')
    await Promise.all([at.cache.close(), at.clock.advance(1000)])
    expect(at.journal.lines).toEqual([K])
    expect(at.journal.closed).toBe(1)
  })

  test('a paper that cannot be written is an error, and the receipt is pending all the same', async () => {
    const at = await journalled()
    await at.down()
    at.journal.meet({ append: Promise.reject(new Error('no space left')) })
    expect(await at.cache.delete('k')).toEqual({ local: true, shared: 'pending' })
    expect(at.errors).toContainEqual({ operation: 'journal', message: 'no space left' })
    await at.up()
    expect(at.cache.status()).toMatchObject({ backend: 'redis', outbox: { pending: 0 } })
    await at.cache.close()
  })

  test('a paper that cannot be cleared is an error, and nothing else', async () => {
    const at = await journalled()
    await at.down()
    await at.cache.delete('k')
    at.journal.meet({ clear: Promise.reject(new Error('read-only')) })
    await at.up()
    expect(at.errors).toContainEqual({ operation: 'journal', message: 'read-only' })
    expect(at.cache.status()).toMatchObject({ backend: 'redis', outbox: { pending: 0 } })
    await at.cache.close()
  })

  test('switched off, nothing is written and nobody`s paper is read', async () => {
    const at = await journalled({ outage: { journal: false } }, ({ journal }) => journal.leave(K))
    await at.down()
    await at.cache.delete('k')
    expect(at.journal.appended).toEqual([])
    expect((await at.journal.inherit()).lines).toEqual([K])
    await at.cache.close()
  })
})

describe('what a process that is gone left behind', () => {
  test('is delivered before the store is read, then its paper is taken away', async () => {
    const at = await journalled({}, async ({ journal, peer }) => {
      await peer.set('k', 'old')
      await peer.set('l', 'old', { tags: ['t'] })
      await peer.set('p1', 'old')
      journal.leave(K, T, P)
    })
    expect(at.cache.status()).toMatchObject({ backend: 'redis', outbox: { pending: 0 } })
    expect(await at.cache.getMany(['k', 'l', 'p1'])).toEqual([undefined, undefined, undefined])
    expect(at.journal.settled).toBe(1)
    // What others left behind stays on their paper until it is delivered: it is not written twice.
    expect(at.journal.appended).toEqual([])
    await at.cache.close()
  })

  test('is heard by the processes that kept it near', async () => {
    const at = await journalled({}, async ({ journal, peer }) => {
      await peer.set('k', 'old')
      await peer.set('l', 'old', { tags: ['t'] })
      journal.leave(K, T)
    })
    expect(await at.peer.getMany(['k', 'l'])).toEqual([undefined, undefined])
    await at.cache.close()
  })

  test('waits like one`s own while the store is out', async () => {
    const at = await journalled({}, async ({ redis, journal, peer }) => {
      await peer.set('k', 'old')
      journal.leave(K)
      redis.fail('delete')
    })
    expect(at.journal.settled).toBe(0)
    expect(await at.cache.get('k')).toBeUndefined()
    expect(at.cache.status()).toMatchObject({ outbox: { pending: 1 } })
    at.redis.heal()
    await at.clock.advance(3000)
    expect(at.cache.status()).toMatchObject({ backend: 'redis', outbox: { pending: 0 } })
    expect(at.journal.settled).toBe(1)
    expect(await at.cache.get('k')).toBeUndefined()
    await at.cache.close()
  })

  test('during an outage is found when the store is back', async () => {
    const at = await journalled()
    await at.peer.set('k', 'old')
    await at.down()
    at.journal.leave(K)
    await at.up()
    expect(await at.cache.get('k')).toBeUndefined()
    expect(at.journal.settled).toBe(1)
    await at.cache.close()
  })

  test('that cannot be read is an error, and does not keep the store shut', async () => {
    const at = await journalled({}, ({ journal }) => journal.meet({ inherit: Promise.reject(new Error('EIO')) }))
    expect(at.cache.status().backend).toBe('redis')
    await at.down()
    at.errors.splice(0)
    await at.up()
    expect(at.cache.status().backend).toBe('redis')
    expect(at.errors).toContainEqual({ operation: 'journal', message: 'EIO' })
    await at.cache.close()
  })

  test('whose paper cannot be taken away is an error; its lines were delivered', async () => {
    const at = await journalled()
    await at.down()
    at.journal.leave(K)
    at.journal.meet({ settle: Promise.reject(new Error('EROFS')) })
    await at.up()
    expect(at.errors).toContainEqual({ operation: 'journal', message: 'EROFS' })
    expect(at.cache.status()).toMatchObject({ backend: 'redis', outbox: { pending: 0 } })
    await at.cache.close()
  })

  test('more lines than wait one by one become their types, and kill no less', async () => {
    const keys = Array.from({ length: 50 }, (_, i) => `${i}`)
    const at = await journalled({ outage: { maxPending: 5 } }, async ({ journal, peer }) => {
      for (const key of keys) await peer.set(key, 'old')
      journal.leave(...keys.map(key => keyTarget(entryKey('default', '', entryId(key)))))
    })
    expect((await at.cache.getMany(keys)).filter(Boolean)).toEqual([])
    expect(at.journal.settled).toBe(1)
    await at.cache.close()
  })
})
