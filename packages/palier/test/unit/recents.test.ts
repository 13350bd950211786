import { describe, expect, test } from 'vitest'
import { documentKey, entryId, entryKey, NAMESPACE, tagStamp, typeStamp } from '../../src/key.ts'
import { createRecents, type Recents } from '../../src/recents.ts'
import { documentTarget, FLUSH_TARGET, keyTarget, stampTarget } from '../../src/targets.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'

const WINDOW = 60_000
const MOST = 50_000

function ring(...without: string[]): { recents: Recents; clock: ManualClock } {
  const clock = manualClock()
  return { clock, recents: createRecents({ clock, namespace: 'n', without: new Set(without) }) }
}

const keyOf = (type: string, key: string): string => keyTarget(entryKey('n', type, entryId(key)))

describe('what was acknowledged lately', () => {
  test('is remembered for as long as a server that takes over may have lost it', async () => {
    const { recents, clock } = ring()
    recents.add(['a'])
    await clock.advance(WINDOW / 2)
    recents.add(['b'])
    expect(recents.within()).toEqual(['a', 'b'])
    await clock.advance(WINDOW / 2)
    expect(recents.within()).toEqual(['a', 'b'])
    await clock.advance(1)
    expect(recents.within()).toEqual(['b'])
    await clock.advance(WINDOW)
    expect(recents.within()).toEqual([])
  })

  test('acknowledged again it is as young as the last time', async () => {
    const { recents, clock } = ring()
    recents.add(['a', 'b'])
    await clock.advance(WINDOW - 1)
    recents.add(['a'])
    expect(recents.within()).toEqual(['b', 'a'])
    await clock.advance(WINDOW - 1)
    expect(recents.within()).toEqual(['a'])
    recents.add(['c'])
    await clock.advance(2)
    expect(recents.within()).toEqual(['c'])
  })

  test('during an outage the window ends when the connection was last good, however long the outage is', async () => {
    const { recents, clock } = ring()
    recents.add(['too old'])
    await clock.advance(WINDOW / 2)
    recents.add(['a'])
    await clock.advance(WINDOW / 2)
    const lastGood = clock.now()
    await clock.advance(1000)
    recents.freeze(lastGood + 1)
    await clock.advance(100 * WINDOW)
    expect(recents.within()).toEqual(['a'])
    recents.add(['b'])
    expect(recents.within()).toEqual(['a', 'b'])
  })

  test('a later loss in the same outage does not move its beginning', async () => {
    const { recents, clock } = ring()
    recents.add(['a'])
    recents.freeze(clock.now())
    await clock.advance(2 * WINDOW)
    recents.freeze(clock.now())
    expect(recents.within()).toEqual(['a'])
  })

  test('after the outage time counts again, for what is from before it too', async () => {
    const { recents, clock } = ring()
    recents.add(['a'])
    await clock.advance(1000)
    recents.freeze(clock.now())
    await clock.advance(2 * WINDOW)
    recents.add(['told again'])
    recents.thaw()
    expect(recents.within()).toEqual(['told again'])
    await clock.advance(1000)
    recents.add(['b'])
    recents.freeze(clock.now())
    await clock.advance(2 * WINDOW)
    expect(recents.within()).toEqual(['told again', 'b'])
  })

  test('is forgotten when nobody can need it any more', async () => {
    const { recents, clock } = ring()
    for (let round = 0; round < 10; round++) {
      recents.add(Array.from({ length: 20_000 }, (_, i) => keyOf('user', `${round}.${i}`)))
      await clock.advance(WINDOW)
    }
    await clock.advance(1)
    recents.add(['last'])
    // Had the older ones been kept, this many keys would have become their type by now.
    expect(recents.within()).toEqual(['last'])
  })
})

describe('more than is remembered one by one', () => {
  test('the older half become their types and groups the namespace; the younger half stay as they are', async () => {
    const { recents, clock } = ring()
    recents.add([stampTarget(tagStamp('t')), FLUSH_TARGET])
    recents.add(Array.from({ length: MOST / 2 - 2 }, (_, i) => keyOf(i % 2 === 0 ? 'user' : 'page', `${i}`)))
    await clock.advance(1000)
    const younger = Array.from({ length: MOST / 2 }, (_, i) => keyOf('search', `${i}`))
    recents.add(younger)
    expect(recents.within()).toHaveLength(MOST)
    recents.add([keyOf('search', 'one more')])
    const left = recents.within()
    expect(left.slice(0, 3).sort()).toEqual(
      [stampTarget(NAMESPACE), stampTarget(typeStamp('user')), stampTarget(typeStamp('page'))].sort(),
    )
    expect(left.slice(3)).toEqual([...younger, keyOf('search', 'one more')])
  })

  test('what stands for others is remembered for as long as the youngest of them', async () => {
    const { recents, clock } = ring()
    recents.add([keyOf('user', 'old')])
    await clock.advance(WINDOW - 1000)
    recents.add(Array.from({ length: MOST }, (_, i) => keyOf('user', `${i}`)))
    await clock.advance(WINDOW)
    expect(recents.within()).toContain(stampTarget(typeStamp('user')))
    await clock.advance(1)
    expect(recents.within()).toEqual([])
  })

  test('a type that was deleted itself since is not made older', async () => {
    const { recents, clock } = ring()
    const wide = stampTarget(typeStamp('user'))
    recents.add(Array.from({ length: MOST }, (_, i) => keyOf('user', `${i}`)))
    await clock.advance(1000)
    recents.add([wide])
    await clock.advance(WINDOW)
    expect(recents.within()).toEqual([wide])
  })

  test('stays bounded, whatever is added', () => {
    const { recents } = ring()
    for (let i = 0; i < 3; i++) recents.add(Array.from({ length: MOST }, (_, n) => keyOf('user', `${i}.${n}`)))
    expect(recents.within().length).toBeLessThanOrEqual(MOST + 1)
    expect(recents.within()).toContain(stampTarget(typeStamp('user')))
  })
})

test('with the window counted back from now, a long outage forgets everything: what `window` stands for', async () => {
  const { recents, clock } = ring('window')
  recents.add(['a'])
  recents.freeze(clock.now())
  await clock.advance(WINDOW + 1)
  expect(recents.within()).toEqual([])
})

test('so many deleted documents become no clear, and none is forgotten', async () => {
  const { recents, clock } = ring()
  const all = Array.from({ length: MOST + 1 }, (_, i) => documentTarget(documentKey('n', 'sessions', String(i))))
  recents.add(all)
  recents.add([stampTarget(tagStamp('a'))])
  expect(new Set(recents.within())).toEqual(new Set([...all, stampTarget(tagStamp('a'))]))
  await clock.advance(WINDOW + 11_000)
  recents.add([])
  expect(recents.within()).toEqual([])
})
