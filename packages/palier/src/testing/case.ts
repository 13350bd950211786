import { encodeRecord } from '../record.ts'
import type { SharedStore } from '../store.ts'

/** One sentence of a contract, whatever the test runner: `test(c.name, c.run)`. */
export interface ContractCase {
  readonly name: string
  /** The optional part of what is under test without which `run` rejects: leave the case out if it is not there. */
  readonly needs?: string
  /** Resolves when the sentence holds, rejects with an AssertionError when it does not. */
  run(): Promise<void>
}

/** An empty store as one case gets it, with what is needed to try it. */
export interface StoreUnderTest {
  readonly store: SharedStore
  /** Another store on the same backing, as another cache or process would open it. May be called several times. */
  second(): Promise<SharedStore>
  /** Makes at least `ms` pass for the store: moves its clock, or really waits. */
  passTime(ms: number): Promise<void>
  /** True when `passTime` really waits, so that more than `ms` may pass, and time passes by itself too. */
  readonly realTime: boolean
  /** Closes every store that was opened and takes the backing away. */
  close(): Promise<void>
}

/** A store case's body, given a store of its own. */
export type StoreTrial = (under: StoreUnderTest) => Promise<void>

/** A case as the files of the contract list it. */
export type StoreSentence = readonly [name: string, trial: StoreTrial]

/** Long enough never to end during a case. */
export const LONG = 600_000

/** Bytes that no compression shrinks and that differ with `seed`. */
export function noise(length: number, seed: number = length): Uint8Array {
  const random = seededRandom(seed)
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = random() * 256
  return bytes
}

/** Mulberry32: small, even enough, and the same on every machine. From 0 up to, not including, 1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A record of `key` holding `payload`; `createdAt` tells apart records that hold the same. */
export function recordOf(key: string, payload: Uint8Array | string, createdAt: number = 1_900_000_000_000): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  const head = { key, createdAt, ttl: LONG, grace: 0, cost: 3, mark: 0, form: 0, size: bytes.length, stamps: [] }
  return encodeRecord(head, bytes)
}
