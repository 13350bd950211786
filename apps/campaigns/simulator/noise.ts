import { createHash } from 'node:crypto'

/** Seeded noise: the same seed and the same requests in the same order give the same ids and the same batches. */
export interface Noise {
  /** From 0 up to, not including, 1. */
  share(): number
  bytes(length: number): Buffer
}

export function createNoise(seed: string): Noise {
  let drawn = 0
  const draw = (): Buffer => createHash('sha256').update(`${seed}:${drawn++}`).digest()
  return {
    share: () => draw().readUInt32BE() / 0x100000000,
    bytes: length => draw().subarray(0, length),
  }
}
