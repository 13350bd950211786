import { describe, expect, test } from 'vitest'
import { NAMESPACE, tagStamp, typeStamp } from '../../src/key.ts'
import { FLUSH_TARGET, patternTarget, stampTarget, WIDEST } from '../../src/targets.ts'
import { gate } from '../support/caches.ts'
import { A, B, down, fullOf, keyOf, refuse, room, TAG, wait } from '../support/outbox-room.ts'

describe('the outbox', () => {
  test('keeps one entry per target, delivered once', async () => {
    const at = room()
    await wait(at, A)
    await wait(at, A)
    expect(at.outbox.size).toBe(1)
    await at.clock.advance(500)
    expect(at.told).toEqual([[A]])
    expect(at.outbox.size).toBe(0)
    expect(at.remembered).toEqual([A])
    expect(at.clock.pending()).toBe(0)
  })

  test('what was put is not believed from then on, and counts as waiting only once it failed', async () => {
    const at = room()
    const tickets = at.outbox.put([A, TAG])
    expect(at.begun).toEqual([A, TAG])
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    expect(at.outbox.hasKey(fullOf('user', 'b'), 'user')).toBe(false)
    expect(at.outbox.hasStamp(tagStamp('t'))).toBe(true)
    expect(at.outbox.size).toBe(0)
    at.outbox.delivered(tickets)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
    expect(at.outbox.hasStamp(tagStamp('t'))).toBe(false)
    expect(at.remembered).toEqual([A, TAG])
    expect(at.done).toEqual([A, TAG])
    expect(at.recorded).toEqual([])
    expect(at.sizes).toEqual([])
  })

  test('the acknowledgement of an older put leaves the newer one', async () => {
    const at = room()
    const older = at.outbox.put([A])
    const newer = at.outbox.put([A])
    at.outbox.delivered(older)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.outbox.failed(newer)
    expect(at.outbox.size).toBe(1)
  })

  test('the failure of an older put is of no account once a newer one was acknowledged', async () => {
    const at = room()
    const older = at.outbox.put([A])
    at.outbox.delivered(at.outbox.put([A]))
    await at.outbox.failed(older)
    expect(at.outbox.size).toBe(0)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
  })

  test('a target put again while its delivery is under way stays', async () => {
    const answer = gate<void>()
    const at = room({ deliver: () => answer.promise })
    await wait(at, A)
    await at.clock.advance(500)
    const again = at.outbox.put([A])
    answer.open()
    await at.clock.advance(0)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.outbox.failed(again)
    await at.clock.advance(1000)
    expect(at.told).toEqual([[A], [A]])
    expect(at.outbox.size).toBe(0)
  })

  test('a target taken while its delivery is under way is delivered once more: the answer may be of the server before', async () => {
    const answer = gate<void>()
    const at = room({ deliver: () => answer.promise })
    await wait(at, A)
    await at.clock.advance(500)
    at.outbox.take([A])
    answer.open()
    await at.clock.advance(0)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.clock.advance(1000)
    expect(at.told).toEqual([[A], [A]])
  })

  test('delivers keys first, 500 at once, then stamps, then patterns and the flush', async () => {
    const at = room({ max: 10_000 })
    const keys = Array.from({ length: 501 }, (_, i) => keyOf('user', `${i}`))
    const stamps = Array.from({ length: 101 }, (_, i) => stampTarget(tagStamp(`${i}`)))
    const patterns = [patternTarget({ glob: 'a*', type: undefined }), patternTarget({ glob: 'b*', type: 'user' })]
    await wait(at, FLUSH_TARGET, ...patterns, ...stamps, ...keys)
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told.map(one => one.length)).toEqual([500, 1, 100, 1, 1, 1, 1])
    expect(at.told.flat()).toEqual([...keys, ...stamps, ...patterns, FLUSH_TARGET])
    expect(at.outbox.size).toBe(0)
  })

  test('a target of a kind this version does not know is delivered too, and holds nobody up', async () => {
    const at = room()
    at.outbox.take(['x:of the future'])
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([['x:of the future']])
    expect(at.outbox.size).toBe(0)
  })

  test('what the store refuses does not hold up the other kinds', async () => {
    const at = room({ deliver: targets => (targets[0]?.startsWith('k:') ? refuse() : Promise.resolve()) })
    await wait(at, A, TAG, patternTarget({ glob: 'a*', type: undefined }), FLUSH_TARGET)
    expect(await at.outbox.drain()).toBe(false)
    expect(at.told.map(one => one[0]?.slice(0, 2))).toEqual(['k:', 's:', 'p:', 'fl'])
    expect(at.outbox.size).toBe(1)
    await at.clock.advance(1000)
    expect(at.told.filter(one => one[0] === A).length).toBeGreaterThanOrEqual(2)
    at.outbox.close()
  })

  test('a store that fails ends the run, and what waits is tried again while it can be reached', async () => {
    let failing = true
    const at = room({ deliver: () => (failing ? down() : Promise.resolve()) })
    await wait(at, A, TAG)
    await expect(at.outbox.drain()).rejects.toThrow('down')
    expect(at.told).toEqual([[A]])
    expect(at.outbox.size).toBe(2)
    failing = false
    await at.clock.advance(500)
    expect(at.outbox.size).toBe(0)
    expect(at.clock.pending()).toBe(0)
  })

  test('a store that cannot be reached is not tried, and needs no timer', async () => {
    let reachable = false
    const at = room({ reachable: () => reachable })
    await wait(at, A)
    await at.clock.advance(5000)
    expect(at.told).toEqual([])
    expect(at.clock.pending()).toBe(0)
    reachable = true
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([[A]])
  })

  test('those who drain at once share one run', async () => {
    const answer = gate<void>()
    const at = room({ deliver: () => answer.promise })
    await wait(at, A)
    const runs = [at.outbox.drain(), at.outbox.drain()]
    answer.open()
    expect(await Promise.all(runs)).toEqual([true, true])
    expect(at.told).toEqual([[A]])
  })

  test('dropped for a write in its place, unless it was put again since', async () => {
    const at = room()
    await wait(at, A)
    const before = at.outbox.find(A)
    at.outbox.drop(before)
    expect(at.outbox.size).toBe(0)
    expect(at.outbox.find(A)).toBeUndefined()
    await wait(at, A)
    const older = at.outbox.find(A)
    at.outbox.put([A])
    at.outbox.drop(older)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    at.outbox.drop(undefined)
    at.outbox.close()
  })

  test('cleared, it knows nothing any more', async () => {
    const at = room()
    await wait(at, A, TAG)
    at.outbox.put([B])
    at.outbox.clear()
    expect(at.outbox.size).toBe(0)
    expect(at.outbox.oldestAt).toBeUndefined()
    for (const key of ['a', 'b']) expect(at.outbox.hasKey(fullOf('user', key), 'user')).toBe(false)
    expect(at.outbox.hasStamp(tagStamp('t'))).toBe(false)
    expect(at.done).toEqual(expect.arrayContaining([A, B, TAG]))
    expect(at.sizes).toEqual([2, 0])
    await at.clock.advance(5000)
    expect(at.told).toEqual([])
  })

  test('says when something waits, and when nothing does any more', async () => {
    const at = room()
    await wait(at, A)
    await wait(at, B)
    expect(at.sizes).toEqual([1])
    await at.outbox.drain()
    expect(at.sizes).toEqual([1, 0])
  })

  test('what was taken waits, is delivered and is not recorded', async () => {
    const at = room()
    at.outbox.take([A, TAG])
    expect(at.begun).toEqual([A, TAG])
    expect(at.outbox.size).toBe(2)
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([[A], [TAG]])
    expect(at.remembered).toEqual([A, TAG])
    expect(at.recorded).toEqual([])
  })

  test('each target is recorded once for as long as it waits, before its failure is answered', async () => {
    const disk = gate<void>()
    const recorded: (readonly string[])[] = []
    const at = room({ record: targets => (recorded.push(targets), disk.promise) })
    let answered = false
    const failing = wait(at, A, TAG).then(() => (answered = true))
    await at.clock.advance(0)
    expect({ recorded, answered }).toEqual({ recorded: [[A, TAG]], answered: false })
    disk.open()
    await failing
    await wait(at, A)
    expect(recorded).toEqual([[A, TAG]])
    await at.outbox.drain()
    await wait(at, A)
    expect(recorded).toEqual([[A, TAG], [A]])
    at.outbox.close()
  })

  test('what a wider one stands for is on paper, also when that one was taken and is not', async () => {
    const at = room()
    const user = stampTarget(typeStamp('user'))
    at.outbox.take([user])
    await wait(at, A)
    expect(at.recorded.flat().some(line => line === A || line === user)).toBe(true)
    at.outbox.close()
  })

  test('closed, it tries no more and leaves no timer', async () => {
    const at = room({ deliver: down })
    await wait(at, A)
    await at.clock.advance(1100)
    expect(at.told).toHaveLength(2)
    at.outbox.close()
    await wait(at, B)
    await at.clock.advance(5000)
    expect(at.told).toHaveLength(2)
    expect(at.clock.pending()).toBe(0)
  })
})

