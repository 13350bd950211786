import { describe, expect, test } from 'vitest'
import type { SharedStore } from '../../src/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { faulty, manualClock } from '../../src/testing.ts'

const bytes = new Uint8Array([1, 2, 3])

/** What has become of a promise by now, without waiting for it. */
function fateOf(promise: Promise<unknown>): { readonly now: string } {
  const fate = { now: 'waiting' }
  promise.then(
    () => void (fate.now = 'resolved'),
    () => void (fate.now = 'rejected'),
  )
  return fate
}

describe('the manual clock', () => {
  test('stands still until moved, and moves both clocks', async () => {
    const clock = manualClock(5_000)
    const start = clock.now()
    expect(clock.wall()).toBe(5_000)
    await clock.advance(250)
    expect(clock.now() - start).toBe(250)
    expect(clock.wall()).toBe(5_250)
    clock.jumpWall(-3_600_000)
    expect(clock.now() - start).toBe(250)
    expect(clock.wall()).toBe(5_250 - 3_600_000)
  })

  test('runs timers at their own time, in order, equal times as they were set', async () => {
    const clock = manualClock()
    const start = clock.now()
    const ran: [string, number][] = []
    const note = (name: string) => () => void ran.push([name, clock.now() - start])
    clock.after(30, note('c'))
    clock.after(10, note('a'))
    clock.after(30, note('d'))
    clock.after(20, note('b'))
    clock.after(31, note('late'))
    await clock.advance(30)
    expect(ran).toEqual([
      ['a', 10],
      ['b', 20],
      ['c', 30],
      ['d', 30],
    ])
    expect(clock.pending()).toBe(1)
  })

  test('runs timers set by timers, and by the promises these start, within one advance', async () => {
    const clock = manualClock()
    const start = clock.now()
    const ran: number[] = []
    const again = (): void => {
      ran.push(clock.now() - start)
      if (ran.length < 5)
        void Promise.resolve()
          .then(() => Promise.resolve())
          .then(() => void clock.after(10, again))
    }
    clock.after(10, again)
    await clock.advance(100)
    expect(ran).toEqual([10, 20, 30, 40, 50])
  })

  test('a cancelled timer does not run; cancelling twice or late does nothing', async () => {
    const clock = manualClock()
    let ran = 0
    const cancel = clock.after(10, () => void ran++)
    const cancelOther = clock.after(10, () => void ran++)
    cancel()
    cancel()
    await clock.advance(10)
    cancelOther()
    expect(ran).toBe(1)
    expect(clock.pending()).toBe(0)
  })

  test('a timer of no or negative delay waits for the next advance, even one of 0', async () => {
    const clock = manualClock()
    let ran = 0
    for (const ms of [0, -5, Number.NaN]) clock.after(ms, () => void ran++)
    expect(ran).toBe(0)
    await clock.advance(0)
    expect(ran).toBe(3)
    await expect(clock.advance(-1)).rejects.toThrow(RangeError)
  })

  test('advances asked for at once follow each other', async () => {
    const clock = manualClock()
    const start = clock.now()
    const seen: number[] = []
    clock.after(15, () => void seen.push(clock.now() - start))
    await Promise.all([clock.advance(10), clock.advance(10)])
    expect(seen).toEqual([15])
    expect(clock.now() - start).toBe(20)
  })

  test('what a timer throws rejects that advance, and the clock goes on', async () => {
    const clock = manualClock()
    clock.after(10, () => {
      throw new Error('from a timer')
    })
    await expect(clock.advance(20)).rejects.toThrow('from a timer')
    await clock.advance(20)
    expect(clock.pending()).toBe(0)
  })
})

