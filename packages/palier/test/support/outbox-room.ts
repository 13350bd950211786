import { PalierError } from '../../src/errors.ts'
import { entryId, entryKey, tagStamp } from '../../src/key.ts'
import { createOutbox, type Outbox, type OutboxParts } from '../../src/outbox.ts'
import { keyTarget, stampTarget } from '../../src/targets.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'

export const keyOf = (type: string, key: string): string => keyTarget(entryKey('n', type, entryId(key)))
export const fullOf = (type: string, key: string): string => entryKey('n', type, entryId(key))

export interface Room {
  readonly outbox: Outbox
  readonly clock: ManualClock
  /** What was delivered, call by call. */
  readonly told: (readonly string[])[]
  /** What the ring of acknowledged invalidations was given. */
  readonly remembered: string[]
  readonly recorded: (readonly string[])[]
  readonly begun: string[]
  readonly done: string[]
  /** The size of the outbox each time it said that it changed. */
  readonly sizes: number[]
}

/** An outbox alone, whose deliveries all succeed unless said otherwise. */
export function room(given: Partial<OutboxParts> = {}): Room {
  const clock = manualClock()
  const lists = { told: [], remembered: [], recorded: [], begun: [], done: [], sizes: [] }
  const made: Omit<Room, 'outbox'> = { clock, ...lists }
  const outbox: Outbox = createOutbox({
    clock,
    namespace: 'n',
    recents: {
      add: targets => void made.remembered.push(...targets),
      freeze: () => undefined,
      thaw: () => undefined,
      within: () => [],
    },
    max: 1000,
    begin: targets => void made.begun.push(...targets),
    done: targets => void made.done.push(...targets),
    reachable: () => true,
    isRefusal: error => error instanceof PalierError && error.code === 'PALIER_STORE_REFUSED',
    record: targets => Promise.resolve(void made.recorded.push(targets)),
    changed: () => void made.sizes.push(outbox.size),
    without: new Set(),
    ...given,
    async deliver(targets) {
      made.told.push(targets)
      await given.deliver?.(targets)
    },
  })
  return { ...made, outbox }
}

/** A delivery that failed at its first try. */
export function wait({ outbox }: Room, ...targets: string[]): Promise<void> {
  return outbox.failed(outbox.put(targets))
}

export const down = (): Promise<never> => Promise.reject(new PalierError('PALIER_STORE_FAILED', 'down'))
export const refuse = (): Promise<never> => Promise.reject(new PalierError('PALIER_STORE_REFUSED', 'read-only'))
export const A = keyOf('user', 'a')
export const B = keyOf('user', 'b')
export const TAG = stampTarget(tagStamp('t'))
