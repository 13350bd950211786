import type { Evictable, EvictionPolicy, Index, Victim } from './policy.ts'

/*
 * SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi: NSDI'24). A hand walks from the oldest record to the newest and round
 * again. A record used since the hand last came by is spared, its mark wiped, and stays where it is; the first one
 * not used leaves. A hit therefore writes one boolean, and nothing is ever moved.
 *
 * The queue is the order of the Map itself and the hand an iterator of it, which costs no byte per record: iterators
 * live through inserts and deletes. The same iterator is kept from one eviction to the next, because a new one each
 * time would cross, each time, the holes that deleted records leave at the front of a Map. It is always one key ahead:
 * at the newest record it must know there and then that it has come round, or else it would find whatever is inserted
 * next, evict that, and stay at the end for ever (9 points of hit ratio lost on a database trace).
 *
 * Several indexes share the budget. Each step of the hand goes to one of them with a chance proportional to its size,
 * so all hands turn at the same pace and the indexes behave as one queue; equal turns would let a large cold index
 * outlive a small busy one. The chance is a seeded sequence, so that a run can be repeated.
 */
interface Wheel<R extends Evictable, I extends Index<R>> {
  readonly index: I
  hand: IterableIterator<string> | undefined
  /** What the hand points at; undefined: the oldest record, whichever that will be. */
  next: string | undefined
  /** Records added since the hand last moved. */
  added: number
}

/** Beside a quarter of the index, so that a small index is not stepped through for nothing. */
const IDLE_ADDS = 64

export function sieve<R extends Evictable, I extends Index<R>>(): EvictionPolicy<R, I> {
  const wheels = new Map<I, Wheel<R, I>>()
  let state = 0x9e3779b9

  const choose = (total: number): Wheel<R, I> | undefined => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    let at = (state >>> 0) % total
    for (const wheel of wheels.values()) {
      at -= wheel.index.records.size
      if (at < 0) return wheel
    }
    return undefined
  }

  return {
    join: index => void wheels.set(index, { index, hand: undefined, next: undefined, added: 0 }),
    added(index) {
      const wheel = wheels.get(index)
      if (wheel?.next === undefined) return
      // A Map that was rebuilt keeps every former table alive for an iterator that has not moved since. In a store
      // that changes much and evicts nothing the chain would grow without end, so now and then the hand moves on.
      if (++wheel.added > IDLE_ADDS + (index.records.size >>> 2)) advance(wheel)
    },
    victim(spared, sparedKey): Victim<I, R> | undefined {
      let total = 0
      for (const index of wheels.keys()) total += index.records.size
      if (total <= (spared.records.has(sparedKey) ? 1 : 0)) return undefined
      for (;;) {
        const wheel = wheels.size === 1 ? wheels.get(spared) : choose(total)
        const met = wheel && step(wheel)
        if (wheel === undefined || met === undefined) continue
        const [key, record] = met
        if (key === sparedKey && wheel.index === spared) continue
        if (!record.visited) return { index: wheel.index, key, record }
        record.visited = false
      }
    },
  }
}

/** The record the hand points at, and the hand one further. Undefined when the index is empty. */
function step<R extends Evictable>(wheel: Wheel<R, Index<R>>): [string, R] | undefined {
  const { records } = wheel.index
  for (;;) {
    if (wheel.next === undefined) {
      wheel.hand = records.keys()
      advance(wheel)
    }
    const key = wheel.next
    if (key === undefined) return undefined
    advance(wheel)
    // Deleted since the hand came to it, perhaps.
    const record = records.get(key)
    if (record !== undefined) return [key, record]
  }
}

function advance<R extends Evictable>(wheel: Wheel<R, Index<R>>): void {
  wheel.added = 0
  const next = wheel.hand?.next()
  wheel.next = next?.done === false ? next.value : undefined
  if (wheel.next === undefined) wheel.hand = undefined
}
