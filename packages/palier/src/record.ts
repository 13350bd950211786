import { crc32 } from 'node:zlib'

/** A named stamp as it was when the load of an entry began. */
export interface StampRef {
  readonly name: string
  /** 16 hexadecimal digits: 64 random bits. */
  readonly value: string
}

/** What a record says of its entry, all but the payload. Times are milliseconds. */
export interface RecordHead {
  /** The full key; compared on reading. */
  readonly key: string
  /** Wall clock of the writer when the load began. */
  readonly createdAt: number
  readonly ttl: number
  readonly grace: number
  /** How long the factory took: what early refresh reckons with. */
  readonly cost: number
  /** Number of the newest pattern rule known when the load began. */
  readonly mark: number
  /** How the payload is written: see the codec. */
  readonly form: number
  /** Bytes of the payload once inflated. */
  readonly size: number
  readonly stamps: readonly StampRef[]
}

export interface DecodedRecord extends RecordHead {
  readonly payload: Uint8Array
}

/*
 * Version 1, big-endian. Another version or anything that does not verify is not a record.
 *
 *   0  'P' 'L'          2 bytes
 *   2  version          u8
 *   3  form             u8
 *   4  crc32            u32, of everything from byte 8 on and of bytes 0..3
 *   8  createdAt        f64
 *  16  ttl              f64
 *  24  grace            f64
 *  32  cost             u32
 *  36  mark             u32
 *  40  size             u32
 *  44  key length       u16 (0xffff: a u32 follows the fixed part)
 *  46  stamp count      u16
 *  48  [key length u32] key, then per stamp: name length u16, name, 8 bytes; then the payload
 */
const VERSION = 1
const FIXED = 48
const LONG_KEY = 0xffff

/** The bytes that tell one record from another of the same key: checksum and creation. */
const HEAD_START = 4
const HEAD_END = 16

export function encodeRecord(head: RecordHead, payload: Uint8Array): Buffer {
  const keyBytes = Buffer.byteLength(head.key)
  const long = keyBytes >= LONG_KEY
  let total = FIXED + (long ? 4 : 0) + keyBytes + payload.length
  for (const stamp of head.stamps) total += 2 + Buffer.byteLength(stamp.name) + 8
  const bytes = Buffer.allocUnsafe(total)
  bytes[0] = 0x50
  bytes[1] = 0x4c
  bytes[2] = VERSION
  bytes[3] = head.form
  bytes.writeDoubleBE(head.createdAt, 8)
  bytes.writeDoubleBE(head.ttl, 16)
  bytes.writeDoubleBE(head.grace, 24)
  bytes.writeUInt32BE(Math.min(Math.round(head.cost), 0xffffffff), 32)
  bytes.writeUInt32BE(head.mark, 36)
  bytes.writeUInt32BE(head.size, 40)
  bytes.writeUInt16BE(long ? LONG_KEY : keyBytes, 44)
  bytes.writeUInt16BE(head.stamps.length, 46)
  let at = FIXED
  if (long) at = bytes.writeUInt32BE(keyBytes, at)
  at += bytes.write(head.key, at)
  for (const stamp of head.stamps) {
    const length = bytes.write(stamp.name, at + 2)
    bytes.writeUInt16BE(length, at)
    at += 2 + length
    at += bytes.write(stamp.value, at, 8, 'hex')
  }
  bytes.set(payload, at)
  bytes.writeUInt32BE(checksum(bytes), HEAD_START)
  return bytes
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(8), crc32(bytes.subarray(0, 4)))
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function isRecord(bytes: Buffer): boolean {
  return bytes.length >= FIXED && bytes[0] === 0x50 && bytes[1] === 0x4c && bytes[2] === VERSION
}

/** The whole record, or undefined when it is damaged, cut short, or of a version this code does not know. */
export function decodeRecord(source: Uint8Array): DecodedRecord | undefined {
  const bytes = asBuffer(source)
  if (!isRecord(bytes) || bytes.readUInt32BE(HEAD_START) !== checksum(bytes)) return undefined
  const keyEnd = keyBounds(bytes)
  let at = keyEnd.end
  const count = bytes.readUInt16BE(46)
  const stamps: StampRef[] = []
  for (let i = 0; i < count; i++) {
    const length = bytes.readUInt16BE(at)
    const name = bytes.toString('utf8', at + 2, at + 2 + length)
    at += 2 + length
    stamps.push({ name, value: bytes.toString('hex', at, at + 8) })
    at += 8
  }
  return {
    key: bytes.toString('utf8', keyEnd.start, keyEnd.end),
    createdAt: bytes.readDoubleBE(8),
    ttl: bytes.readDoubleBE(16),
    grace: bytes.readDoubleBE(24),
    cost: bytes.readUInt32BE(32),
    mark: bytes.readUInt32BE(36),
    size: bytes.readUInt32BE(40),
    form: bytes[3] ?? 0,
    stamps,
    payload: bytes.subarray(at),
  }
}

function keyBounds(bytes: Buffer): { start: number; end: number } {
  const short = bytes.readUInt16BE(44)
  if (short !== LONG_KEY) return { start: FIXED, end: FIXED + short }
  return { start: FIXED + 4, end: FIXED + 4 + bytes.readUInt32BE(FIXED) }
}

/** The key a record claims, without verifying the rest; undefined when these bytes cannot be a record. */
export function recordKey(source: Uint8Array): string | undefined {
  const bytes = asBuffer(source)
  if (!isRecord(bytes)) return undefined
  const { start, end } = keyBounds(bytes)
  return end <= bytes.length ? bytes.toString('utf8', start, end) : undefined
}

/** What tells this record from any other of its key: see `Claim.seen`. */
export function recordHead(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(HEAD_START, HEAD_END)
}

/** Where `recordHead` lies, for stores that compare it on their side. */
export const RECORD_HEAD: { readonly start: number; readonly end: number } = { start: HEAD_START, end: HEAD_END }
