/** Numbers that follow from a seed: the same seed, the same history. */
export interface Random {
  /** 0 to just below 1. */
  next(): number
  /** A whole number from 0 to `n - 1`. */
  below(n: number): number
  /** A whole number from `low` to `high`. */
  between(low: number, high: number): number
  chance(share: number): boolean
  pick<T>(from: readonly [T, ...T[]]): T
  /** Another sequence, which takes nothing from this one. */
  fork(name: number): Random
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by a 32-bit mix. */
export function createRandom(seed: number, stream: number = 0): Random {
  let a = seed | 0
  let b = stream | 0
  let c = 0x9e3779b9
  let counter = 1
  const draw = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  for (let i = 0; i < 15; i++) draw()
  const next = (): number => draw() / 2 ** 32
  const below = (n: number): number => Math.floor(next() * n)
  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: share => next() < share,
    pick: from => from[below(from.length)] ?? from[0],
    fork: name => createRandom(seed, Math.imul(stream + 1, 0x85ebca6b) ^ (name + 1)),
  }
}

const SEEDED = Symbol('the random numbers of a simulation')

/**
 * Makes everything random in this process follow from `random` until the returned function is called: tokens and stamps
 * of the engine, its jitter. One simulation at a time may run in a process, which this sees to. Errors get no stack
 * unless it is asked for: most of them are made and thrown away, and the stack is the dearest part of them.
 */
export function seedGlobals(random: Random, withStacks: boolean): () => void {
  if (SEEDED in Math.random) throw new Error('simulate: another simulation is running; wait for it first')
  const original = Math.random
  Math.random = Object.assign(() => random.next(), { [SEEDED]: true })
  const word = (): string =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  const replace = (name: 'randomUUID' | 'getRandomValues', value: unknown): void => {
    Object.defineProperty(crypto, name, { configurable: true, writable: true, value })
  }
  replace('randomUUID', () => `${word()}-0000-4000-8000-${word()}${word().slice(4)}`)
  replace('getRandomValues', (array: Uint8Array) => {
    for (let i = 0; i < array.length; i++) array[i] = random.below(256)
    return array
  })
  const { stackTraceLimit } = Error
  if (!withStacks) Error.stackTraceLimit = 0
  return () => {
    Error.stackTraceLimit = stackTraceLimit
    Math.random = original
    // What was put on the object hid the methods of its class.
    Reflect.deleteProperty(crypto, 'randomUUID')
    Reflect.deleteProperty(crypto, 'getRandomValues')
  }
}