describe('a faulty store', () => {
  const wrapped = () => {
    const clock = manualClock()
    const inner = memoryStore({ clock })
    return { clock, inner, store: faulty(inner) }
  }

  test('is the store it wraps as long as nothing is asked of it, and counts the calls', async () => {
    const { store } = wrapped()
    await store.set('k', bytes, 1_000)
    expect((await store.get('k'))?.bytes).toEqual(bytes)
    expect(await store.getMany(['k', 'none'])).toHaveLength(2)
    expect(store.calls('set')).toBe(1)
    expect(store.calls('delete')).toBe(0)
    expect(store.calls('*')).toBe(3)
    expect(store.name).toBe('memory')
    await store.close()
  })

  test('fails as often as it was told, without carrying out the call', async () => {
    const { store, inner } = wrapped()
    store.fail('set', 2)
    for (let i = 0; i < 2; i++)
      await expect(store.set('k', bytes, 1_000)).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    expect(await inner.get('k')).toBeUndefined()
    await store.set('k', bytes, 1_000)
    expect(await inner.get('k')).toBeDefined()
  })

  test('fails with the error it was given, on every method, until healed', async () => {
    const { store } = wrapped()
    store.fail('*', Infinity, new Error('READONLY You cannot write'))
    const scan = async (from: SharedStore): Promise<void> => {
      for await (const _ of from.scan('')) continue
    }
    const claim = { token: 't', ttl: 1 }
    const calls = [
      () => store.get('k'),
      () => store.getMany([]),
      () => store.claim('k', claim),
      () => store.commit('k', 't', bytes, 1),
      () => store.renew('k', 't', 1),
      () => store.release('k', 't'),
      () => store.set('k', bytes, 1),
      () => store.delete(['k']),
      () => scan(store),
      () => store.usage(''),
      () => store.sweep?.(),
      () => store.openBus('c').publish('m'),
    ] as const
    for (const call of calls) await expect(call()).rejects.toThrow('READONLY')
    store.heal()
    for (const call of calls) await call()
    expect(store.calls('*')).toBe(2 * calls.length)
  })

  test('loses an answer: the call was carried out and rejects all the same', async () => {
    const { store, inner } = wrapped()
    store.lose('set', 1)
    await expect(store.set('k', bytes, 1_000)).rejects.toThrow('lost')
    expect(await inner.get('k')).toBeDefined()
  })

  test('hangs until healed, and then rejects without having done anything', async () => {
    const { clock, store, inner } = wrapped()
    store.hang('delete')
    await store.set('k', bytes, 1_000_000)
    const hanging = store.delete(['k'])
    const fate = fateOf(hanging)
    await clock.advance(100_000)
    expect(fate.now).toBe('waiting')
    expect(store.hanging()).toBe(1)
    store.heal()
    await expect(hanging).rejects.toThrow('hung')
    expect(store.hanging()).toBe(0)
    expect(await inner.get('k')).toBeDefined()
  })

  test('delays: the call is carried out later, although nobody may be waiting any more', async () => {
    const { clock, store, inner } = wrapped()
    store.delay('set', 300, clock)
    const late = store.set('k', bytes, 1_000)
    const fate = fateOf(late)
    await clock.advance(299)
    expect(fate.now).toBe('waiting')
    expect(await inner.get('k')).toBeUndefined()
    await clock.advance(1)
    expect(fate.now).toBe('resolved')
    expect(await inner.get('k')).toBeDefined()
  })

  test('a fault on one method stands before one on all of them', async () => {
    const { store } = wrapped()
    store.fail('*')
    store.fail('get', 1, new Error('this one'))
    await expect(store.get('k')).rejects.toThrow('this one')
    await expect(store.get('k')).rejects.toThrow('as the test asked')
  })

  test('begins with the faults of its script', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }), [
      { fault: 'fail', on: 'get', times: 1 },
      { fault: 'hang', on: 'set' },
      { fault: 'delay', on: 'delete', ms: 10, clock },
    ])
    await expect(store.get('k')).rejects.toThrow('as the test asked')
    const hanging = fateOf(store.set('k', bytes, 1))
    const slow = fateOf(store.delete(['k']))
    await clock.advance(10)
    expect([hanging.now, slow.now]).toEqual(['waiting', 'resolved'])
    store.heal()
  })
})
