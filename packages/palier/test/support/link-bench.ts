import type { Clock } from '../../src/clock.ts'
import { memoryStore } from '../../src/index.ts'
import { createLink, type Link, type LinkHooks, type LinkState } from '../../src/link.ts'
import type { SharedStore } from '../../src/store.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { type Remote, remoteServer } from './remote.ts'

export const DEADLINE = 250

export interface Bench<S extends SharedStore> {
  readonly clock: ManualClock
  readonly store: S
  readonly link: Link
  readonly changes: [LinkState, string][]
  /** How often the store was told what it missed. */
  readonly recoveries: () => number
}

export function bench<S extends SharedStore>(
  clock: ManualClock,
  store: S,
  hooks: Partial<LinkHooks> = {},
  its: Clock = clock,
): Bench<S> {
  const changes: [LinkState, string][] = []
  let recoveries = 0
  const link = createLink(its, DEADLINE, store, {
    changed: (state, reason) => void changes.push([state, reason]),
    isSameServer: () => Promise.resolve(true),
    ...hooks,
    recover: () => {
      recoveries++
      return hooks.recover?.() ?? Promise.resolve()
    },
  })
  return { clock, store, link, changes, recoveries: () => recoveries }
}

/** A store in this process, which has no connection to lose. */
export function near(hooks: Partial<LinkHooks> = {}): Bench<FaultyStore> {
  const clock = manualClock()
  return bench(clock, faulty(memoryStore({ clock })), hooks)
}

/** A store across a network. */
export function far(hooks: Partial<LinkHooks> = {}): Bench<Remote> {
  const clock = manualClock()
  return bench(clock, remoteServer(clock).connect(), hooks)
}

export async function up<S extends SharedStore>(at: Bench<S>): Promise<Bench<S>> {
  await at.link.start()
  at.changes.splice(0)
  return at
}

export const states = (at: Bench<SharedStore>): LinkState[] => at.changes.map(([state]) => state)
export const get = (at: Bench<SharedStore>): Promise<unknown> => at.link.call(store => store.get('k'))
export const write = (at: Bench<SharedStore>): Promise<unknown> =>
  at.link.call(store => store.set('k', new Uint8Array([1]), 1000))
/** A call whose failure is expected. */
export const failing = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error)
