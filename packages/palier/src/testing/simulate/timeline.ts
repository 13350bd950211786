import { setImmediate } from 'node:timers'
import type { Clock } from '../../clock.ts'

/*
 * The one clock of a simulation. Timers lie in a heap by time, equal times in the order they were set. Each runs in a
 * macrotask of its own, so that every promise it settles has been heard before the next: macrotasks are queued by the
 * batch, because a turn of the event loop costs ten times as much as what most timers do.
 */
export interface Timeline {
  now(): number
  /** Runs `run` after `ms`; returns what cancels it. */
  after(ms: number, run: () => void): () => void
  /** Lets time pass until `until`, or until `stop` says so after a timer. */
  run(until: number, stop?: () => boolean): Promise<void>
}

interface Timer {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

/** Not 0: code that takes 0 for "never" must not pass by chance. */
const START = 1_000
const BATCH = 32

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length
  heap.push(timer)
  while (at > 0) {
    const up = (at - 1) >> 1
    const parent = heap[up]
    if (parent === undefined || !before(timer, parent)) break
    heap[at] = parent
    at = up
  }
  heap[at] = timer
}

function pop(heap: Timer[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    let down = 2 * at + 1
    let child = heap[down]
    if (child === undefined) break
    const other = heap[down + 1]
    if (other !== undefined && before(other, child)) {
      child = other
      down++
    }
    if (!before(child, last)) break
    heap[at] = child
    at = down
  }
  heap[at] = last
}

/** `failed` is told what a timer threw. */
export function createTimeline(failed: (error: unknown) => void): Timeline {
  let now = START
  let order = 0
  const heap: Timer[] = []

  const due = (until: number): Timer | undefined => {
    for (let next = heap[0]; next !== undefined; next = heap[0]) {
      if (next.run === undefined) pop(heap)
      else return next.at <= until ? next : undefined
    }
    return undefined
  }

  return {
    now: () => now,
    after(ms, run) {
      const timer: Timer = { at: now + (ms > 0 ? ms : 0), order: order++, run }
      push(heap, timer)
      return () => {
        timer.run = undefined
      }
    },
    run(until, stop = () => false) {
      return new Promise(resolve => {
        let queued = 1
        let over = false
        const end = (): void => {
          over = true
          resolve()
        }
        const step = (): void => {
          if (over) return
          if (stop()) return end()
          const timer = due(until)
          if (timer === undefined) {
            now = Math.max(now, until)
            return end()
          }
          pop(heap)
          now = Math.max(now, timer.at)
          const { run } = timer
          timer.run = undefined
          try {
            run?.()
          } catch (error) {
            failed(error)
          }
          if (--queued > 0) return undefined
          queued = BATCH
          for (let i = 0; i < BATCH; i++) setImmediate(step)
          return undefined
        }
        setImmediate(step)
      })
    },
  }
}

/** The clock of one process: it ends with it. */
export interface ProcessClock {
  readonly clock: Clock
  /** Sets the wall clock, forward or back. */
  jump(ms: number): void
  /** Timers waiting. */
  pending(): number
  /** The process is gone: nothing it was waiting for happens any more. */
  kill(): void
}

/** `wall` is what the wall clock of its host shows at the start. */
export function processClock(timeline: Timeline, wall: number): ProcessClock {
  const waiting = new Set<() => void>()
  let offset = wall
  let dead = false
  const after = (ms: number, run: () => void): (() => void) => {
    if (dead) return () => undefined
    const cancel = timeline.after(ms, () => {
      waiting.delete(cancel)
      run()
    })
    waiting.add(cancel)
    return () => {
      waiting.delete(cancel)
      cancel()
    }
  }
  return {
    clock: { now: () => timeline.now(), wall: () => offset + timeline.now(), after, hold: after },
    jump(ms) {
      offset += ms
    },
    pending: () => waiting.size,
    kill() {
      dead = true
      for (const cancel of waiting) cancel()
      waiting.clear()
    },
  }
}
