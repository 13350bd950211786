import { isUtf8 } from 'node:buffer'
import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib'
import { decodeTagged, encodeTagged, numberText } from './codec-tagged.ts'
import { PalierError } from './errors.ts'
import { adoptSnapshot, DEFAULT_LIMITS, type Snapshot, type SnapshotLimits, takeSnapshot } from './snapshot.ts'
import { bytesOf, errorParts, isBinaryKind, isErrorKind, kindOf } from './snapshot-kinds.ts'

/*
 * Turns snapshots into bytes for shared stores, and back. A plain value is JSON and nothing else; any other is in the
 * tagged form. Above a size the bytes are deflated, if that saves a tenth. Raw deflate, as a record has its own length
 * and checksum.
 *
 * `form`, one byte of the record:  bit 0      0 JSON, 1 tagged
 *                                  bits 1..2  0 as it is, 1 raw deflate (2 and 3: not yet used)
 *                                  bits 3..7  0
 */

export interface Encoded {
  readonly payload: Uint8Array
  readonly form: number
  /** Bytes of the payload before compression. */
  readonly size: number
}

export interface EncodeOptions {
  /** Bytes above which compression is tried; false: never. */
  readonly compressAbove: number | false
}

/**
 * Snapshots to bytes and back. Both ways answer at once for small values and with a promise for large ones, so that the
 * event loop is not held up by compression. Errors are thrown, or rejections if the answer is a promise.
 */
export interface Codec {
  /** PALIER_TOO_LARGE when the bytes before compression are above the limit. */
  encode(snapshot: Snapshot, options: EncodeOptions): Encoded | Promise<Encoded>
  /**
   * `form` and `size` are those of `Encoded`. PALIER_DAMAGED for all that `encode` does not make: whatever the bytes
   * are, it takes no more memory than a value of `size` bytes does, nor more stack than `maxDepth` levels.
   */
  decode(payload: Uint8Array, form: number, size: number): Snapshot | Promise<Snapshot>
}

const TAGGED = 1
const DEFLATED = 2
const KNOWN = TAGGED | DEFLATED

/** Larger payloads go through zlib's thread pool: below, the way there costs more than the work. */
const SYNC_BYTES = 64 * 1024
const LEAST_SAVED = 0.1
const LEVEL = 1

export function createCodec(limits: SnapshotLimits): Codec {
  return {
    encode: (snapshot, options) => encode(snapshot, options, limits),
    decode: (payload, form, size) => decode(payload, form, size, limits),
  }
}

function encode(snapshot: Snapshot, options: EncodeOptions, limits: SnapshotLimits): Encoded | Promise<Encoded> {
  const bytes = write(snapshot)
  const size = bytes.length
  if (size > limits.maxBytes) {
    const message = `value: encoded, it takes ${size} bytes; the limit is ${limits.maxBytes} bytes`
    throw new PalierError('PALIER_TOO_LARGE', message)
  }
  const form = snapshot.plain ? 0 : TAGGED
  const whole: Encoded = { payload: bytes, form, size }
  const { compressAbove } = options
  if (compressAbove === false || size <= compressAbove) return whole
  const smaller = (deflated: Buffer): Encoded =>
    deflated.length <= size * (1 - LEAST_SAVED) ? { payload: deflated, form: form | DEFLATED, size } : whole
  if (size <= SYNC_BYTES) return smaller(deflateRawSync(bytes, { level: LEVEL }))
  return new Promise((resolve, reject) => {
    deflateRaw(bytes, { level: LEVEL }, (error, deflated) => {
      if (error === null) resolve(smaller(deflated))
      else reject(error)
    })
  })
}

function write(snapshot: Snapshot): Buffer {
  try {
    return snapshot.plain ? Buffer.from(JSON.stringify(snapshot.value)) : encodeTagged(snapshot)
  } catch (cause) {
    // What the engine says when a text would be longer than any text may be, whatever the limits are.
    const code = cause instanceof RangeError ? 'PALIER_TOO_LARGE' : 'PALIER_NOT_ENCODABLE'
    throw new PalierError(code, 'value: it cannot be written', { cause })
  }
}

