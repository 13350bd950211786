import { crc32 } from 'node:zlib'
import { badOption, PalierError, shown } from './errors.ts'

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
  /** The `id` of the cache that wrote it: 16 hexadecimal digits; absent for nobody's. */
  readonly writer?: string
  readonly stamps: readonly StampRef[]
}

export interface DecodedRecord extends RecordHead {
  readonly writer: string
  readonly payload: Uint8Array
}

/*
 * Version 2, big-endian. Another version or anything that does not verify is not a record.
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
 *  48  writer           8 bytes
 *  56  [key length u32] key, then per stamp: name length u16, name, 8 bytes; then the payload
 *
 * Version 1 had no writer, and is read as nobody's.
 */
const VERSION = 2
const FIXED = 56
const OLD_VERSION = 1
const OLD_FIXED = 48
const LONG_KEY = 0xffff

/** The bytes that tell one record from another of the same key: checksum and creation. */
const HEAD_START = 4
const HEAD_END = 16

const MAX_U16 = 0xffff
const MAX_U32 = 0xffff_ffff
const STAMP_BYTES = 8
const NOBODY = '0000000000000000'
const HEX = /^[0-9a-f]{16}$/i

/**
 * The bytes of a record. PALIER_TOO_LARGE when a length or number does not fit its field, PALIER_BAD_KEY for a stamp
 * whose name does not, PALIER_BAD_OPTION for what no caller should pass: times that are no numbers, a stamp or a
 * writer that is not 16 hexadecimal digits.
 */
export function encodeRecord(head: RecordHead, payload: Uint8Array): Buffer {
  checkHead(head)
  const keyBytes = Buffer.byteLength(head.key)
  const long = keyBytes >= LONG_KEY
  let total = FIXED + (long ? 4 : 0) + keyBytes + payload.length
  for (const stamp of head.stamps) total += 2 + stampNameBytes(stamp) + STAMP_BYTES
  const bytes = Buffer.allocUnsafe(total)
  bytes[0] = 0x50
  bytes[1] = 0x4c
  bytes[2] = VERSION
  bytes[3] = head.form
  bytes.writeDoubleBE(head.createdAt, 8)
  bytes.writeDoubleBE(head.ttl, 16)
  bytes.writeDoubleBE(head.grace, 24)
  // An estimate, so that a clock that went wrong costs a number and not the record.
  bytes.writeUInt32BE(Math.min(Math.max(Math.round(head.cost) || 0, 0), MAX_U32), 32)
  bytes.writeUInt32BE(head.mark, 36)
  bytes.writeUInt32BE(head.size, 40)
  bytes.writeUInt16BE(long ? LONG_KEY : keyBytes, 44)
  bytes.writeUInt16BE(head.stamps.length, 46)
  bytes.write(head.writer ?? NOBODY, 48, STAMP_BYTES, 'hex')
  let at = FIXED
  if (long) at = bytes.writeUInt32BE(keyBytes, at)
  at += bytes.write(head.key, at)
  for (const stamp of head.stamps) {
    const length = bytes.write(stamp.name, at + 2)
    bytes.writeUInt16BE(length, at)
    at += 2 + length
    at += bytes.write(stamp.value, at, STAMP_BYTES, 'hex')
  }
  bytes.set(payload, at)
  bytes.writeUInt32BE(checksum(bytes), HEAD_START)
  return bytes
}

function checkHead(head: RecordHead): void {
  if (!Number.isFinite(head.createdAt)) throw badOption('record createdAt', 'milliseconds', head.createdAt)
  for (const name of ['ttl', 'grace'] as const) {
    if (!isSpan(head[name])) throw badOption(`record ${name}`, 'milliseconds, 0 or more', head[name])
  }
  if (head.writer !== undefined && !HEX.test(head.writer))
    throw badOption('record writer', '16 hexadecimal digits', head.writer)
  if (!fits(head.form, 0xff)) throw badOption('record form', 'one byte', head.form)
  for (const name of ['mark', 'size'] as const) {
    if (!fits(head[name], MAX_U32)) throw tooLarge(`the ${name} ${shown(head[name])}`, head.key)
  }
  if (head.stamps.length > MAX_U16) throw tooLarge(`the number of stamps, ${head.stamps.length},`, head.key)
}

function isSpan(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}

function fits(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most
}

