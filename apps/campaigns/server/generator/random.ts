/** A small seeded generator, because the same seed must give the same rows on every machine and every Node. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number
  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number
  /** Sixteen hexadecimal digits. */
  hex16(): string
  /** Exponentially distributed around its mean: most delays are short, a few are long. */
  delay(mean: number): number
  pick<T>(list: readonly [T, ...T[]]): T
}

/**
 * sfc32, public domain, from PractRand. Streams of one seed are independent: one kind of row may draw more or less without
 * changing the others.
 */
export function createRandom(seed: number, stream = 0): Random {
  let a = (0x9e3779b9 + stream) | 0
  let b = seed | 0
  let c = Math.trunc(seed / 0x100000000) | 0
  let counter = 1
  const next32 = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 0
  }
  for (let round = 0; round < 15; round++) next32()
  const next = (): number => next32() / 0x100000000
  const below = (end: number): number => Math.floor(next() * end)
  const hex8 = (): string => next32().toString(16).padStart(8, '0')
  return {
    next,
    below,
    hex16: () => hex8() + hex8(),
    delay: mean => Math.round(-Math.log(1 - next()) * mean),
    pick: list => list[below(list.length)] ?? list[0],
  }
}
