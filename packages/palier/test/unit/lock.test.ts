import { afterEach, describe, expect, test } from 'vitest'
import { createLockDoor, type Lock, type LockOptions } from '../../src/lock.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faulty, manualClock } from '../../src/testing.ts'
import { guardRoom, type RoomOptions, type TestRoom } from '../support/guard-room.ts'

const rooms: TestRoom[] = []
afterEach(() => {
  for (const room of rooms.splice(0)) room.close()
})

/** Two caches on one store that fails on demand, and a clock moved by hand. */
async function setup(options: RoomOptions = {}) {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  const store = faulty(backing)
  const open = async (one = store, more: RoomOptions = {}) => {
    const room = await guardRoom(one, { clock, ...options, ...more })
    rooms.push(room)
    return { room, ...createLockDoor(room) }
  }
  return { clock, store, backing, open, first: await open(), second: await open(faulty(backing.connect())) }
}

async function got(asked: Promise<Lock | undefined>): Promise<Lock> {
  const lock = await asked
  if (lock === undefined) throw new Error('the lock was not granted')
  return lock
}

describe('a lock', () => {
  test('is held by one cache at a time, and each holder has a greater fence', async () => {
    const { first, second } = await setup()
    const lock = await got(first.lock('job'))
    expect(lock.held()).toBe(true)
    expect(await second.lock('job')).toBeUndefined()
    expect(await first.lock('job')).toBeUndefined()
    expect(await lock.release()).toBe(true)
    expect(lock.held()).toBe(false)
    const next = await got(second.lock('job'))
    expect(next.fence).toBeGreaterThan(lock.fence ?? Number.POSITIVE_INFINITY)
    expect(lock.signal.aborted).toBe(false)
  })

  test('of one namespace has nothing to do with that of another', async () => {
    const { first, open, backing } = await setup()
    await got(first.lock('job'))
    const other = await open(faulty(backing.connect()), { namespace: 'other' })
    await got(other.lock('job'))
    const tricky = await open(faulty(backing.connect()), { namespace: 'test:k' })
    await got(tricky.lock('job'))
  })

  test('is renewed for as long as it is not released, and leaves no timer behind', async () => {
    const { clock, first, second } = await setup()
    const timers = clock.pending()
    const lock = await got(first.lock('job', { ttl: 3_000 }))
    for (let i = 0; i < 20; i++) {
      await clock.advance(900)
      expect(lock.held()).toBe(true)
      expect(await second.lock('job')).toBeUndefined()
    }
    expect(await lock.release()).toBe(true)
    expect(await lock.release()).toBe(true)
    expect(clock.pending()).toBe(timers)
  })

  test('of a holder that is gone ends by its ttl', async () => {
    const { clock, store, first, second } = await setup()
    await got(first.lock('job', { ttl: 3_000 }))
    store.fail('locks.renew')
    await clock.advance(2_990)
    expect(await second.lock('job')).toBeUndefined()
    await clock.advance(20)
    await got(second.lock('job'))
  })

  test('tells its holder when it can no longer be proven, before anybody else can get it', async () => {
    const { clock, store, first, second } = await setup()
    const lock = await got(first.lock('job', { ttl: 3_000 }))
    await clock.advance(1_500)
    store.hang('locks.renew')
    // The last renewal that worked was sent after 1000 ms.
    await clock.advance(2_490)
    expect(lock.held()).toBe(true)
    expect(lock.signal.aborted).toBe(false)
    expect(await second.lock('job')).toBeUndefined()
    await clock.advance(15)
    expect(lock.held()).toBe(false)
    expect(lock.signal.aborted).toBe(true)
    expect(lock.signal.reason).toMatchObject({ code: 'PALIER_LOCKED' })
  })

  test('survives renewals that fail as long as one works in time', async () => {
    const { clock, store, first, second } = await setup()
    const lock = await got(first.lock('job', { ttl: 3_000 }))
    for (let i = 0; i < 5; i++) {
      store.fail('locks.renew', 2)
      await clock.advance(2_000)
      expect(lock.held()).toBe(true)
    }
    expect(await second.lock('job')).toBeUndefined()
    expect(await lock.release()).toBe(true)
  })

  test('tells its holder at the next renewal that another took it', async () => {
    const { clock, backing, open, second } = await setup()
    let owner = ''
    const watched = backing.connect()
    const acquire: typeof watched.locks.acquire = (name, by, ttl) => {
      owner = by
      return watched.locks.acquire(name, by, ttl)
    }
    const first = await open(faulty({ ...watched, locks: { ...watched.locks, acquire } }))
    const lock = await got(first.lock('job', { ttl: 3_000 }))
    // As by a failover that lost the grant.
    expect(await backing.locks.release('test:k:job', owner)).toBe(true)
    const next = await got(second.lock('job'))
    expect(next.fence).toBeGreaterThan(lock.fence ?? Number.POSITIVE_INFINITY)
    expect(lock.signal.aborted).toBe(false)
    await clock.advance(1_001)
    expect([lock.held(), lock.signal.aborted]).toEqual([false, true])
    expect(await lock.release()).toBe(false)
    expect(next.held()).toBe(true)
  })

  test('that was lost is released without harm', async () => {
    const { clock, store, first, second } = await setup()
    const lock = await got(first.lock('job', { ttl: 3_000 }))
    store.fail('locks.renew')
    await clock.advance(3_100)
    const next = await got(second.lock('job'))
    expect(await lock.release()).toBe(false)
    expect(next.held()).toBe(true)
    expect(await second.lock('job')).toBeUndefined()
  })

  test('whose grant came too late to be worth anything is given back', async () => {
    const { clock, store, first, second } = await setup({ deadline: 5_000 })
    store.delay('locks.acquire', 400, clock)
    const asked = first.lock('job', { ttl: 300 })
    await clock.advance(500)
    expect(await asked).toBeUndefined()
    await got(second.lock('job'))
  })

  test('is lost when the cache is closed', async () => {
    const { first } = await setup()
    const lock = await got(first.lock('job'))
    const open = await got(first.lock('other', { onOutage: 'open' }))
    first.room.close()
    for (const each of [lock, open]) {
      expect(each.held()).toBe(false)
      expect(each.signal.aborted).toBe(true)
    }
    expect(lock.signal.reason).toMatchObject({ code: 'PALIER_CLOSED' })
    await expect(first.lock('job')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  })

  test('ends with the block it was declared in', async () => {
    const { first, second } = await setup()
    {
      await using lock = await got(first.lock('job'))
      expect(lock.held()).toBe(true)
    }
    await got(second.lock('job'))
  })
})

describe('waiting for a lock', () => {
  test('ends as soon as it is released', async () => {
    const { clock, first, second } = await setup()
    const lock = await got(first.lock('job'))
    let next: Lock | undefined
    const asked = second.lock('job', { wait: '10s' }).then(granted => {
      next = granted
    })
    await clock.advance(5_000)
    expect(next).toBeUndefined()
    await lock.release()
    await clock.advance(250)
    await asked
    expect(next?.held()).toBe(true)
  })

  test('ends empty-handed after as long as was said', async () => {
    const { clock, store, first, second } = await setup()
    await got(first.lock('job'))
    let answer: unknown = 'none yet'
    const asked = second.lock('job', { wait: 1_000 }).then(value => {
      answer = value
    })
    await clock.advance(999)
    expect(answer).toBe('none yet')
    await clock.advance(2)
    await asked
    expect(answer).toBeUndefined()
    expect(store.calls('locks.acquire')).toBeLessThan(30)
  })

  test('ends at once with the reason of its signal, and leaves nothing locked', async () => {
    const { clock, first, second } = await setup()
    const lock = await got(first.lock('job'))
    const stop = new AbortController()
    const failed = second.lock('job', { wait: '1h', signal: stop.signal }).catch(String)
    await clock.advance(1_000)
    stop.abort(new Error('enough'))
    expect(await failed).toBe('Error: enough')
    await lock.release()
    await expect(second.lock('job', { signal: stop.signal })).rejects.toThrow('enough')
    await got(first.lock('job'))
  })
})

describe('while the backend is out', () => {
  const outage = async () => {
    const all = await setup()
    all.store.fail('*')
    return all
  }

  test('nobody gets a lock, unless something else was asked for', async () => {
    const { first } = await outage()
    expect(await first.lock('job')).toBeUndefined()
  })

  test('everybody gets a lock without a fence when that was asked for', async () => {
    const { first, clock } = await outage()
    const locks = [
      await got(first.lock('job', { onOutage: 'open' })),
      await got(first.lock('job', { onOutage: 'open' })),
    ]
    await clock.advance(100_000)
    for (const lock of locks) {
      expect([lock.fence, lock.held()]).toEqual([undefined, true])
      expect(await lock.release()).toBe(true)
      expect(await lock.release()).toBe(true)
      expect(lock.held()).toBe(false)
    }
  })

  test('one in this process gets a lock without a fence when that was asked for, and keeps it after the heal', async () => {
    const { first, clock, store } = await outage()
    const lock = await got(first.lock('job', { onOutage: 'local', ttl: 3_000 }))
    expect(lock.fence).toBeUndefined()
    expect(await first.lock('job', { onOutage: 'local' })).toBeUndefined()
    store.heal()
    await clock.advance(10_000)
    expect(lock.held()).toBe(true)
    const shared = await got(first.lock('job', { onOutage: 'local' }))
    expect(shared.fence).toBeGreaterThan(0)
    expect(await lock.release()).toBe(true)
  })

  test('waiting goes on, and gets the lock after the heal', async () => {
    const { first, clock, store } = await outage()
    const asked = first.lock('job', { wait: '1m' })
    await clock.advance(5_000)
    store.heal()
    await clock.advance(5_000)
    expect((await got(asked)).fence).toBeGreaterThan(0)
  })

  test('a grant whose answer was lost locks nobody out once the store answers', async () => {
    const { first, second, store } = await setup()
    store.lose('locks.acquire', 1)
    expect(await first.lock('job')).toBeUndefined()
    await got(second.lock('job', { wait: 1_000 }))
  })
})

describe('withLock', () => {
  test('runs under the lock, gives the result and releases it', async () => {
    const { first, second } = await setup()
    const result = await first.withLock('job', {}, async lock => {
      expect(lock.held()).toBe(true)
      expect(await second.lock('job')).toBeUndefined()
      return lock.fence
    })
    expect(result).toBeGreaterThan(0)
    await expect(second.withLock('job', {}, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    await got(first.lock('job'))
  })

  test('does not run without the lock', async () => {
    const { first, second } = await setup()
    await got(first.lock('job'))
    let ran = false
    const asked = second.withLock('job', {}, () => {
      ran = true
    })
    await expect(asked).rejects.toMatchObject({ code: 'PALIER_LOCKED', message: expect.stringContaining('"job"') })
    expect(ran).toBe(false)
  })
})

describe('a lock asked for wrongly', () => {
  const WRONG: readonly [string, string, unknown][] = [
    ['PALIER_BAD_KEY', 'lock name', undefined],
    ['PALIER_BAD_OPTION', 'ttl', { ttl: 5 }],
    ['PALIER_BAD_OPTION', 'ttl', { ttl: 'soon' }],
    ['PALIER_BAD_OPTION', 'wait', { wait: -1 }],
    ['PALIER_BAD_OPTION', 'onOutage', { onOutage: 'maybe' }],
    ['PALIER_BAD_OPTION', 'signal', { signal: {} }],
    ['PALIER_BAD_OPTION', 'lock options.tll', { tll: 1_000 }],
    ['PALIER_BAD_OPTION', 'lock options', null],
  ]
  for (const [code, field, options] of WRONG) {
    test(`is refused by the name of ${field} (${JSON.stringify(options) ?? 'an empty name'})`, async () => {
      const { first } = await setup()
      const asked = first.lock(options === undefined ? '' : 'job', options as LockOptions | undefined)
      await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining(field) })
    })
  }

  test('is refused when there is nothing to run', async () => {
    const { first } = await setup()
    const asked = first.withLock('job', {}, undefined as unknown as () => void)
    await expect(asked).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
  })
})
