import assert from 'node:assert/strict'
import type { SharedStore } from '../store.ts'
import { LONG, noise, recordOf, type StoreSentence } from './case.ts'

/** A lifetime short enough to outwait on a real clock. */
const SHORT = 150
const OUTWAIT = 250

export async function assertHolds(store: SharedStore, key: string, bytes: Uint8Array): Promise<void> {
  const found = await store.get(key)
  assert.ok(found !== undefined, `the record of ${JSON.stringify(key.slice(0, 80))} is absent`)
  assert.ok(Buffer.compare(found.bytes, bytes) === 0, `the record of ${JSON.stringify(key.slice(0, 80))} differs`)
  assert.ok(found.remaining > 0, `remaining is ${found.remaining}`)
}

export async function assertAbsent(store: SharedStore, key: string): Promise<void> {
  const found = await store.get(key)
  assert.equal(found, undefined, `the record of ${JSON.stringify(key.slice(0, 80))} is still there`)
}

export async function scanned(store: SharedStore, prefix: string): Promise<string[]> {
  const keys = new Set<string>()
  for await (const batch of store.scan(prefix)) for (const key of batch) keys.add(key)
  return [...keys].sort()
}

export function recordCases(): StoreSentence[] {
  return [...readAndWrite(), ...times(), ...lists(), ...operators(), ...endings()]
}

function readAndWrite(): StoreSentence[] {
  return [
    [
      'an absent key reads as undefined',
      async ({ store }) => {
        await assertAbsent(store, 'nothing')
      },
    ],
    ...[0, 1, 1024 * 1024].map(
      (length): StoreSentence => [
        `a payload of ${length} bytes comes back as it was written`,
        async ({ store, second }) => {
          const record = recordOf('sized', noise(length))
          await store.set('sized', record, LONG)
          await assertHolds(store, 'sized', record)
          await assertHolds(await second(), 'sized', record)
        },
      ],
    ),
    [
      'the store keeps its own bytes: changing the buffer written or the bytes read changes nothing stored',
      async ({ store }) => {
        const record = recordOf('own', noise(200))
        const written = Buffer.from(record)
        await store.set('own', written, LONG)
        written.fill(0)
        await assertHolds(store, 'own', record)
        ;(await store.get('own'))?.bytes.fill(0)
        await assertHolds(store, 'own', record)
      },
    ],
    [
      'a set replaces the record whole, by a longer and by a shorter one',
      async ({ store }) => {
        for (const length of [10, 5_000, 3]) {
          const record = recordOf('again', noise(length))
          await store.set('again', record, LONG)
          await assertHolds(store, 'again', record)
        }
      },
    ],
    [
      'two sets of one key in one tick leave one of the two records',
      async ({ store }) => {
        const [one, two] = [recordOf('tick', 'one'), recordOf('tick', 'two')]
        await Promise.all([store.set('tick', one, LONG), store.set('tick', two, LONG)])
        const bytes = (await store.get('tick'))?.bytes
        assert.ok(bytes !== undefined)
        assert.ok(Buffer.compare(bytes, one) === 0 || Buffer.compare(bytes, two) === 0)
      },
    ],
    [
      'many sets in one tick are all kept',
      async ({ store }) => {
        const keys = Array.from({ length: 200 }, (_, i) => `many:${i}`)
        await Promise.all(keys.map(key => store.set(key, recordOf(key, key), LONG)))
        const found = await store.getMany(keys)
        for (const [i, key] of keys.entries()) {
          assert.ok(Buffer.compare(found[i]?.bytes ?? Buffer.alloc(0), recordOf(key, key)) === 0, key)
        }
      },
    ],
    [
      'two stores on one backing see each other at once',
      async ({ store, second }) => {
        const other = await second()
        for (let round = 0; round < 20; round++) {
          const record = recordOf('shared', `round ${round}`)
          await (round % 2 === 0 ? store : other).set('shared', record, LONG)
          await assertHolds(round % 2 === 0 ? other : store, 'shared', record)
        }
        await other.delete(['shared'])
        await assertAbsent(store, 'shared')
      },
    ],
  ]
}

