import { randomFillSync } from 'node:crypto'

/**
 * Ids are UUIDv7 made here and not by the database: the three engines then agree, MySQL needs no RETURNING, and new rows
 * land at the end of each index. Ids of one source never go backwards, so rows made in the same millisecond, or after
 * the clock was set back, still sort in the order they were made.
 */
export type IdSource = () => string

const COUNTER_END = 0x1000

export function createIdSource(now: () => number): IdSource {
  const random = new Uint8Array(10)
  let last = 0
  let counter = 0
  return () => {
    const time = now()
    randomFillSync(random)
    if (time > last) {
      last = time
      // The upper half stays free, so that a burst within the millisecond has at least 2,048 ids before it borrows time.
      counter = (((random[0] ?? 0) << 8) | (random[1] ?? 0)) & 0x7ff
    } else if (++counter === COUNTER_END) {
      last++
      counter = 0
    }
    return uuidv7(last, counter, Buffer.from(random.buffer, 2, 8).toString('hex'))
  }
}

/** Puts a UUIDv7 together: milliseconds, 12 bits that keep the order, and 16 hexadecimal digits of noise. */
export function uuidv7(time: number, counter: number, noise: string): string {
  const ms = time.toString(16).padStart(12, '0')
  const variant = ((Number.parseInt(noise.slice(0, 1), 16) & 0x3) | 0x8).toString(16)
  const order = counter.toString(16).padStart(3, '0')
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${order}-${variant}${noise.slice(1, 4)}-${noise.slice(4)}`
}
