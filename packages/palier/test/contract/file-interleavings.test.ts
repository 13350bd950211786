import { type Stats, statSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeRecord, recordHead } from '../../src/record.ts'
import { fileRecord, freshDir, textOf, tree } from '../support/file-store.ts'
import { type Actor, createPlay, type Play } from '../support/file-steps.ts'

const LONG = 600_000
const KEY = 'k'
/** More calls than any operation makes. */
const TO_THE_END = 1_000

let dir: string
let removeAll: () => void
let play: Play

beforeEach(() => {
  const fresh = freshDir()
  dir = fresh.dir
  removeAll = fresh.remove
  play = createPlay(dir, KEY)
})
afterEach(() => removeAll())

const record = (text: string): Buffer => fileRecord(KEY, text)

async function stored({ entries, place }: Actor): Promise<string | undefined> {
  const found = await entries.read(place)
  const decoded = found && decodeRecord(found.bytes)
  return decoded && textOf(decoded.payload)
}

/** What one run of a load saw and did. */
interface Load {
  found?: string | undefined
  granted?: boolean
  committed?: boolean
}

/** Claims as who has seen the record `seen`, loads `text`, and commits it. */
function loading(into: Load, token: string, text: string, seen?: Buffer) {
  return async ({ entries, place }: Actor): Promise<void> => {
    const claimed = await entries.claim(place, {
      token,
      ttl: LONG,
      ...(seen === undefined ? {} : { seen: recordHead(seen) }),
    })
    const decoded = claimed.record && decodeRecord(claimed.record.bytes)
    into.found = decoded && textOf(decoded.payload)
    into.granted = claimed.granted
    into.committed = claimed.granted && (await entries.commit(place, token, record(text), LONG))
  }
}

const setting =
  (text: string) =>
  ({ entries, place }: Actor): Promise<void> =>
    entries.set(place, record(text), LONG)

/** What the sweeper of a store that may not evict does to a file it has found dead. */
const takingAway =
  (seen: Stats) =>
  ({ leases, place, statOf }: Actor): Promise<void> =>
    leases
      .takeAway(place.path, async () => {
        const now = await statOf(place.path)
        return now?.ino === seen.ino && now.mtimeMs === seen.mtimeMs
      })
      .then(() => undefined)

const deleting = ({ entries, place }: Actor): Promise<void> => entries.remove(place)

/** The next way after `turns`, in which the parts came to their ends as `ended` says; undefined after the last one. */
function nextWay(
  turns: readonly number[],
  limits: readonly number[],
  ended: readonly boolean[],
): readonly number[] | undefined {
  const place = turns.findLastIndex((turn, i) => turn < (limits[i] ?? 0) && ended[i] === false)
  return place < 0 ? undefined : turns.map((turn, i) => (i < place ? turn : i === place ? turn + 1 : 0))
}

type Round = (run: Play['run'], turns: readonly number[]) => Promise<void>

/** Plays `round` with every way to change between the actors within `limits`, and starts anew after each. */
async function everyWay(limits: readonly number[], round: Round): Promise<void> {
  let turns: readonly number[] | undefined = limits.map(() => 0)
  while (turns !== undefined) {
    let ended: readonly boolean[] = []
    const run: Play['run'] = async (parts, order) => {
      ended = await play.run(parts, order)
      return ended
    }
    try {
      await round(run, turns)
      await play.free.entries.remove(play.free.place)
    } catch (error) {
      throw new Error(`with the turns ${turns.join(', ')}`, { cause: error })
    }
    turns = nextWay(turns, limits, ended)
  }
  // Nothing is left behind by any of them.
  expect(tree(dir).filter(name => !name.endsWith('/'))).toEqual([])
}