function times(): StoreSentence[] {
  return [
    [
      'remaining is at most the ttl, above 0, and goes down as time passes',
      async ({ store, passTime, realTime }) => {
        await store.set('clock', recordOf('clock', 'x'), LONG)
        const before = (await store.get('clock'))?.remaining ?? 0
        assert.ok(before <= LONG && before > LONG - 10_000, `remaining ${before} just after a ttl of ${LONG}`)
        await passTime(100)
        const after = (await store.get('clock'))?.remaining ?? 0
        assert.ok(before - after >= 50, `remaining went from ${before} to ${after} in 100 ms`)
        assert.ok(realTime || before - after <= 101, `remaining went from ${before} to ${after} in 100 ms`)
        const [many] = await store.getMany(['clock'])
        const { record } = await store.claim('clock', { token: 'unused', ttl: 1_000 })
        for (const left of [many?.remaining ?? 0, record?.remaining ?? 0]) assert.ok(left > 0 && left <= after + 1)
      },
    ],
    [
      'after its ttl a record is absent for every way of reading',
      async ({ store, second, passTime }) => {
        await store.set('brief', recordOf('brief', 'x'), SHORT)
        await store.set('lasting', recordOf('lasting', 'x'), LONG)
        await passTime(OUTWAIT)
        await assertAbsent(store, 'brief')
        await assertAbsent(await second(), 'brief')
        const [brief, lasting] = await store.getMany(['brief', 'lasting'])
        assert.equal(brief, undefined)
        assert.ok(lasting !== undefined)
        assert.deepEqual(await scanned(store, ''), ['lasting'])
        assert.equal((await store.usage('')).entries, 1)
        const { record, granted } = await store.claim('brief', { token: 'next', ttl: LONG })
        assert.equal(record, undefined)
        assert.equal(granted, true)
      },
    ],
    [
      'a set replaces the ttl too, by a longer and by a shorter one',
      async ({ store, passTime }) => {
        await store.set('longer', recordOf('longer', '1'), SHORT)
        await store.set('longer', recordOf('longer', '2'), LONG)
        await store.set('shorter', recordOf('shorter', '1'), LONG)
        await store.set('shorter', recordOf('shorter', '2'), SHORT)
        await passTime(OUTWAIT)
        await assertHolds(store, 'longer', recordOf('longer', '2'))
        await assertAbsent(store, 'shorter')
      },
    ],
    [
      'a ttl of 1 ms ends, and one of 30 years is kept',
      async ({ store, passTime }) => {
        const years = 30 * 365 * 86_400_000
        await store.set('least', recordOf('least', 'x'), 1)
        await store.set('most', recordOf('most', 'x'), years)
        await passTime(50)
        await assertAbsent(store, 'least')
        const left = (await store.get('most'))?.remaining ?? 0
        assert.ok(left > years - 60_000 && left <= years, `remaining ${left} of ${years}`)
      },
    ],
  ]
}

function lists(): StoreSentence[] {
  return [
    [
      'getMany answers in the order of the keys, with gaps and repeats as asked',
      async ({ store }) => {
        const [a, b] = [recordOf('a', 'A'), recordOf('b', 'B')]
        await store.set('a', a, LONG)
        await store.set('b', b, LONG)
        const found = await store.getMany(['b', 'none', 'a', 'b', 'b', 'none'])
        const bytes = found.map(record => record && Buffer.from(record.bytes))
        assert.deepEqual(bytes, [b, undefined, a, b, b, undefined])
      },
    ],
    [
      'getMany of no keys is an empty list, delete of none does nothing',
      async ({ store }) => {
        await store.set('kept', recordOf('kept', 'x'), LONG)
        assert.deepEqual(await store.getMany([]), [])
        await store.delete([])
        await assertHolds(store, 'kept', recordOf('kept', 'x'))
      },
    ],
    [
      'delete takes away what it names and nothing else, absent and repeated keys included',
      async ({ store }) => {
        const keys = Array.from({ length: 300 }, (_, i) => `d:${i}`)
        await Promise.all(keys.map(key => store.set(key, recordOf(key, key), LONG)))
        await store.set('d', recordOf('d', 'x'), LONG)
        await store.delete(['never', ...keys, 'd:5', 'd:5'])
        assert.ok((await store.getMany(keys)).every(record => record === undefined))
        await assertHolds(store, 'd', recordOf('d', 'x'))
        await store.delete(['never'])
      },
    ],
  ]
}

