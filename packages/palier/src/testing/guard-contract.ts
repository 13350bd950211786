import assert from 'node:assert/strict'
import type { Decision, Limits, Locks, Rate } from '../guard.ts'
import { type ContractCase, LONG, type StoreSentence, type StoreUnderTest, seededRandom } from './case.ts'
import { countSentences } from './guard-counts.ts'
import { countingModel } from './guard-model.ts'

/** The rules of `Locks` as cases to run with any test runner. Each case calls `make` for an empty store and closes it. */
export function lockContract(make: () => Promise<StoreUnderTest>): ContractCase[] {
  return lockSentences().map(sentence => caseOf(make, sentence))
}

export interface LimitContractOptions {
  /** Where the randomised case begins; by default different on each run and named when it fails. */
  readonly seed?: number
}

/** The rules of `Limits`, likewise. */
export function limitContract(make: () => Promise<StoreUnderTest>, options: LimitContractOptions = {}): ContractCase[] {
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32)
  return limitSentences(seed).map(sentence => caseOf(make, sentence))
}

function caseOf(make: () => Promise<StoreUnderTest>, [name, trial]: StoreSentence): ContractCase {
  return {
    name,
    async run() {
      const under = await make()
      try {
        await trial(under)
      } finally {
        await under.close()
      }
    },
  }
}

/** Long for a machine, short for a test that really waits. */
const SHORT = 300
const VERY_LONG = 'n'.repeat(70 * 1_024)

/** Names that a store could take for one another, or for something other than a name. */
const NAMES: readonly string[] = [
  ...['a', 'A', 'a:b', 'a/b', 'a b', 'a%3Ab', '{a}', '{a}:k', '*', '../a', '..', '.', '\0', 'a\n', '__proto__'],
  ...['#a', '%23a', 'clé', 'cle\u0301', '\u{1F600}', `${VERY_LONG}1`, `${VERY_LONG}2`],
]

async function granted(locks: Locks, name: string, owner: string, ttl: number = LONG): Promise<number> {
  const fence = await locks.acquire(name, owner, ttl)
  assert.ok(fence !== undefined, `the lock was not granted to ${owner}`)
  assert.ok(Number.isSafeInteger(fence) && fence > 0, `a fence of ${fence}`)
  return fence
}

function lockSentences(): StoreSentence[] {
  return [...holding(), ...ending(), ...fencing()]
}

function holding(): StoreSentence[] {
  return [
    [
      'a lock that is held is granted to nobody, not even to its owner again',
      async ({ store, second }) => {
        const other = await second()
        await granted(store.locks, 'job', 'a')
        assert.equal(await other.locks.acquire('job', 'b', LONG), undefined)
        assert.equal(await store.locks.acquire('job', 'b', LONG), undefined)
        assert.equal(await store.locks.acquire('job', 'a', LONG), undefined)
      },
    ],
    [
      'a lock that was released is granted to the next who asks',
      async ({ store, second }) => {
        const other = await second()
        await granted(store.locks, 'job', 'a')
        assert.equal(await store.locks.release('job', 'a'), true)
        await granted(other.locks, 'job', 'b')
        assert.equal(await store.locks.acquire('job', 'a', LONG), undefined)
      },
    ],
    [
      'only the owner renews and releases a lock',
      async ({ store, second }) => {
        const other = await second()
        await granted(store.locks, 'job', 'a')
        assert.equal(await other.locks.release('job', 'b'), false)
        assert.equal(await other.locks.renew('job', 'b', LONG), false)
        assert.equal(await other.locks.acquire('job', 'b', LONG), undefined)
        assert.equal(await store.locks.renew('job', 'a', LONG), true)
        assert.equal(await store.locks.release('job', 'a'), true)
        assert.equal(await store.locks.release('job', 'a'), false)
        assert.equal(await store.locks.renew('job', 'a', LONG), false)
        assert.equal(await store.locks.renew('never', 'a', LONG), false)
        assert.equal(await store.locks.release('never', 'a'), false)
      },
    ],
    [
      'of many who ask at once one gets the lock',
      async ({ store, second }) => {
        const both = [store, await second()]
        for (const round of [1, 2, 3]) {
          const asked = Array.from({ length: 20 }, (_, i) => {
            return both[i % 2]?.locks.acquire('job', `${round}-${i}`, LONG) ?? Promise.resolve(undefined)
          })
          const winners = (await Promise.all(asked)).flatMap((fence, i) => (fence === undefined ? [] : [i]))
          assert.equal(winners.length, 1, `round ${round}: granted to ${winners.join(', ')}`)
          assert.equal(await store.locks.release('job', `${round}-${winners[0]}`), true)
        }
      },
    ],
    [
      'locks of different names never meet, nor do they meet records or limits',
      async ({ store, second }) => {
        const other = await second()
        for (const [i, name] of NAMES.entries()) await granted(store.locks, name, `o${i}`)
        await store.delete(NAMES)
        await store.limits.reset('a')
        for (const [i, name] of NAMES.entries()) assert.equal(await other.locks.renew(name, `o${i}`, LONG), true)
        for await (const keys of store.scan('')) assert.deepEqual(keys, [])
        for (const [i, name] of NAMES.entries()) assert.equal(await store.locks.release(name, `o${i}`), true)
      },
    ],
  ]
}

