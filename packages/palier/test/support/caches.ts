import { type Cache, createCache, type CacheOptions, memoryStore } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { type ManualClock, manualClock } from '../../src/testing.ts'

/** A promise that is settled from outside: a factory that waits for the test. */
export interface Gate<T> {
  readonly promise: Promise<T>
  open(value: T): void
  fail(error: unknown): void
}

export function gate<T>(): Gate<T> {
  let open: (value: T) => void = () => undefined
  let fail: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { promise, open, fail }
}

/** Options every test cache has: no log, and nothing of the machine's environment. */
const QUIET: CacheOptions = { logger: false, backend: 'memory' }

export function memoryCache(options: CacheOptions = {}): { cache: Cache; clock: ManualClock } {
  const clock = manualClock()
  return { cache: createCache({ ...QUIET, clock, ...options }), clock }
}

/** Two caches on one in-process store under one manual clock. */
export function pair(options: CacheOptions = {}): { a: Cache; b: Cache; clock: ManualClock; store: SharedStore } {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const a = createCache({ ...QUIET, clock, ...options, store })
  const b = createCache({ ...QUIET, clock, ...options, store: store.connect() })
  return { a, b, clock, store }
}

/** Resolves when the condition holds; rejects after the deadline, saying what was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, deadline = 5000): Promise<void> {
  const end = performance.now() + deadline
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${deadline} ms in vain for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
