import type { Evictable, Index } from './policy.ts'

/*
 * Finds what has expired without a timer per record and without an order by time, which would cost memory on each.
 * It knows one moment before which nothing expires. Until then it does nothing at all; afterwards it walks the
 * records a few at a time, over several calls, and learns the next such moment from those that stay.
 */
export interface Expiry<R extends Evictable, I extends Index<R>> {
  join(index: I): void
  /** A record was put into an index. */
  noted(record: R): void
  /** Visits at most `visits` records and hands those dead at `now` to `take`, which takes them out. */
  sweep(now: number, visits: number, take: (index: I, key: string, record: R) => void): number
  /** True when a record may be dead at `now`. */
  due(now: number): boolean
}

export function createExpiry<R extends Evictable, I extends Index<R>>(): Expiry<R, I> {
  const indexes: I[] = []
  /** Nothing expires before. */
  let earliest = Number.POSITIVE_INFINITY
  /** Of what the present walk has left behind it, and of what was added meanwhile. */
  let next = Number.POSITIVE_INFINITY
  /** Where the walk is; it is let go at the end, since an idle iterator keeps the former tables of a Map alive. */
  let walk: IterableIterator<[I, string, R]> | undefined

  /** As many records of each index as it has at that time: what is added behind them must not draw the walk out. */
  function* everything(): IterableIterator<[I, string, R]> {
    for (const index of indexes) {
      let left = index.records.size
      for (const [key, record] of index.records) {
        if (left-- <= 0) break
        yield [index, key, record]
      }
    }
  }

  return {
    join: index => void indexes.push(index),
    noted({ deadAt }) {
      if (deadAt < earliest) earliest = deadAt
      if (deadAt < next) next = deadAt
    },
    due: now => earliest <= now,
    sweep(now, visits, take) {
      let taken = 0
      for (let left = visits; left > 0 && earliest <= now; left--) {
        if (walk === undefined) {
          walk = everything()
          next = Number.POSITIVE_INFINITY
        }
        const met = walk.next()
        if (met.done === true) {
          walk = undefined
          earliest = next
          continue
        }
        const [index, key, record] = met.value
        if (record.deadAt > now) {
          if (record.deadAt < next) next = record.deadAt
          continue
        }
        take(index, key, record)
        taken++
      }
      return taken
    },
  }
}
