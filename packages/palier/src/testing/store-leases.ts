import assert from 'node:assert/strict'
import { recordHead } from '../record.ts'
import type { SharedStore } from '../store.ts'
import { LONG, recordOf, type StoreSentence } from './case.ts'
import { assertAbsent, assertHolds } from './store-records.ts'

const SHORT = 150
const OUTWAIT = 250

const one: Buffer = recordOf('k', 'one', 1)
const two: Buffer = recordOf('k', 'two', 2)
const late: Buffer = recordOf('k', 'late', 3)

async function take(store: SharedStore, token: string, ttl: number = LONG): Promise<void> {
  const { granted } = await store.claim('k', { token, ttl })
  assert.equal(granted, true, `the lease was not granted to ${token}`)
}

async function assertCannotCommit(store: SharedStore, token: string): Promise<void> {
  const before = (await store.get('k'))?.bytes
  assert.equal(await store.commit('k', token, late, LONG), false, `the commit of ${token} was taken`)
  assert.equal(await store.renew('k', token, LONG), false, `the lease of ${token} was renewed`)
  const after = (await store.get('k'))?.bytes
  assert.deepEqual(
    after && Buffer.from(after),
    before && Buffer.from(before),
    `the refused commit of ${token} changed the record`,
  )
}

export function leaseCases(): StoreSentence[] {
  return [...granting(), ...seenRecords(), ...stealing(), ...voiding(), ...lifetimes()]
}

function granting(): StoreSentence[] {
  return [
    [
      'a claim on an absent key is granted once, until the lease ends',
      async ({ store, second }) => {
        const other = await second()
        const first = await store.claim('k', { token: 'a', ttl: LONG })
        assert.deepEqual(first, { record: undefined, granted: true })
        for (const asked of [store, other]) {
          assert.deepEqual(await asked.claim('k', { token: 'b', ttl: LONG }), { record: undefined, granted: false })
        }
        assert.equal(await store.commit('k', 'a', one, LONG), true)
        await assertHolds(other, 'k', one)
      },
    ],
    [
      'a commit stores with its own ttl and ends the lease, so a second one is false',
      async ({ store, passTime }) => {
        await take(store, 'a')
        assert.equal(await store.commit('k', 'a', one, SHORT), true)
        await assertCannotCommit(store, 'a')
        await passTime(OUTWAIT)
        await assertAbsent(store, 'k')
      },
    ],
    [
      'a commit without a lease, or under another token, is false and stores nothing',
      async ({ store }) => {
        await assertCannotCommit(store, 'nobody')
        await take(store, 'a')
        await assertCannotCommit(store, 'b')
        await assertCannotCommit(store, 'A')
        await assertAbsent(store, 'k')
        assert.equal(await store.commit('k', 'a', one, LONG), true)
      },
    ],
    [
      'a released lease goes to the next claim, and its former holder can do nothing',
      async ({ store, second }) => {
        await take(store, 'a')
        await store.release('k', 'a')
        await assertCannotCommit(store, 'a')
        await take(await second(), 'b')
        await store.release('k', 'a')
        assert.equal(await store.commit('k', 'b', one, LONG), true)
      },
    ],
    [
      'a release by a stranger, or of no lease, does nothing',
      async ({ store }) => {
        await store.release('k', 'nobody')
        await take(store, 'a')
        await store.release('k', 'stranger')
        assert.equal((await store.claim('k', { token: 'b', ttl: LONG })).granted, false)
        assert.equal(await store.commit('k', 'a', one, LONG), true)
        await store.release('k', 'a')
        await assertHolds(store, 'k', one)
      },
    ],
  ]
}

function seenRecords(): StoreSentence[] {
  return [
    [
      'a claim on a present record gives the record and no lease',
      async ({ store }) => {
        await store.set('k', one, LONG)
        const { record, granted } = await store.claim('k', { token: 'a', ttl: LONG })
        assert.equal(granted, false)
        assert.deepEqual(record && Buffer.from(record.bytes), one)
        assert.ok(record !== undefined && record.remaining > 0)
        await assertCannotCommit(store, 'a')
      },
    ],
    [
      'a claim that has seen exactly this record is granted, once',
      async ({ store, second }) => {
        await store.set('k', one, LONG)
        const seen = recordHead(one)
        const { record, granted } = await store.claim('k', { token: 'a', ttl: LONG, seen })
        assert.equal(granted, true)
        assert.deepEqual(record && Buffer.from(record.bytes), one)
        assert.equal((await (await second()).claim('k', { token: 'b', ttl: LONG, seen })).granted, false)
        await assertHolds(store, 'k', one)
        assert.equal(await store.commit('k', 'a', two, LONG), true)
        await assertHolds(store, 'k', two)
      },
    ],
    [
      'a claim that has seen an older record is not granted, and is given the newer one',
      async ({ store }) => {
        await store.set('k', two, LONG)
        const { record, granted } = await store.claim('k', { token: 'a', ttl: LONG, seen: recordHead(one) })
        assert.equal(granted, false)
        assert.deepEqual(record && Buffer.from(record.bytes), two)
        await assertCannotCommit(store, 'a')
      },
    ],
    [
      'records that hold the same, written at different times, are told apart',
      async ({ store }) => {
        await store.set('k', recordOf('k', 'same', 2), LONG)
        const seen = recordHead(recordOf('k', 'same', 1))
        assert.equal((await store.claim('k', { token: 'a', ttl: LONG, seen })).granted, false)
      },
    ],
    [
      'a claim that has seen a record which is gone by now is granted',
      async ({ store }) => {
        await store.set('k', one, LONG)
        await store.delete(['k'])
        const claimed = await store.claim('k', { token: 'a', ttl: LONG, seen: recordHead(one) })
        assert.deepEqual(claimed, { record: undefined, granted: true })
      },
    ],
    [
      'a lease on a present record leaves it readable, and gives it back untouched when released',
      async ({ store, second }) => {
        await store.set('k', one, LONG)
        assert.equal((await store.claim('k', { token: 'a', ttl: LONG, seen: recordHead(one) })).granted, true)
        await assertHolds(await second(), 'k', one)
        await store.release('k', 'a')
        await assertHolds(store, 'k', one)
        assert.equal((await store.claim('k', { token: 'b', ttl: LONG })).granted, false)
        assert.equal((await store.claim('k', { token: 'b', ttl: LONG, seen: recordHead(one) })).granted, true)
      },
    ],
  ]
}