describe('more than an outbox holds one by one', () => {
  const USER = stampTarget(typeStamp('user'))
  const PAGE = stampTarget(typeStamp('page'))

  test('the keys become their types; whoever reads one of the type passes the store over', async () => {
    const at = room({ max: 3 })
    await wait(at, A, B, keyOf('page', 'a'))
    expect(at.outbox.size).toBe(3)
    await wait(at, keyOf('user', 'c'))
    expect(at.outbox.size).toBe(2)
    for (const key of ['a', 'c', 'never deleted']) {
      expect(at.outbox.hasKey(fullOf('user', key), 'user')).toBe(true)
    }
    expect(at.outbox.hasKey(fullOf('search', 'a'), 'search')).toBe(false)
    expect(at.outbox.hasStamp(typeStamp('user'))).toBe(true)
    // A type that stands for keys kills like one that was deleted.
    expect(at.begun).toEqual(expect.arrayContaining([USER, PAGE]))
    expect(await at.outbox.drain()).toBe(true)
    expect(at.told).toEqual([[USER, PAGE]])
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
  })

  test('too many groups become the namespace', async () => {
    const at = room({ max: 3 })
    await wait(at, ...['1', '2', '3', '4'].map(tag => stampTarget(tagStamp(tag))))
    expect(at.outbox.size).toBe(1)
    expect(at.outbox.hasStamp(NAMESPACE)).toBe(true)
    expect(at.outbox.hasKey(fullOf('any', 'key'), 'any')).toBe(true)
    await wait(at, A, TAG, patternTarget({ glob: '*', type: undefined }))
    expect(at.outbox.size).toBe(1)
    await at.outbox.drain()
    expect(at.told).toEqual([[WIDEST]])
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(false)
  })

  test('groups beside keys that became types are recorded too', async () => {
    const at = room({ max: 3 })
    await wait(at, A, B)
    await wait(at, keyOf('user', 'c'), TAG)
    expect(at.outbox.size).toBe(2)
    const lines = at.recorded.flat()
    expect(lines).toContain(USER)
    expect(lines).toContain(TAG)
    at.outbox.close()
  })

  test('the oldest is as old as the oldest that it stands for', async () => {
    const at = room({ max: 2, reachable: () => false })
    const since = at.clock.wall()
    await wait(at, A)
    await at.clock.advance(1000)
    await wait(at, TAG)
    await at.clock.advance(1000)
    await wait(at, B)
    expect(at.outbox.size).toBe(2)
    expect(at.outbox.oldestAt).toBe(since)
  })

  test('what a wider one stands for that is on its way already is not done with that delivery', async () => {
    const answer = gate<void>()
    let slow = true
    const at = room({ deliver: () => (slow ? answer.promise : Promise.resolve()) })
    await wait(at, USER)
    const run = at.outbox.drain()
    // Deleted after the new stamp went out: what was stored in between carries that stamp.
    await wait(at, A)
    slow = false
    answer.open()
    await run
    expect(at.outbox.hasKey(fullOf('user', 'a'), 'user')).toBe(true)
    await at.clock.advance(1000)
    expect(at.outbox.size).toBe(0)
    expect(at.told.length).toBe(2)
  })

  test('keys that became a type while their delivery was under way: the type goes out all the same', async () => {
    const answer = gate<void>()
    let slow = true
    const at = room({ max: 2, deliver: () => (slow ? answer.promise : Promise.resolve()) })
    await wait(at, A, B)
    const run = at.outbox.drain()
    await wait(at, keyOf('user', 'c'))
    slow = false
    answer.open()
    await run
    expect(at.told).toContainEqual([USER])
    expect(at.outbox.size).toBe(0)
  })
})
