import assert from 'node:assert/strict'
import { decodeRecord, recordHead } from '../record.ts'
import type { SharedStore } from '../store.ts'
import { LONG, recordOf, type StoreSentence, type StoreUnderTest, seededRandom } from './case.ts'
import { assertAbsent, assertHolds } from './store-records.ts'

const ROUNDS = 25

/** Two doors to one backing: a race inside one store proves less. */
async function pair({ store, second }: StoreUnderTest): Promise<readonly [SharedStore, SharedStore]> {
  return [store, await second()]
}

/**
 * Each race has outcomes that depend on who is first, and one thing that must be so either way. That one is asserted,
 * so a race lost by chance cannot hide a store that is not atomic, given rounds enough.
 */
export function raceCases(): StoreSentence[] {
  return [...leaseRaces(), ...recordRaces()]
}

function leaseRaces(): StoreSentence[] {
  return [
    [
      'of many concurrent claims, through two stores, exactly one is granted',
      async under => {
        const stores = await pair(under)
        for (const key of ['r1', 'r2', 'r3', 'r4', 'r5']) {
          const claims = Array.from({ length: 40 }, (_, i) =>
            (stores[i % 2] ?? under.store).claim(key, { token: `${key}-${i}`, ttl: LONG }),
          )
          const granted = (await Promise.all(claims)).map(claimed => claimed.granted)
          assert.equal(granted.filter(Boolean).length, 1)
          assert.equal(await stores[1].commit(key, `${key}-${granted.indexOf(true)}`, recordOf(key, 'x'), LONG), true)
        }
      },
    ],
    [
      'of many concurrent claims that have seen the same record, exactly one is granted',
      async under => {
        const stores = await pair(under)
        const record = recordOf('k', 'stale')
        await under.store.set('k', record, LONG)
        const claims = Array.from({ length: 40 }, (_, i) =>
          (stores[i % 2] ?? under.store).claim('k', { token: `t${i}`, ttl: LONG, seen: recordHead(record) }),
        )
        assert.equal((await Promise.all(claims)).filter(claimed => claimed.granted).length, 1)
      },
    ],
    [
      'of two commits under one lease, exactly one is taken',
      async under => {
        const [left, right] = await pair(under)
        for (let round = 0; round < ROUNDS; round++) {
          await left.claim('k', { token: `t${round}`, ttl: LONG, steal: true })
          const records = [recordOf('k', 'left', round), recordOf('k', 'right', round)] as const
          const taken = await Promise.all([
            left.commit('k', `t${round}`, records[0], LONG),
            right.commit('k', `t${round}`, records[1], LONG),
          ])
          assert.equal(taken.filter(Boolean).length, 1)
          await assertHolds(left, 'k', taken[0] ? records[0] : records[1])
        }
      },
    ],
    [
      "of two stealing claims, the lease is the last one's alone",
      async under => {
        const [left, right] = await pair(under)
        for (let round = 0; round < ROUNDS; round++) {
          await Promise.all([
            left.claim('k', { token: `l${round}`, ttl: LONG, steal: true }),
            right.claim('k', { token: `r${round}`, ttl: LONG, steal: true }),
          ])
          const held = [await left.renew('k', `l${round}`, LONG), await left.renew('k', `r${round}`, LONG)]
          assert.equal(held.filter(Boolean).length, 1)
        }
      },
    ],
  ]
}

function recordRaces(): StoreSentence[] {
  return [
    [
      'a delete racing with a commit leaves nothing, whoever is first',
      async under => {
        const [left, right] = await pair(under)
        for (let round = 0; round < ROUNDS; round++) {
          await left.claim('k', { token: `t${round}`, ttl: LONG })
          const commit = () => left.commit('k', `t${round}`, recordOf('k', 'late', round), LONG)
          await Promise.all(round % 2 === 0 ? [commit(), right.delete(['k'])] : [right.delete(['k']), commit()])
          await assertAbsent(left, 'k')
          await assertAbsent(right, 'k')
        }
      },
    ],
    [
      'a set racing with a commit leaves the record that was set, whoever is first',
      async under => {
        const [left, right] = await pair(under)
        for (let round = 0; round < ROUNDS; round++) {
          await left.claim('k', { token: `t${round}`, ttl: LONG, steal: true })
          const newer = recordOf('k', 'set', round)
          const commit = () => left.commit('k', `t${round}`, recordOf('k', 'late', round), LONG)
          await Promise.all(
            round % 2 === 0 ? [commit(), right.set('k', newer, LONG)] : [right.set('k', newer, LONG), commit()],
          )
          await assertHolds(left, 'k', newer)
          await assertHolds(right, 'k', newer)
        }
      },
    ],
    [
      'concurrent writers, deleters and readers of any size never show a torn or foreign record',
      async under => {
        const stores = await pair(under)
        await Promise.all(Array.from({ length: 6 }, (_, worker) => churn(stores, worker)))
      },
    ],
  ]
}

/** Each record is one repeated byte and carries its key, so a mixture of two would show even if its checksum held. */
async function churn(stores: readonly [SharedStore, SharedStore], worker: number): Promise<void> {
  const random = seededRandom(worker)
  const pick = (count: number) => Math.floor(random() * count)
  for (let step = 0; step < 60; step++) {
    const store = stores[pick(2) === 0 ? 0 : 1]
    const key = `churn:${pick(3)}`
    const bytes = recordOf(key, Buffer.alloc(pick(3) === 0 ? 60_000 : 1 + pick(500), pick(256)), step)
    const act = pick(10)
    if (act < 4) await store.set(key, bytes, LONG)
    else if (act === 4) await store.delete([key])
    else if (act === 5) {
      const token = `${worker}-${step}`
      if ((await store.claim(key, { token, ttl: LONG, steal: true })).granted)
        await store.commit(key, token, bytes, LONG)
    } else assertWhole(key, act < 8 ? await store.get(key) : (await store.getMany([key]))[0])
  }
}

function assertWhole(key: string, found: { readonly bytes: Uint8Array } | undefined): void {
  if (found === undefined) return
  const record = decodeRecord(found.bytes)
  assert.ok(record !== undefined, 'a record does not verify')
  assert.equal(record.key, key)
  assert.equal(record.payload.length, record.size)
  const first = record.payload[0]
  assert.ok(
    record.payload.every(byte => byte === first),
    'a record mixes two',
  )
}