function decode(payload: Uint8Array, form: number, size: number, limits: SnapshotLimits): Snapshot | Promise<Snapshot> {
  if (!Number.isInteger(form) || (form & ~KNOWN) !== 0) throw damaged(`the form ${form} is unknown`)
  if (!Number.isSafeInteger(size) || size < 0 || size > limits.maxBytes) throw damaged(`a size of ${size} bytes`)
  const bytes = asBuffer(payload)
  if ((form & DEFLATED) === 0) return read(bytes, form, size, limits)
  // More bytes than the value has would be a stream that says nothing for long.
  if (bytes.length >= size) throw damaged('it is larger compressed than not')
  if (size <= SYNC_BYTES) return read(inflateSync(bytes, size), form, size, limits)
  return new Promise((resolve, reject) => {
    inflateRaw(bytes, { maxOutputLength: size, chunkSize: SYNC_BYTES }, (error, inflated) => {
      try {
        if (error !== null) throw damaged('it cannot be inflated', error)
        resolve(read(inflated, form, size, limits))
      } catch (failure) {
        reject(failure instanceof Error ? failure : damaged('it cannot be read', failure))
      }
    })
  })
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function inflateSync(bytes: Buffer, size: number): Buffer {
  try {
    // One output buffer, a byte longer than the value: zlib then sees the end without asking for a second one.
    return inflateRawSync(bytes, { maxOutputLength: size, chunkSize: Math.max(size + 1, 64) })
  } catch (cause) {
    throw damaged('it cannot be inflated', cause)
  }
}

function read(bytes: Buffer, form: number, size: number, limits: SnapshotLimits): Snapshot {
  if (bytes.length !== size) throw damaged(`it has ${bytes.length} bytes, not ${size}`)
  try {
    // `toString` would replace what is not UTF-8, and damage would pass for a value.
    if ((form & TAGGED) !== 0) return adoptSnapshot(decodeTagged(bytes, limits.maxDepth), limits, 'tagged')
    if (!isUtf8(bytes)) throw damaged('it is not UTF-8')
    // No recursion in there: JSON.parse stands any depth, and the walk behind it stops at the limit.
    return adoptSnapshot(JSON.parse(bytes.toString()), limits, 'json')
  } catch (cause) {
    throw cause instanceof PalierError && cause.code === 'PALIER_DAMAGED' ? cause : damaged('it cannot be read', cause)
  }
}

function damaged(reason: string, cause?: unknown): PalierError {
  return new PalierError('PALIER_DAMAGED', `a stored value cannot be read: ${reason}`, { cause })
}

/**
 * A text that no other value has: for keys made from arguments. Keys of objects are sorted; Maps and Sets are not, as
 * their order is part of what they are. 1, '1' and 1n differ, so do undefined, null and a hole, a Map and an object, a
 * Buffer and a Uint8Array. Throws PALIER_NOT_ENCODABLE or PALIER_TOO_LARGE; the message begins with `root`.
 */
export function canonicalText(value: unknown, root: string = 'value'): string {
  return textOf(takeSnapshot(value, DEFAULT_LIMITS, root).value)
}

/** Each form begins unlike all others and says where it ends, so that no two values can run into one text. */
function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return numberText(value)
    case 'bigint':
      return `${value.toString(16)}n`
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? `[${arrayTexts(value)}]` : objectText(value)
    default:
      return String(value)
  }
}

function arrayTexts(values: readonly unknown[]): string {
  let text = ''
  for (let i = 0; i < values.length; i++) text += `${i === 0 ? '' : ','}${i in values ? textOf(values[i]) : 'hole'}`
  return text
}

function objectText(value: object): string {
  const kind = kindOf(value)
  if (kind === undefined) {
    const texts = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, property]) => `${JSON.stringify(key)}:${textOf(property)}`)
    return `{${texts.join(',')}}`
  }
  if (isBinaryKind(kind)) {
    const bytes = bytesOf(value as ArrayBuffer | ArrayBufferView)
    return `${kind}(${asBuffer(bytes).toString('hex')})`
  }
  if (isErrorKind(kind)) {
    const { name, message, ...rest } = errorParts(value as Error)
    return `${kind}(${arrayTexts([name, message, ...Object.values(rest)])})`
  }
  return `${kind}(${exoticText(value)})`
}

function exoticText(value: object): string {
  if (value instanceof Date) return numberText(value.getTime())
  if (value instanceof RegExp) return arrayTexts([value.source, value.flags])
  if (value instanceof URL) return textOf(value.href)
  if (value instanceof Set) return arrayTexts([...value])
  return value instanceof Map ? arrayTexts([...value].flat()) : ''
}