function tooLarge(what: string, key: string): PalierError {
  return new PalierError('PALIER_TOO_LARGE', `${what} does not fit into a record`, { key })
}

function stampNameBytes(stamp: StampRef): number {
  // Fewer digits would leave bytes unwritten: foreign memory would go into the record.
  if (!HEX.test(stamp.value)) throw badOption('stamp', '16 hexadecimal digits', stamp.value)
  const length = Buffer.byteLength(stamp.name)
  if (length <= MAX_U16) return length
  throw new PalierError('PALIER_BAD_KEY', `a tag takes ${length} bytes, at most ${MAX_U16} are possible`)
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(8), crc32(bytes.subarray(0, 4)))
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function fixedOf(bytes: Buffer): number {
  return bytes[2] === OLD_VERSION ? OLD_FIXED : FIXED
}

function isRecord(bytes: Buffer): boolean {
  const known = bytes[2] === VERSION || bytes[2] === OLD_VERSION
  return bytes.length >= fixedOf(bytes) && bytes[0] === 0x50 && bytes[1] === 0x4c && known
}

/** The whole record, or undefined when it is damaged, cut short, or of a version this code does not know. Never throws. */
export function decodeRecord(source: Uint8Array): DecodedRecord | undefined {
  const bytes = asBuffer(source)
  if (!isRecord(bytes) || bytes.readUInt32BE(HEAD_START) !== checksum(bytes)) return undefined
  // A right checksum says that the bytes arrived, not that whoever wrote them told the truth: lengths are checked still.
  const key = keyBounds(bytes)
  const list = key === undefined ? undefined : readStamps(bytes, key.end)
  if (key === undefined || list === undefined) return undefined
  const createdAt = bytes.readDoubleBE(8)
  const ttl = bytes.readDoubleBE(16)
  const grace = bytes.readDoubleBE(24)
  if (!Number.isFinite(createdAt) || !isSpan(ttl) || !isSpan(grace)) return undefined
  return {
    key: bytes.toString('utf8', key.start, key.end),
    createdAt,
    ttl,
    grace,
    cost: bytes.readUInt32BE(32),
    mark: bytes.readUInt32BE(36),
    size: bytes.readUInt32BE(40),
    form: bytes[3] ?? 0,
    writer: fixedOf(bytes) === FIXED ? bytes.toString('hex', OLD_FIXED, FIXED) : NOBODY,
    stamps: list.stamps,
    payload: bytes.subarray(list.end),
  }
}

function readStamps(bytes: Buffer, start: number): { stamps: StampRef[]; end: number } | undefined {
  const count = bytes.readUInt16BE(46)
  const stamps: StampRef[] = []
  let at = start
  for (let i = 0; i < count; i++) {
    if (at + 2 > bytes.length) return undefined
    const nameEnd = at + 2 + bytes.readUInt16BE(at)
    const end = nameEnd + STAMP_BYTES
    if (end > bytes.length) return undefined
    stamps.push({ name: bytes.toString('utf8', at + 2, nameEnd), value: bytes.toString('hex', nameEnd, end) })
    at = end
  }
  return { stamps, end: at }
}

/** Where the key lies; undefined when it would lie beyond the end. */
function keyBounds(bytes: Buffer): { start: number; end: number } | undefined {
  const short = bytes.readUInt16BE(44)
  const fixed = fixedOf(bytes)
  const start = short === LONG_KEY ? fixed + 4 : fixed
  if (start > bytes.length) return undefined
  const end = start + (short === LONG_KEY ? bytes.readUInt32BE(fixed) : short)
  return end <= bytes.length ? { start, end } : undefined
}

/** The key a record claims, without verifying the rest; undefined when these bytes cannot be a record. Never throws. */
export function recordKey(source: Uint8Array): string | undefined {
  const bytes = asBuffer(source)
  const bounds = isRecord(bytes) ? keyBounds(bytes) : undefined
  return bounds === undefined ? undefined : bytes.toString('utf8', bounds.start, bounds.end)
}

/** What tells this record from any other of its key: see `Claim.seen`. */
export function recordHead(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(HEAD_START, HEAD_END)
}

/** Where `recordHead` lies, for stores that compare it on their side. */
export const RECORD_HEAD: { readonly start: number; readonly end: number } = { start: HEAD_START, end: HEAD_END }
