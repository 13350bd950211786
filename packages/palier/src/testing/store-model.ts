import assert from 'node:assert/strict'
import { recordHead } from '../record.ts'
import type { Claim } from '../store.ts'
import { LONG, recordOf, type StoreSentence, type StoreUnderTest, seededRandom } from './case.ts'

/*
 * The store beside a model of forty lines: random calls, one after the other, through two stores on one backing, and
 * after each the same answer expected of both. Time passes in steps of 10 ms while lifetimes end in 5, so no deadline
 * falls exactly on a step and the answer never hangs on a millisecond. On a real clock nothing expires: lifetimes are
 * long and time is not moved.
 */
const KEYS = ['m', 'm:1', 'M', 'm*']

interface Model {
  claim(key: string, claim: Claim): { record: Buffer | undefined; granted: boolean }
  commit(key: string, token: string, bytes: Buffer, ttl: number): boolean
  renew(key: string, token: string, ttl: number): boolean
  release(key: string, token: string): void
  set(key: string, bytes: Buffer, ttl: number): void
  delete(key: string): void
  get(key: string): Buffer | undefined
  pass(ms: number): void
}

function createModel(): Model {
  let now = 0
  const records = new Map<string, { bytes: Buffer; until: number }>()
  const leases = new Map<string, { token: string; until: number }>()
  const get = (key: string): Buffer | undefined => {
    const record = records.get(key)
    return record !== undefined && record.until > now ? record.bytes : undefined
  }
  const holder = (key: string): string | undefined => {
    const lease = leases.get(key)
    return lease !== undefined && lease.until > now ? lease.token : undefined
  }
  const model: Model = {
    get,
    claim(key, { token, ttl, seen, steal }) {
      const record = get(key)
      const wanted = record === undefined || (seen !== undefined && Buffer.compare(recordHead(record), seen) === 0)
      const granted = steal === true || (holder(key) === undefined && wanted)
      if (granted) leases.set(key, { token, until: now + ttl })
      return { record, granted }
    },
    commit(key, token, bytes, ttl) {
      if (holder(key) !== token) return false
      model.set(key, bytes, ttl)
      return true
    },
    renew(key, token, ttl) {
      if (holder(key) !== token) return false
      leases.set(key, { token, until: now + ttl })
      return true
    },
    release(key, token) {
      if (holder(key) === token) leases.delete(key)
    },
    set(key, bytes, ttl) {
      records.set(key, { bytes, until: now + ttl })
      leases.delete(key)
    },
    delete(key) {
      records.delete(key)
      leases.delete(key)
    },
    pass(ms) {
      now += ms
    },
  }
  return model
}

export function modelCases(seed: number): StoreSentence[] {
  return [
    [
      'any sequence of calls answers as a simple model does, leases included',
      async under => {
        for (let run = 0; run < (under.realTime ? 1 : 4); run++) await compare(under, seed + run)
      },
    ],
  ]
}

async function compare(under: StoreUnderTest, seed: number): Promise<void> {
  const done: string[] = []
  try {
    await play(under, seededRandom(seed), done)
  } catch (cause) {
    const last = done.slice(-12).join('\n  ')
    throw new Error(`the store differs from the model: seed ${seed}, call ${done.length}; the last calls:\n  ${last}`, {
      cause,
    })
  }
}

async function play(under: StoreUnderTest, random: () => number, done: string[]): Promise<void> {
  const stores = [under.store, await under.second()]
  const model = createModel()
  const tokens = ['none']
  const heads: Uint8Array[] = []
  const pick = (count: number): number => Math.floor(random() * count)
  const one = <T>(list: readonly T[], other: T): T => list[pick(list.length)] ?? other
  const ttl = (): number => (under.realTime ? LONG : 5 + 10 * pick(20))
  // The keys of the run before may be there still.
  await under.store.delete(KEYS)

  for (let step = 0; step < (under.realTime ? 250 : 500); step++) {
    const store = one(stores, under.store)
    const key = one(KEYS, 'm')
    const token = one(tokens.slice(-4), 'none')
    const bytes = recordOf(key, `step ${step}`, step)
    const act = one(
      ['claim', 'claim', 'seen', 'steal', 'commit', 'commit', 'renew', 'release', 'set', 'delete', 'read', 'pass'],
      'read',
    )
    const time = ttl()
    done.push(`${act} ${key} token ${token} ttl ${time}`)
    if (act === 'pass') {
      if (under.realTime) continue
      const ms = 10 * (1 + pick(8))
      await under.passTime(ms)
      model.pass(ms)
    } else if (act === 'claim' || act === 'seen' || act === 'steal') {
      const fresh = `t${step}`
      tokens.push(fresh)
      const now = model.get(key)
      const seen = pick(3) > 0 && now !== undefined ? recordHead(now) : one(heads.slice(-6), recordHead(bytes))
      const claim: Claim = {
        token: fresh,
        ttl: time,
        ...(act === 'seen' ? { seen } : {}),
        ...(act === 'steal' ? { steal: true } : {}),
      }
      const { record, granted } = await store.claim(key, claim)
      assert.deepEqual({ record: record && Buffer.from(record.bytes), granted }, model.claim(key, claim))
    } else if (act === 'commit') {
      assert.equal(await store.commit(key, token, bytes, time), model.commit(key, token, bytes, time))
    } else if (act === 'renew') assert.equal(await store.renew(key, token, time), model.renew(key, token, time))
    else if (act === 'release') {
      await store.release(key, token)
      model.release(key, token)
    } else if (act === 'set') {
      await store.set(key, bytes, time)
      model.set(key, bytes, time)
    } else if (act === 'delete') {
      await store.delete([key])
      model.delete(key)
    }
    heads.push(recordHead(bytes))
    const found = await one(stores, under.store).getMany(KEYS)
    assert.deepEqual(
      found.map(record => record && Buffer.from(record.bytes)),
      KEYS.map(model.get),
    )
  }
}
