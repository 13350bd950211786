import { type Clock, pause } from './clock.ts'
import { PalierError } from './errors.ts'
import { stampKey } from './key.ts'
import { newToken } from './lease.ts'
import type { Link } from './link.ts'
import { decodeRecord, encodeRecord, recordHead } from './record.ts'
import { randomStamp } from './rules.ts'
import type { SharedStore, StoredRecord } from './store.ts'

/** Far longer than an entry usually lives; renewed when half has passed. */
const STAMP_TTL = 30 * 86_400_000
const CREATE_LEASE = 1000
const TRIES = 100
/** So many tries are made without a rest: whoever was in between is usually done. */
const AT_ONCE = 8
const REST = 5

/** A stamp as the store has it. */
export interface FoundStamp {
  readonly text: string
  /** Milliseconds since it was made or prolonged, by the store's own clock; undefined when it was made just now, by us. */
  readonly age: number | undefined
}

/** How stamps lie in a shared store: ordinary records, changed under leases like any other. All methods reject if the store fails. */
export interface StampStore {
  /** One round trip for all that are there; those that are not are made. In the order of the names. */
  read(names: readonly string[]): Promise<readonly FoundStamp[]>
  /** Puts these in place of whatever is there. */
  write(stamps: readonly { readonly name: string; readonly text: string }[]): Promise<void>
  withdraw(names: readonly string[]): Promise<void>
  /** Compare and set on one stamp: `next` is given what is there, and again if somebody was in between. Resolves with what was written. */
  change(name: string, next: (before: string | undefined) => string): Promise<string>
}

interface Stored {
  readonly text: string
  readonly remaining: number
}

function readStamp(record: StoredRecord | undefined, key: string): Stored | undefined {
  const decoded = record === undefined ? undefined : decodeRecord(record.bytes)
  if (record === undefined || decoded === undefined || decoded.key !== key) return undefined
  return { text: Buffer.from(decoded.payload).toString('utf8'), remaining: record.remaining }
}

/** `writer`: the id of the cache that writes here. */
export function createStampStore(namespace: string, writer: string, clock: Clock, link: Link): StampStore {
  const keyOf = (name: string): string => stampKey(namespace, name)

  const recordOf = (key: string, text: string): Uint8Array => {
    const payload = Buffer.from(text)
    const head = { key, createdAt: clock.wall(), ttl: STAMP_TTL, grace: 0, cost: 0, mark: 0, form: 0, writer }
    return encodeRecord({ ...head, size: payload.length, stamps: [] }, payload)
  }

  const commit = (store: SharedStore, key: string, token: string, text: string): Promise<boolean> =>
    store.commit(key, token, recordOf(key, text), STAMP_TTL)

  /** Makes a stamp nobody has made: the lease decides between several who try. */
  async function create(name: string): Promise<FoundStamp> {
    const key = keyOf(name)
    const token = newToken()
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const { record, granted } = await link.call(store => store.claim(key, { token, ttl: CREATE_LEASE }))
      const found = readStamp(record, key)
      if (found !== undefined) return { text: found.text, age: STAMP_TTL - found.remaining }
      if (granted) {
        const text = randomStamp(name)
        if (await link.call(store => commit(store, key, token, text))) return { text, age: undefined }
      } else if (record !== undefined) {
        // Damaged: take its place.
        await link.call(store => store.delete([key]))
      } else if (attempt >= AT_ONCE) await pause(clock, REST)
    }
    throw new PalierError('PALIER_STORE_FAILED', `the stamp "${name}" could not be made: its lease is never free`)
  }

  /** Writes the same stamp again, unless it changed meanwhile; a failure only means that somebody tries later. */
  function prolong(key: string, record: StoredRecord, text: string): void {
    const token = newToken()
    const claim = { token, ttl: CREATE_LEASE, seen: recordHead(record.bytes) }
    link
      .call(store => store.claim(key, claim))
      .then(({ granted }) => granted && link.call(store => commit(store, key, token, text)))
      .catch(() => undefined)
  }

  return {
    async read(names) {
      const keys = names.map(keyOf)
      const records = await link.read(store => store.getMany(keys))
      return Promise.all(
        names.map(async (name, i) => {
          const key = keys[i] ?? ''
          const record = records[i]
          const stored = readStamp(record, key)
          if (record === undefined || stored === undefined) return create(name)
          if (stored.remaining < STAMP_TTL / 2) prolong(key, record, stored.text)
          return { text: stored.text, age: STAMP_TTL - stored.remaining }
        }),
      )
    },
    async write(stamps) {
      await Promise.all(
        stamps.map(({ name, text }) => {
          const key = keyOf(name)
          return link.reach(store => store.set(key, recordOf(key, text), STAMP_TTL))
        }),
      )
    },
    withdraw: names => link.reach(store => store.delete(names.map(keyOf))),
    async change(name, next) {
      const key = keyOf(name)
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const token = newToken()
        const { record } = await link.reach(store => store.claim(key, { token, ttl: CREATE_LEASE, steal: true }))
        const text = next(readStamp(record, key)?.text)
        if (await link.reach(store => commit(store, key, token, text))) return text
        if (attempt >= AT_ONCE) await pause(clock, REST)
      }
      throw new PalierError('PALIER_STORE_FAILED', `"${name}" could not be changed: others change it without end`)
    },
  }
}