function stealing(): StoreSentence[] {
  return [
    [
      'a stealing claim takes a held lease, and the former holder can no longer commit',
      async ({ store, second }) => {
        const other = await second()
        await take(store, 'a')
        assert.deepEqual(await other.claim('k', { token: 'b', ttl: LONG, steal: true }), {
          record: undefined,
          granted: true,
        })
        await assertCannotCommit(store, 'a')
        await store.release('k', 'a')
        assert.equal(await other.commit('k', 'b', one, LONG), true)
      },
    ],
    [
      'a stealing claim is granted on a present record, which stays until the commit',
      async ({ store }) => {
        await store.set('k', one, LONG)
        const { record, granted } = await store.claim('k', { token: 'a', ttl: LONG, steal: true })
        assert.equal(granted, true)
        assert.deepEqual(record && Buffer.from(record.bytes), one)
        await assertHolds(store, 'k', one)
        assert.equal(await store.commit('k', 'a', two, LONG), true)
        await assertHolds(store, 'k', two)
      },
    ],
    [
      'a lease on a present record can be stolen too',
      async ({ store }) => {
        await store.set('k', one, LONG)
        await store.claim('k', { token: 'a', ttl: LONG, seen: recordHead(one) })
        assert.equal((await store.claim('k', { token: 'b', ttl: LONG, steal: true })).granted, true)
        await assertCannotCommit(store, 'a')
        assert.equal(await store.commit('k', 'b', two, LONG), true)
      },
    ],
  ]
}

function voiding(): StoreSentence[] {
  return [
    [
      'a set voids the lease: the holder cannot commit over it',
      async ({ store, second }) => {
        await take(store, 'a')
        await (await second()).set('k', one, LONG)
        await assertCannotCommit(store, 'a')
        await assertHolds(store, 'k', one)
        assert.equal((await store.claim('k', { token: 'b', ttl: LONG, seen: recordHead(one) })).granted, true)
        await store.release('k', 'a')
        assert.equal(await store.commit('k', 'b', two, LONG), true)
      },
    ],
    [
      'a delete voids the lease, of a present and of an absent record: what was loading is not stored',
      async ({ store, second }) => {
        const other = await second()
        await take(store, 'a')
        await other.delete(['x', 'k'])
        await assertCannotCommit(store, 'a')
        await assertAbsent(store, 'k')
        await store.set('k', one, LONG)
        await store.claim('k', { token: 'b', ttl: LONG, seen: recordHead(one) })
        await other.delete(['k'])
        await assertCannotCommit(store, 'b')
        await assertAbsent(store, 'k')
      },
    ],
    [
      'after a delete the next claim is granted at once, although the voided lease had time left',
      async ({ store, second }) => {
        await take(store, 'a')
        await store.delete(['k'])
        await take(await second(), 'b')
        await assertCannotCommit(store, 'a')
        assert.equal(await store.commit('k', 'b', one, LONG), true)
      },
    ],
    [
      'deleting one key leaves the lease of another',
      async ({ store }) => {
        await take(store, 'a')
        await store.delete(['other', 'k2', 'K'])
        await store.set('k:2', recordOf('k:2', 'x'), LONG)
        assert.equal(await store.commit('k', 'a', one, LONG), true)
      },
    ],
  ]
}

function lifetimes(): StoreSentence[] {
  return [
    [
      'a lease ends with its ttl: the commit is false although nobody else came',
      async ({ store, passTime }) => {
        await take(store, 'a', SHORT)
        await passTime(OUTWAIT)
        await assertCannotCommit(store, 'a')
        await assertAbsent(store, 'k')
      },
    ],
    [
      'after a lease has ended the next claim is granted, and the former holder can do nothing to it',
      async ({ store, second, passTime }) => {
        await take(store, 'a', SHORT)
        await passTime(OUTWAIT)
        await take(await second(), 'b')
        await assertCannotCommit(store, 'a')
        await store.release('k', 'a')
        assert.equal(await store.commit('k', 'b', one, LONG), true)
      },
    ],
    [
      'renewing keeps a lease past its first lifetime; a stranger cannot renew',
      async ({ store, second, passTime }) => {
        await take(store, 'a', 1_000)
        assert.equal(await (await second()).renew('k', 'stranger', LONG), false)
        assert.equal(await store.renew('k', 'a', LONG), true)
        await passTime(1_200)
        assert.equal((await store.claim('k', { token: 'b', ttl: LONG })).granted, false)
        assert.equal(await store.commit('k', 'a', one, LONG), true)
      },
    ],
    [
      'a lease outlives the record it was granted over',
      async ({ store, passTime }) => {
        await store.set('k', one, 1_000)
        assert.equal((await store.claim('k', { token: 'a', ttl: LONG, seen: recordHead(one) })).granted, true)
        await passTime(1_200)
        await assertAbsent(store, 'k')
        assert.equal((await store.claim('k', { token: 'b', ttl: LONG })).granted, false)
        assert.equal(await store.commit('k', 'a', two, LONG), true)
      },
    ],
  ]
}