function ending(): StoreSentence[] {
  return [
    [
      'a lock ends by its ttl, and its owner can then neither renew nor release it',
      async ({ store, second, passTime }) => {
        const other = await second()
        await granted(store.locks, 'job', 'a', SHORT)
        await passTime(SHORT + 1)
        assert.equal(await store.locks.renew('job', 'a', LONG), false)
        assert.equal(await store.locks.release('job', 'a'), false)
        await granted(other.locks, 'job', 'b')
        assert.equal(await store.locks.release('job', 'a'), false)
        assert.equal(await other.locks.renew('job', 'b', LONG), true)
      },
    ],
    [
      'a lock that is renewed ends by the new ttl',
      async ({ store, second, passTime }) => {
        const other = await second()
        await granted(store.locks, 'job', 'a', SHORT)
        assert.equal(await store.locks.renew('job', 'a', LONG), true)
        await passTime(SHORT + 1)
        assert.equal(await other.locks.acquire('job', 'b', LONG), undefined)
        assert.equal(await store.locks.renew('job', 'a', SHORT), true)
        await passTime(SHORT + 1)
        await granted(other.locks, 'job', 'b')
      },
    ],
  ]
}

function fencing(): StoreSentence[] {
  return [
    [
      'each grant of a lock has a greater fence than those before, however they ended',
      async ({ store, second, passTime }) => {
        const other = await second()
        let last = 0
        for (let round = 0; round < 40; round++) {
          const { locks } = round % 2 === 0 ? store : other
          const ends = round % 8 === 7
          const fence = await granted(locks, 'job', `o${round}`, ends ? 5 : LONG)
          assert.ok(fence > last, `${fence} after ${last}`)
          last = fence
          if (round % 3 === 0) await locks.renew('job', `o${round}`, ends ? 5 : LONG)
          if (ends) await passTime(50)
          else assert.equal(await locks.release('job', `o${round}`), true)
        }
      },
    ],
  ]
}

const MANY: Rate = { limit: 50, window: LONG }

async function takeMany(limits: readonly Limits[], times: number, rate: Rate): Promise<Decision[]> {
  return Promise.all(
    Array.from({ length: times }, (_, i) => {
      const one = limits[i % limits.length]
      assert.ok(one)
      return one.take('key', rate, 1)
    }),
  )
}

const admitted = (decisions: readonly Decision[]): number => decisions.filter(({ allowed }) => allowed).length

function limitSentences(seed: number): StoreSentence[] {
  return [...counting(), ...sliding(), modelled(seed), ...countSentences(seed)]
}

function counting(): StoreSentence[] {
  return [
    [
      'a burst into an empty key is admitted up to the limit, exactly',
      async ({ store, second }) => {
        const other = await second()
        const decisions = await takeMany([store.limits, other.limits], 200, MANY)
        assert.equal(admitted(decisions), 50)
        for (const { allowed, remaining, retryAfter, resetAfter } of decisions) {
          assert.ok(remaining >= 0 && remaining < 50)
          assert.equal(retryAfter > 0, !allowed)
          assert.ok(resetAfter > 0 && resetAfter <= 2 * LONG)
        }
      },
    ],
    [
      'what remains counts down, and a request of no cost only looks',
      async ({ store, second }) => {
        const other = await second()
        const rate = { limit: 3, window: LONG }
        const look = await store.limits.take('key', rate, 0)
        assert.deepEqual(look, { allowed: true, remaining: 3, resetAfter: 0, retryAfter: 0 })
        assert.equal((await store.limits.take('key', rate, 1)).remaining, 2)
        assert.equal((await other.limits.take('key', rate, 1)).remaining, 1)
        assert.equal((await other.limits.take('key', rate, 0)).remaining, 1)
        assert.equal((await store.limits.take('key', rate, 1)).remaining, 0)
        assert.equal((await store.limits.take('key', rate, 1)).allowed, false)
      },
    ],
    [
      'a request costs what it says, and what is denied does not count',
      async ({ store }) => {
        const rate = { limit: 10, window: LONG }
        assert.equal((await store.limits.take('key', rate, 6)).remaining, 4)
        for (let i = 0; i < 5; i++) assert.equal((await store.limits.take('key', rate, 5)).allowed, false)
        assert.deepEqual(await store.limits.take('key', rate, 4).then(d => [d.allowed, d.remaining]), [true, 0])
      },
    ],
    [
      'a request that costs more than the limit is denied with a whole window to wait, and does not count',
      async ({ store }) => {
        const rate = { limit: 10, window: LONG }
        const { allowed, retryAfter } = await store.limits.take('key', rate, 11)
        assert.deepEqual({ allowed, retryAfter }, { allowed: false, retryAfter: LONG })
        assert.equal((await store.limits.take('key', rate, 10)).allowed, true)
      },
    ],
    [
      'a key that was reset is as if it had never been asked for',
      async ({ store, second }) => {
        const other = await second()
        assert.equal(admitted(await takeMany([store.limits], 60, MANY)), 50)
        await other.limits.reset('key')
        await other.limits.reset('never')
        assert.equal(admitted(await takeMany([store.limits, other.limits], 60, MANY)), 50)
      },
    ],
    [
      'keys of limits never meet, nor do they meet records or locks',
      async ({ store, second }) => {
        const other = await second()
        const rate = { limit: 1, window: LONG }
        for (const key of NAMES) {
          assert.equal((await store.limits.take(key, rate, 1)).allowed, true)
          assert.equal((await store.limits.count(key, LONG, 1)).count, 1)
        }
        await store.delete(NAMES)
        await store.locks.release('a', 'a')
        for (const key of NAMES) {
          assert.equal((await other.limits.take(key, rate, 1)).allowed, false)
          assert.equal((await other.limits.count(key, LONG, 1)).count, 2)
        }
        for await (const keys of store.scan('')) assert.deepEqual(keys, [])
      },
    ],
    [
      'numbers as large as they may be are reckoned exactly',
      async ({ store }) => {
        const rate = { limit: 9_000_000, window: 1_000_000_000 }
        assert.equal((await store.limits.take('key', rate, 8_999_998)).remaining, 2)
        assert.equal((await store.limits.take('key', rate, 3)).allowed, false)
        const { allowed, remaining } = await store.limits.take('key', rate, 2)
        assert.deepEqual({ allowed, remaining }, { allowed: true, remaining: 0 })
      },
    ],
  ]
}

