import { afterEach, describe, expect, test } from 'vitest'
import {
  type Cache,
  type CacheOptions,
  createCache,
  memoryStore,
  type OnceOptions,
  type OnceResult,
} from '../../src/index.ts'
import { faulty, type FaultyStore, manualClock } from '../../src/testing.ts'
import { gate, memoryCache } from '../support/caches.ts'

const open: Cache[] = []
afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close()
})

interface One {
  readonly cache: Cache
  readonly store: FaultyStore
  readonly once: Cache['once']
}

/** Two caches on one store that fails on demand, and a clock moved by hand. */
async function setup() {
  const clock = manualClock()
  const backing = memoryStore({ clock })
  const connect = async (options: CacheOptions = {}, wrap = (store: FaultyStore) => store): Promise<One> => {
    const store = faulty(backing.connect())
    const cache = createCache({ logger: false, clock, ...options, store: wrap(store) })
    open.push(cache)
    await cache.ready()
    await clock.advance(10)
    return { cache, store, once: cache.once }
  }
  return { clock, connect, first: await connect(), second: await connect() }
}

const CLAIMED: OnceResult<never> = { ran: false, reason: 'claimed' }
const OVERLAP: OnceResult<never> = { ran: false, reason: 'overlap' }
const OUTAGE: OnceResult<never> = { ran: false, reason: 'outage' }

