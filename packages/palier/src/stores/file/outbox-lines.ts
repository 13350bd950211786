import { crc32 } from 'node:zlib'
import type { Being } from './owner.ts'

/*
 * What stands in a file of the outbox journal: a head and then a line each, all of the form
 *
 *   <crc32, 8 hex digits> <JSON>\n        the sum is of the JSON's bytes
 *
 * so that a line keeps any text on one line and a line that was not written whole does not verify.
 */
export interface Owner extends Being {
  readonly host: string
}

export interface Read {
  /** Undefined: the head is damaged. */
  readonly owner: Owner | undefined
  readonly lines: readonly string[]
  /** Damaged lines that a good one follows: what was acknowledged once, and is lost. A torn end never was. */
  readonly lost: number
}

const VERSION = 1
const NEWLINE = 10
const SUM = 9

function encode(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value))
  const sum = crc32(body).toString(16).padStart(8, '0')
  return Buffer.concat([Buffer.from(`${sum} `), body, Buffer.from('\n')])
}

function decode(bytes: Buffer): unknown {
  if (bytes.length <= SUM || bytes[SUM - 1] !== 0x20) return undefined
  const sum = bytes.toString('latin1', 0, SUM - 1)
  if (!/^[0-9a-f]{8}$/.test(sum) || Number.parseInt(sum, 16) !== crc32(bytes.subarray(SUM))) return undefined
  try {
    return JSON.parse(bytes.toString('utf8', SUM))
  } catch {
    return undefined
  }
}

export function encodeHead(owner: Owner): Buffer {
  return encode({ outbox: VERSION, owner })
}

export function encodeLines(lines: readonly string[]): Buffer {
  return Buffer.concat(lines.map(encode))
}

function ownerOf(value: unknown): Owner | undefined {
  if (typeof value !== 'object' || value === null || !('owner' in value)) return undefined
  const owner = value.owner as Partial<Owner> | null
  const { host, boot, space, time, pid, born } = owner ?? {}
  if (typeof host !== 'string' || typeof boot !== 'string' || typeof space !== 'string') return undefined
  if (typeof time !== 'string' || typeof pid !== 'number' || typeof born !== 'string') return undefined
  return { host, boot, space, time, pid, born }
}

/** Never throws: what does not verify is left out. */
export function readOutbox(bytes: Buffer): Read {
  const lines: string[] = []
  let owner: Owner | undefined
  let damaged = 0
  let lost = 0
  for (let at = 0, end = bytes.indexOf(NEWLINE); end >= 0; at = end + 1, end = bytes.indexOf(NEWLINE, at)) {
    const value = decode(bytes.subarray(at, end))
    if (typeof value === 'string') {
      lines.push(value)
      lost = damaged
    } else if (at === 0) owner = ownerOf(value)
    else damaged++
  }
  return { owner, lines, lost }
}
