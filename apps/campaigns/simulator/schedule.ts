/** The simulator's time: a base clock, and how far its owner has pushed it ahead. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Moves the simulator, and nothing else, ahead. `settle` then does what has become due. */
  advance(ms: number): void
}

export function createClock(base: () => number, moved: () => void): Clock {
  let ahead = 0
  return {
    now: () => base() + ahead,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`advance: expected milliseconds from 0, received ${ms}`)
      ahead += ms
      moved()
    },
  }
}

interface Planned<T> {
  readonly due: number
  readonly order: number
  readonly item: T
}

/** What is to happen, earliest first; equal times in the order they were planned. A binary heap: 100,000 is usual. */
export interface Schedule<T> {
  readonly size: number
  add(due: number, item: T): void
  /** When the earliest is due. */
  next(): number | undefined
  /** Takes the earliest out when it is due at `time` and passes `accept`. */
  take(time: number, accept?: (item: T) => boolean): T | undefined
}

function before<T>(a: Planned<T>, b: Planned<T>): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order)
}

function rise<T>(heap: Planned<T>[], planned: Planned<T>): void {
  let at = heap.length
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent]
    if (above === undefined || before(above, planned)) break
    heap[at] = above
    at = parent
  }
  heap[at] = planned
}

function sink<T>(heap: Planned<T>[], planned: Planned<T>): void {
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const [a, b] = [heap[left], heap[left + 1]]
    if (a === undefined) break
    const [child, index] = b !== undefined && before(b, a) ? [b, left + 1] : [a, left]
    if (before(planned, child)) break
    heap[at] = child
    at = index
  }
  heap[at] = planned
}

export function createSchedule<T>(): Schedule<T> {
  const heap: Planned<T>[] = []
  let order = 0
  return {
    get size() {
      return heap.length
    },
    add: (due, item) => rise(heap, { due, order: order++, item }),
    next: () => heap[0]?.due,
    take(time, accept) {
      const [top] = heap
      if (top === undefined || top.due > time || accept?.(top.item) === false) return undefined
      const last = heap.pop()
      if (last !== undefined && heap.length > 0) sink(heap, last)
      return top.item
    },
  }
}