function operators(): StoreSentence[] {
  return [
    [
      'an empty store scans to nothing and uses nothing',
      async ({ store }) => {
        assert.deepEqual(await scanned(store, ''), [])
        assert.equal((await store.usage('')).entries, 0)
      },
    ],
    [
      'scan and usage go by prefix, to the letter',
      async ({ store }) => {
        const keys = ['a', 'ab', 'abc', 'b', 'A', '*', '**', '?x', '[a]', 'a*', 'a\\', '{a}b', 'é', 'e']
        await Promise.all(keys.map(key => store.set(key, recordOf(key, key), LONG)))
        for (const prefix of ['', 'a', 'ab', 'abcd', '*', '?', '[', '[a', 'a*', 'a\\', '\\', '{', '{a}', 'é', 'A']) {
          const expected = keys.filter(key => key.startsWith(prefix)).sort()
          assert.deepEqual(await scanned(store, prefix), expected, `scan of ${JSON.stringify(prefix)}`)
          assert.equal((await store.usage(prefix)).entries, expected.length, `usage of ${JSON.stringify(prefix)}`)
        }
      },
    ],
    [
      'scan finds every one of many keys, from any store',
      async ({ store, second }) => {
        const keys = Array.from({ length: 1_500 }, (_, i) => `scan:${i}`).sort()
        await Promise.all(keys.map(key => store.set(key, recordOf(key, 'x'), LONG)))
        assert.deepEqual(await scanned(await second(), 'scan:'), keys)
      },
    ],
    [
      'a scan may be left before its end',
      async ({ store }) => {
        const keys = Array.from({ length: 300 }, (_, i) => `left:${i}`)
        await Promise.all(keys.map(key => store.set(key, recordOf(key, 'x'), LONG)))
        for await (const batch of store.scan('left:')) if (batch.length > 0) break
        await assertHolds(store, 'left:0', recordOf('left:0', 'x'))
      },
    ],
    [
      'usage counts at least the payloads, and goes back after a delete',
      async ({ store }) => {
        for (const key of ['u:1', 'u:2']) await store.set(key, recordOf(key, noise(20_000)), LONG)
        const { entries, bytes } = await store.usage('u:')
        assert.equal(entries, 2)
        assert.ok(bytes >= 40_000 && bytes < 200_000, `${bytes} bytes`)
        await store.delete(['u:1', 'u:2'])
        assert.deepEqual(await store.usage('u:'), { entries: 0, bytes: 0 })
      },
    ],
    [
      'a lease is not an entry: neither scan nor usage shows it',
      async ({ store }) => {
        await store.claim('leased', { token: 'holder', ttl: LONG })
        assert.deepEqual(await scanned(store, ''), [])
        assert.equal((await store.usage('')).entries, 0)
        await assertAbsent(store, 'leased')
      },
    ],
    [
      'a sweep, where the store has one, takes the expired and keeps the rest',
      async ({ store, passTime }) => {
        await store.set('swept', recordOf('swept', 'x'), SHORT)
        await store.set('kept', recordOf('kept', 'x'), LONG)
        const { granted } = await store.claim('filling', { token: 'holder', ttl: LONG })
        assert.equal(granted, true)
        await passTime(OUTWAIT)
        if (store.sweep) assert.equal((await store.sweep()).entries, 1)
        await assertAbsent(store, 'swept')
        await assertHolds(store, 'kept', recordOf('kept', 'x'))
        assert.equal(await store.commit('filling', 'holder', recordOf('filling', 'x'), LONG), true)
      },
    ],
  ]
}

function endings(): StoreSentence[] {
  return [
    [
      'a store may be closed twice, and closing one leaves another on the same backing at work',
      async ({ store, second }) => {
        const other = await second()
        await other.set('before', recordOf('before', 'x'), LONG)
        await other.close()
        await other.close()
        await assertHolds(store, 'before', recordOf('before', 'x'))
        await store.set('after', recordOf('after', 'x'), LONG)
        await assertHolds(store, 'after', recordOf('after', 'x'))
        await store.close()
        await store.close()
      },
    ],
    [
      'the store says what it is in one word',
      async ({ store, second }) => {
        assert.match(store.name, /^[a-z]+$/)
        assert.equal((await second()).name, store.name)
      },
    ],
  ]
}