describe('an occurrence', () => {
  test('runs in one cache, long after that run has ended too, until its claim ends', async () => {
    const { clock, first, second } = await setup()
    expect(await first.once('report', '14:00', () => 'sent', { keep: '2h' })).toEqual({ ran: true, value: 'sent' })
    for (const wait of [0, 3_600_000, 3_599_999]) {
      await clock.advance(wait)
      expect(await second.once('report', '14:00', () => 'again')).toEqual(CLAIMED)
    }
    await clock.advance(1)
    expect(await second.once('report', '14:00', () => 'again')).toMatchObject({ ran: true })
  })

  test('is told what it is, and its fence is greater than those before', async () => {
    const { first, second } = await setup()
    const fences: number[] = []
    for (const [i, { once }] of [first, second, first].entries()) {
      const done = await once('report', i, seen => {
        expect(seen).toMatchObject({ name: 'report', occurrence: String(i) })
        expect(seen.signal.aborted).toBe(false)
        return seen.fence ?? Number.NaN
      })
      if (done.ran) fences.push(done.value)
    }
    expect(fences).toEqual([...new Set(fences)].toSorted((a, b) => a - b))
    expect(fences).toHaveLength(3)
  })

  test('has one name however it is given, and never that of another job or namespace', async () => {
    const { first, connect } = await setup()
    const at = new Date('2030-01-01T14:00:00Z')
    const ran = async (occurrence: string | number | Date, name = 'a', once = first.once) =>
      (await once(name, occurrence, () => 1)).ran
    expect(await ran(at)).toBe(true)
    expect(await ran(at.toISOString())).toBe(false)
    expect(await ran(5)).toBe(true)
    expect(await ran('5')).toBe(false)
    expect(await ran('b:c')).toBe(true)
    expect(await ran('c', 'a:b')).toBe(true)
    expect(await ran(5, 'b')).toBe(true)
    const other = await connect({ namespace: 'default:o' })
    expect(await ran(5, 'a', other.once)).toBe(true)
  })

  test('whose run throws lets the next one run, and is not run again', async () => {
    const { first, second } = await setup()
    await expect(first.once('report', 1, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    await expect(
      first.once('report', 2, () => {
        throw new Error('at once')
      }),
    ).rejects.toThrow('at once')
    for (const occurrence of [1, 2]) expect(await second.once('report', occurrence, () => 1)).toEqual(CLAIMED)
    expect(await second.once('report', 3, () => 1)).toMatchObject({ ran: true })
  })

  test('that begins while the one before goes on is passed over for good, or waits when told to', async () => {
    const { clock, first, second } = await setup()
    const running = gate<string>()
    const long = first.once('report', 1, () => running.promise)
    await clock.advance(100)
    expect(await second.once('report', 2, () => 1)).toEqual(OVERLAP)
    expect(await first.once('report', 2, () => 1)).toEqual(CLAIMED)
    const waited = second.once('report', 3, () => 'after', { wait: '1m' })
    await clock.advance(40_000)
    running.open('done')
    expect(await long).toEqual({ ran: true, value: 'done' })
    await clock.advance(1000)
    expect(await waited).toEqual({ ran: true, value: 'after' })
  })

  test('of a process that is gone is not run again, and the next one runs when its lock has ended', async () => {
    const { clock, first, second } = await setup()
    void first.once('report', 1, () => new Promise(() => {}), { ttl: 5000 })
    await clock.advance(100)
    first.store.fail('*')
    await clock.advance(4700)
    expect(await second.once('report', 2, () => 1)).toEqual(OVERLAP)
    await clock.advance(300)
    expect(await second.once('report', 1, () => 1)).toEqual(CLAIMED)
    expect(await second.once('report', 3, () => 1)).toMatchObject({ ran: true })
  })

  test('is told when its lock is lost', async () => {
    const { clock, first, second } = await setup()
    let signal: AbortSignal | undefined
    const running = gate<void>()
    const run = first.once('report', 1, seen => ((signal = seen.signal), running.promise), { ttl: 3000 })
    await clock.advance(10)
    first.store.fail('locks.renew')
    await clock.advance(2980)
    expect(signal?.aborted).toBe(false)
    await clock.advance(20)
    expect(signal?.aborted).toBe(true)
    expect(signal?.reason).toMatchObject({ code: 'PALIER_LOCKED' })
    expect(await second.once('report', 2, () => 1)).toMatchObject({ ran: true })
    running.open()
    expect(await run).toMatchObject({ ran: true })
  })
})

describe('while the backend is out', () => {
  test('nobody runs, unless something else was asked for', async () => {
    const { first } = await setup()
    first.store.fail('*')
    expect(await first.once('report', 1, () => 1)).toEqual(OUTAGE)
    const fences: unknown[] = []
    const run = ({ fence }: { fence: number | undefined }): void => void fences.push(fence)
    for (let i = 0; i < 2; i++) {
      expect(await first.once('report', 2, run, { onOutage: 'open' })).toMatchObject({ ran: true })
    }
    expect(await first.once('report', 3, run, { onOutage: 'local' })).toMatchObject({ ran: true })
    expect(await first.once('report', 3, run, { onOutage: 'local' })).toEqual(CLAIMED)
    expect(fences).toEqual([undefined, undefined, undefined])
  })

  test('that is silent, the answer comes within two deadlines', async () => {
    const { clock, first } = await setup()
    first.store.hang('*')
    const askedAt = clock.now()
    let tookAt = 0
    const asked = first.once('report', 1, () => 1).finally(() => (tookAt = clock.now()))
    await clock.advance(1000)
    expect(await asked).toEqual(OUTAGE)
    expect(tookAt - askedAt).toBeLessThanOrEqual(500)
  })

  test('a claim whose answer was lost is given back, and the occurrence is not lost with it', async () => {
    const { first, second } = await setup()
    first.store.lose('*', 1)
    expect(await first.once('report', 1, () => 1)).toEqual(OUTAGE)
    expect(await second.once('report', 1, () => 'here')).toEqual({ ran: true, value: 'here' })
  })

  test('from the moment between the claim and the lock on, it does not run', async () => {
    const { second, connect } = await setup()
    const { once } = await connect({}, store => {
      const acquire: FaultyStore['locks']['acquire'] = (name, owner, ttl) => {
        if (name.includes(':k:')) store.fail('*')
        return store.locks.acquire(name, owner, ttl)
      }
      return { ...store, locks: { ...store.locks, acquire } }
    })
    let ran = false
    expect(await once('report', 1, () => (ran = true))).toEqual(OVERLAP)
    expect(ran).toBe(false)
    expect(await second.once('report', 1, () => 1)).toEqual(CLAIMED)
  })
})

describe('once asked wrongly', () => {
  const run = (): number => 1
  const WRONG: readonly [string, string, unknown, unknown, unknown, unknown][] = [
    ['PALIER_BAD_KEY', 'job name', '', 1, run, {}],
    ['PALIER_BAD_KEY', 'job name', 5, 1, run, {}],
    ['PALIER_BAD_KEY', 'occurrence', 'a', '', run, {}],
    ['PALIER_BAD_KEY', 'occurrence', 'a', '\uD800', run, {}],
    ['PALIER_BAD_OPTION', 'occurrence', 'a', Number.NaN, run, {}],
    ['PALIER_BAD_OPTION', 'occurrence', 'a', new Date('never'), run, {}],
    ['PALIER_BAD_OPTION', 'occurrence', 'a', undefined, run, {}],
    ['PALIER_BAD_OPTION', 'run', 'a', 1, undefined, {}],
    ['PALIER_BAD_OPTION', 'once options', 'a', 1, run, null],
    ['PALIER_BAD_OPTION', 'once options.every', 'a', 1, run, { every: '1h' }],
    ['PALIER_BAD_OPTION', 'keep', 'a', 1, run, { keep: 5 }],
    ['PALIER_BAD_OPTION', 'onOutage', 'a', 1, run, { onOutage: 'maybe' }],
    ['PALIER_BAD_OPTION', 'ttl', 'a', 1, run, { ttl: 5 }],
    ['PALIER_BAD_OPTION', 'wait', 'a', 1, run, { wait: -1 }],
  ]
  test.each(WRONG)(
    'rejects with %s for the %s, and claims nothing',
    async (code, field, name, occurrence, job, options) => {
      const { first } = await setup()
      const calls = first.store.calls('*')
      const asked = first.once(name as string, occurrence as string, job as () => number, options as OnceOptions)
      await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining(field) })
      expect(first.store.calls('*')).toBe(calls)
    },
  )

  test('of a cache that is closed rejects with that', async () => {
    const { cache } = memoryCache()
    await cache.close()
    await expect(cache.once('report', 1, run)).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  })
})