describe('in every order of their system calls', () => {
  test('a lease held before a set commits nothing after it', async () => {
    await everyWay([16, 16, 6], async (run, turns) => {
      await play.free.entries.claim(play.free.place, { token: 't', ttl: LONG })
      await run(
        [
          setting('set'),
          ({ entries, place }) => entries.commit(place, 't', record('late'), LONG).then(() => undefined),
        ],
        turns,
      )
      expect(await stored(play.free)).toBe('set')
    })
  })

  test('a set and a whole load leave what was set, whoever came first', async () => {
    await everyWay([9, 22, 4, 4], async (run, turns) => {
      const load: Load = {}
      await run([setting('set'), loading(load, 't', 'loaded')], turns)
      expect(await stored(play.free)).toBe('set')
      expect(load.granted).toBe(load.found === undefined)
    })
  })

  test('a whole load and a set, the load first', async () => {
    await everyWay([18, 18, 6], async (run, turns) => {
      await run([loading({}, 't', 'loaded'), setting('set')], turns)
      expect(await stored(play.free)).toBe('set')
    })
  })

  test('a delete and a load over a seen record leave nothing that was granted before the delete', async () => {
    await everyWay([5, 22, 5, 4], async (run, turns) => {
      const old = record('old')
      await play.free.entries.set(play.free.place, old, LONG)
      const load: Load = {}
      await run([deleting, loading(load, 't', 'new', old)], turns)
      const left = await stored(play.free)
      if (load.found === 'old') expect(left).toBeUndefined()
      // Granted while the delete was under way: it may still take what was committed, as if it had come after.
      else expect([undefined, ...(load.committed === true ? ['new'] : [])]).toContain(left)
    })
  })

  test('a delete and a commit under a lease held before it leave nothing', async () => {
    await everyWay([16, 16, 6], async (run, turns) => {
      await play.free.entries.claim(play.free.place, { token: 't', ttl: LONG })
      await run(
        [deleting, ({ entries, place }) => entries.commit(place, 't', record('late'), LONG).then(() => undefined)],
        turns,
      )
      expect(await stored(play.free)).toBeUndefined()
    })
  })

  test('two loads: one is granted, and its value stands', async () => {
    await everyWay([18, 18, 6], async (run, turns) => {
      const [a, b]: [Load, Load] = [{}, {}]
      await run([loading(a, 'a', 'from a'), loading(b, 'b', 'from b')], turns)
      const committed = [a, b].filter(load => load.committed === true)
      expect(committed).toHaveLength(1)
      expect(await stored(play.free)).toBe(a.committed === true ? 'from a' : 'from b')
    })
  })

  test('two commits under one token: one is taken, and its value stands whole', async () => {
    await everyWay([14, 14, 6], async (run, turns) => {
      await play.free.entries.claim(play.free.place, { token: 't', ttl: LONG })
      const taken: string[] = []
      const committing =
        (text: string) =>
        async ({ entries, place }: Actor): Promise<void> => {
          if (await entries.commit(place, 't', record(text), LONG)) taken.push(text)
        }
      await run([committing('one'), committing('another')], turns)
      expect(taken).toHaveLength(1)
      expect(await stored(play.free)).toBe(taken[0])
    })
  })

  test('a thief, a holder and a delete: what the holder loaded is stored only before the theft', async () => {
    await everyWay([17, 17, 6], async (run, turns) => {
      await play.free.entries.claim(play.free.place, { token: 'holder', ttl: LONG })
      let stolen = false
      await run(
        [
          async ({ entries, place }) => {
            stolen = (await entries.claim(place, { token: 'thief', ttl: LONG, steal: true })).granted
          },
          async ({ entries, place }) => {
            await entries.commit(place, 'holder', record('late'), LONG)
          },
          deleting,
        ],
        turns,
      )
      expect(await stored(play.free)).toBeUndefined()
      const { entries, place } = play.free
      const thiefCommits = await entries.commit(place, 'thief', record('thief'), LONG)
      expect(await entries.commit(place, 'holder', record('later'), LONG)).toBe(false)
      expect(await stored(play.free)).toBe(thiefCommits ? 'thief' : undefined)
      expect(stolen).toBe(true)
    })
  })

  test('a delete that ends while a thief is still at work leaves nothing to the holder who was robbed', async () => {
    await everyWay([12, 14], async (run, turns) => {
      await play.free.entries.claim(play.free.place, { token: 'holder', ttl: LONG })
      await run(
        [
          ({ entries, place }) => entries.commit(place, 'holder', record('late'), LONG).then(() => undefined),
          ({ entries, place }) =>
            entries.claim(place, { token: 'thief', ttl: LONG, steal: true }).then(() => undefined),
          deleting,
        ],
        [...turns, TO_THE_END],
      )
      expect(await stored(play.free)).toBeUndefined()
    })
  })

  test('what a sweep takes away is what it saw, never what was set meanwhile', async () => {
    await everyWay([9, 10, 6], async (run, turns) => {
      const { entries, place } = play.free
      await entries.set(place, record('dead'), LONG)
      const seen = statSync(place.path)
      await run([takingAway(seen), setting('set')], turns)
      expect(await stored(play.free)).toBe('set')
    })
    await everyWay([10, 9, 6], async (run, turns) => {
      const { entries, place } = play.free
      await entries.set(place, record('dead'), LONG)
      const seen = statSync(place.path)
      await run([setting('set'), takingAway(seen)], turns)
      expect(await stored(play.free)).toBe('set')
    })
  })

  test('nor what was committed', async () => {
    await everyWay([16, 14, 4], async (run, turns) => {
      const { entries, place } = play.free
      const dead = record('dead')
      await entries.set(place, dead, LONG)
      const seen = statSync(place.path)
      const load: Load = {}
      await run([loading(load, 't', 'new', dead), takingAway(seen)], turns)
      const left = await stored(play.free)
      if (load.committed === true) expect(left).toBe('new')
      else expect([undefined, 'dead']).toContain(left)
    })
  })

  test('a set that ends while a thief is still at work leaves nothing to the holder who was robbed', async () => {
    await everyWay([12, 14], async (run, turns) => {
      await play.free.entries.claim(play.free.place, { token: 'holder', ttl: LONG })
      await run(
        [
          ({ entries, place }) => entries.commit(place, 'holder', record('late'), LONG).then(() => undefined),
          ({ entries, place }) =>
            entries.claim(place, { token: 'thief', ttl: LONG, steal: true }).then(() => undefined),
          setting('set'),
        ],
        [...turns, TO_THE_END],
      )
      expect(await stored(play.free)).toBe('set')
    })
  })
})
