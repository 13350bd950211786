import assert from 'node:assert/strict'
import type { Limits, Penalty } from '../guard.ts'
import { LONG, type StoreSentence, seededRandom } from './case.ts'
import { tallyModel } from './guard-model.ts'

/** The rules of `Limits.count`. */
export function countSentences(seed: number): StoreSentence[] {
  return [...summing(), ...ending(), ...punishing(), modelled(seed)]
}

/** Long for a machine, short for a test that really waits. */
const SHORT = 300

const countOf = async (limits: Limits, cost: number): Promise<number> => (await limits.count('key', LONG, cost)).count

function summing(): StoreSentence[] {
  return [
    [
      'counts are exact, however many count at once, and each of them is told once',
      async ({ store, second }) => {
        const both = [store.limits, (await second()).limits]
        const asked = both.flatMap(limits => Array.from({ length: 60 }, () => countOf(limits, 1)))
        const told = (await Promise.all(asked)).sort((a, b) => a - b)
        assert.deepEqual(
          told,
          Array.from({ length: 120 }, (_, i) => i + 1),
        )
        for (const limits of both) assert.equal(await countOf(limits, 0), 120)
      },
    ],
    [
      'a count of no cost only looks, and one below 0 takes back, but never what was not counted',
      async ({ store, second }) => {
        const other = await second()
        for (const cost of [0, -1, -5]) {
          assert.deepEqual(await store.limits.count('key', LONG, cost), { count: 0, resetAfter: 0 })
        }
        assert.equal(await countOf(store.limits, 3), 3)
        assert.equal(await countOf(other.limits, 0), 3)
        assert.equal(await countOf(other.limits, -2), 1)
        assert.equal(await countOf(store.limits, -7), 0)
        const { count, resetAfter } = await other.limits.count('key', LONG, 0)
        assert.equal(count, 0)
        assert.ok(resetAfter > 0, 'the window goes on')
        assert.equal(await countOf(store.limits, 2), 2)
      },
    ],
    [
      'a count that was reset is as if nothing had been counted, and a reset forgets what was taken too',
      async ({ store, second }) => {
        const other = await second()
        const rate = { limit: 1, window: LONG }
        await store.limits.count('key', LONG, 5)
        await store.limits.take('key', rate, 1)
        await other.limits.reset('key')
        assert.deepEqual(await store.limits.count('key', LONG, 0), { count: 0, resetAfter: 0 })
        assert.equal((await store.limits.take('key', rate, 1)).allowed, true)
        assert.equal(await countOf(other.limits, 1), 1)
      },
    ],
    [
      'a sum stays at the greatest number that is exact',
      async ({ store }) => {
        const most = Number.MAX_SAFE_INTEGER
        assert.equal(await countOf(store.limits, most - 1), most - 1)
        assert.equal(await countOf(store.limits, 1), most)
        assert.equal(await countOf(store.limits, most), most)
        assert.equal(await countOf(store.limits, 1 - most), 1)
      },
    ],
  ]
}

function ending(): StoreSentence[] {
  return [
    [
      'a window begins with the first count, ends once for all, and the next begins with the next count',
      async ({ store, second, passTime }) => {
        const other = await second()
        const first = await store.limits.count('key', SHORT, 1)
        assert.equal(first.count, 1)
        assert.ok(first.resetAfter > 0 && first.resetAfter <= SHORT, `ends after ${first.resetAfter} ms`)
        await passTime(SHORT + 1)
        assert.deepEqual(await other.limits.count('key', SHORT, 0), { count: 0, resetAfter: 0 })
        assert.deepEqual(await other.limits.count('key', SHORT, -1), { count: 0, resetAfter: 0 })
        assert.equal((await store.limits.count('key', LONG, 1)).count, 1)
        assert.equal((await other.limits.count('key', LONG, 1)).count, 2)
      },
    ],
    [
      'a window keeps the length it began with',
      async ({ store, second, passTime }) => {
        const other = await second()
        await store.limits.count('key', SHORT, 1)
        const { count, resetAfter } = await other.limits.count('key', LONG, 1)
        assert.equal(count, 2)
        assert.ok(resetAfter <= SHORT, `ends after ${resetAfter} ms`)
        await passTime(SHORT + 1)
        assert.equal((await other.limits.count('key', LONG, 0)).count, 0)
      },
    ],
  ]
}

function punishing(): StoreSentence[] {
  const lasts = async (limits: Limits, cost: number, penalty: Penalty): Promise<number> =>
    (await limits.count('key', SHORT, cost, penalty)).resetAfter
  return [
    [
      'a count above the number of a penalty lets the window begin anew, each time longer when it grows',
      async ({ store, second }) => {
        const other = await second()
        const again = { above: 2, growth: 1 } as const
        assert.ok((await lasts(store.limits, 2, again)) <= SHORT)
        assert.equal(await lasts(other.limits, 1, again), SHORT)
        assert.equal(await lasts(store.limits, 1, again), SHORT)
        const growing = { above: 2, growth: 2 } as const
        assert.equal(await lasts(store.limits, 1, growing), 4 * SHORT)
        assert.equal(await lasts(other.limits, 1, growing), 8 * SHORT)
        assert.ok((await lasts(other.limits, 0, growing)) <= 8 * SHORT)
        assert.ok((await lasts(other.limits, -1, growing)) > 4 * SHORT)
        assert.equal(await lasts(store.limits, 2_000, growing), 315_360_000_000)
      },
    ],
  ]
}

/** Random counts, and what a model of a few lines tells; only where time moves by our hand alone. */
function modelled(seed: number): StoreSentence {
  return [
    `counts are those of a model that keeps every one (seed ${seed})`,
    async ({ store, second, passTime, realTime }) => {
      const random = seededRandom(seed)
      const pick = (n: number): number => Math.floor(random() * n)
      const stores = [store, await second()]
      const window = realTime ? LONG : 1 + pick(1_000)
      // Where time passes by itself, windows must not begin anew at moments nobody knows.
      const growth = pick(2) === 0 ? 1 : 2
      const penalty = realTime || pick(2) === 0 ? undefined : ({ above: pick(10), growth } as const)
      const model = tallyModel(window)
      let now = 0
      for (let step = 0; step < 150; step++) {
        if (!realTime && pick(3) === 0) {
          const ms = pick(4) === 0 ? pick(3 * window) : pick(Math.ceil(window / 4))
          await passTime(ms)
          now += ms
        }
        const cost = pick(4) - 1
        const counted = await stores[pick(2)]?.limits.count('key', window, cost, penalty)
        const expected = model(now, cost, penalty)
        if (realTime) assert.equal(counted?.count, expected.count, `step ${step}`)
        else assert.deepEqual(counted, expected, `step ${step} in a window of ${window} ms`)
      }
    },
  ]
}