function sliding(): StoreSentence[] {
  const rate = { limit: 4, window: 400 }
  const fill = async ({ limits }: StoreUnderTest['store']): Promise<void> => {
    for (let i = 0; i < rate.limit; i++) assert.equal((await limits.take('key', rate, 1)).allowed, true)
  }
  return [
    [
      'a denied request is allowed after the time it was told to wait',
      async ({ store, passTime, realTime }) => {
        await fill(store)
        for (let round = 0; round < 3; round++) {
          const { allowed, retryAfter } = await store.limits.take('key', rate, 1)
          if (allowed && realTime) continue
          assert.equal(allowed, false)
          assert.ok(retryAfter > 0 && retryAfter <= 2 * rate.window, `told to wait ${retryAfter} ms`)
          if (!realTime) {
            await passTime(retryAfter - 1)
            assert.equal((await store.limits.take('key', rate, 1)).allowed, false)
          }
          // Two real clocks do not tick in the same moment.
          await passTime(realTime ? retryAfter + 10 : 1)
          assert.equal((await store.limits.take('key', rate, 1)).allowed, true)
        }
      },
    ],
    [
      'after the time it takes to reset the whole limit is free',
      async ({ store, passTime }) => {
        await fill(store)
        const { resetAfter } = await store.limits.take('key', rate, 0)
        assert.ok(resetAfter > rate.window && resetAfter <= 2 * rate.window, `resets after ${resetAfter} ms`)
        await passTime(resetAfter)
        const { allowed, remaining, retryAfter } = await store.limits.take('key', rate, 0)
        assert.deepEqual({ allowed, remaining, retryAfter }, { allowed: true, remaining: 4, retryAfter: 0 })
        await fill(store)
      },
    ],
  ]
}

/** Random requests, and the decisions a model of a few lines makes; only where time moves by our hand alone. */
function modelled(seed: number): StoreSentence {
  return [
    `decisions are those of a model that keeps every request (seed ${seed})`,
    async ({ store, second, passTime, realTime }) => {
      const random = seededRandom(seed)
      const pick = (n: number): number => Math.floor(random() * n)
      const stores = [store, await second()]
      const rate = { limit: 1 + pick(20), window: realTime ? LONG : 1 + pick(1_000) }
      const model = countingModel(rate)
      let now = 0
      for (let step = 0; step < 150; step++) {
        if (!realTime && pick(3) === 0) {
          const ms = pick(4) === 0 ? pick(3 * rate.window) : pick(Math.ceil(rate.window / 4))
          await passTime(ms)
          now += ms
        }
        const cost = pick(10) === 0 ? pick(rate.limit + 2) : pick(3)
        const decision = await stores[pick(2)]?.limits.take('key', rate, cost)
        const expected = model(now, cost)
        const { allowed, remaining } = decision ?? {}
        assert.deepEqual({ allowed, remaining }, expected, `step ${step} of ${rate.limit} per ${rate.window} ms`)
      }
    },
  ]
}
