import { isUtf8 } from 'node:buffer'
import { PalierError } from './errors.ts'
import { DEEPEST, type Snapshot } from './snapshot.ts'
import {
  binaryOf,
  bytesOf,
  type ErrorParts,
  errorOf,
  errorParts,
  isBinaryKind,
  isErrorKind,
  kindOf,
} from './snapshot-kinds.ts'

/*
 * The tagged form: JSON for what JSON can say, and an object whose only key is `$` for what it cannot:
 *
 *   {"$":["undefined"]}  {"$":["hole"]}  {"$":["number","-0"]}  {"$":["bigint","-ff"]}  {"$":["Date",0]}  (null: invalid)
 *   {"$":["Map",key,value,...]}  {"$":["Set",element,...]}  {"$":["RegExp",source,flags]}  {"$":["URL",href]}
 *   {"$":["TypeError",message,name or null,cause?]}  {"$":["Uint8Array",bytes]}, and so on for all binary kinds
 *
 * A key of the user's that begins with `$` gets one more `$`, so nothing a user stores can look like a tag. Binary data
 * stands behind the JSON as it is, in the order of its tags: no base64, and no byte can be claimed twice.
 *
 *   0  length of the JSON   u32, big-endian
 *   4  the JSON, then the binary data
 */

const MARK = '$'

/** Shared: they are only written out, never handed to anyone. */
const UNDEFINED = { [MARK]: ['undefined'] }
const HOLE = { [MARK]: ['hole'] }

export function encodeTagged(snapshot: Snapshot): Buffer {
  const blobs: Uint8Array[] = []
  const text = JSON.stringify(tag(snapshot.value, blobs))
  const length = Buffer.byteLength(text)
  let total = 4 + length
  for (const blob of blobs) total += blob.length
  const bytes = Buffer.allocUnsafe(total)
  bytes.writeUInt32BE(length)
  let at = 4 + bytes.write(text, 4)
  for (const blob of blobs) {
    bytes.set(blob, at)
    at += blob.length
  }
  return bytes
}

/** What JSON can write unchanged is not copied: the very same object comes back. */
function tag(value: unknown, blobs: Uint8Array[]): unknown {
  switch (typeof value) {
    case 'undefined':
      return UNDEFINED
    case 'bigint':
      // Hexadecimal is read in linear time; a long decimal number from a foreign hand is not.
      return { [MARK]: ['bigint', value.toString(16)] }
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { [MARK]: ['number', numberText(value)] }
    case 'object':
      if (value === null) return null
      if (Array.isArray(value)) return tagArray(value, blobs)
      return kindOf(value) === undefined ? tagObject(value, blobs) : { [MARK]: exoticParts(value, blobs) }
    default:
      return value
  }
}

export function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function tagArray(value: unknown[], blobs: Uint8Array[]): unknown[] {
  let changed: unknown[] | undefined
  for (let i = 0; i < value.length; i++) {
    const tagged = i in value ? tag(value[i], blobs) : HOLE
    if (tagged === value[i]) continue
    changed ??= value.slice()
    changed[i] = tagged
  }
  return changed ?? value
}

function tagObject(value: object, blobs: Uint8Array[]): object {
  const entries = Object.entries(value)
  let changed = false
  for (const entry of entries) {
    const tagged = tag(entry[1], blobs)
    if (tagged !== entry[1] || entry[0].startsWith(MARK)) changed = true
    if (entry[0].startsWith(MARK)) entry[0] = MARK + entry[0]
    entry[1] = tagged
  }
  // `fromEntries` defines properties, so that a key `__proto__` is a key like any other.
  return changed ? Object.fromEntries(entries) : value
}

function exoticParts(value: object, blobs: Uint8Array[]): unknown[] {
  const kind = kindOf(value)
  if (kind === undefined) throw new PalierError('PALIER_NOT_ENCODABLE', 'value: expected a value taken by a snapshot')
  if (isBinaryKind(kind)) {
    const bytes = bytesOf(value as ArrayBuffer | ArrayBufferView)
    blobs.push(bytes)
    return [kind, bytes.length]
  }
  if (isErrorKind(kind)) {
    const { message, name = null, ...rest } = errorParts(value as Error)
    return Object.hasOwn(rest, 'cause') ? [kind, message, name, tag(rest.cause, blobs)] : [kind, message, name]
  }
  const parts: unknown[] = [kind]
  if (value instanceof Date) parts.push(Number.isNaN(value.getTime()) ? null : value.getTime())
  else if (value instanceof RegExp) parts.push(value.source, value.flags)
  else if (value instanceof URL) parts.push(value.href)
  else if (value instanceof Set) for (const element of value) parts.push(tag(element, blobs))
  else if (value instanceof Map) for (const [key, entry] of value) parts.push(tag(key, blobs), tag(entry, blobs))
  return parts
}

interface Reader {
  readonly bytes: Buffer
  /** Where the next binary data begins. */
  at: number
  readonly maxDepth: number
}

/** Stands for a hole until its array deletes it; never leaves this file. */
const ABSENT = Symbol('hole')

/** Throws whatever comes up on damaged bytes; the codec makes one error of it. */
export function decodeTagged(bytes: Buffer, maxDepth: number): unknown {
  const length = bytes.readUInt32BE(0)
  if (length > bytes.length - 4) throw damaged('its JSON is cut short')
  if (!isUtf8(bytes.subarray(4, 4 + length))) throw damaged('it is not UTF-8')
  const reader = { bytes, at: 4 + length, maxDepth: Math.min(maxDepth, DEEPEST) }
  const value = untag(reader, JSON.parse(bytes.toString('utf8', 4, reader.at)), 0)
  if (reader.at !== bytes.length) throw damaged('bytes are left over')
  if (value === ABSENT) throw damaged('a hole outside an array')
  return value
}

/** Works in place: the tree was just parsed, no one else holds it. */
function untag(reader: Reader, value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  // One level more than values may have: a tag may stand for what is no container.
  if (depth > reader.maxDepth) throw damaged('it is nested too deeply')
  if (Array.isArray(value)) return untagArray(reader, value, depth)
  if (Object.hasOwn(value, MARK)) return untagExotic(reader, value, depth)
  return untagObject(reader, value, depth)
}

function untagArray(reader: Reader, value: unknown[], depth: number): unknown[] {
  for (let i = 0; i < value.length; i++) {
    const part = value[i]
    if (typeof part !== 'object' || part === null) continue
    const read = untag(reader, part, depth + 1)
    if (read === ABSENT) Reflect.deleteProperty(value, i)
    else value[i] = read
  }
  return value
}

function untagObject(reader: Reader, value: object, depth: number): object {
  const entries = Object.entries(value)
  let renamed = false
  for (const entry of entries) {
    const escaped = entry[0].startsWith(MARK)
    if (escaped && !entry[0].startsWith(MARK + MARK)) throw damaged('an unknown mark')
    if (escaped) entry[0] = entry[0].slice(1)
    renamed ||= escaped
    const read = untag(reader, entry[1], depth + 1)
    if (read === ABSENT) throw damaged('a hole outside an array')
    // An own `__proto__` is there already, as JSON.parse made it: assigning to it touches no prototype.
    if (read !== entry[1] && !escaped) (value as Record<string, unknown>)[entry[0]] = read
    entry[1] = read
  }
  return renamed ? Object.fromEntries(entries) : value
}

function untagExotic(reader: Reader, value: object, depth: number): unknown {
  const parts: unknown = Reflect.get(value, MARK)
  if (!Array.isArray(parts) || Object.keys(value).length !== 1) throw damaged('a tag that is none')
  const [kind, first, second]: unknown[] = parts
  if (typeof kind !== 'string') throw damaged('a tag without a kind')
  if (kind === 'Map' || kind === 'Set') return untagCollection(reader, kind, parts, depth)
  if (isErrorKind(kind)) {
    if (parts.length < 3 || parts.length > 4) throw damaged('an error of another form')
    const name = second === null ? {} : { name: text(second) }
    const cause = parts.length === 4 ? { cause: present(untag(reader, parts[3], depth + 1)) } : {}
    return errorOf(kind, { ...name, message: text(first), ...cause } satisfies ErrorParts)
  }
  if (parts.length !== (kind === 'RegExp' ? 3 : kind === 'undefined' || kind === 'hole' ? 1 : 2)) {
    throw damaged('a tag of another form')
  }
  if (isBinaryKind(kind)) return binaryOf(kind, take(reader, first))
  switch (kind) {
    case 'undefined':
      return undefined
    case 'hole':
      return ABSENT
    case 'number':
      return number(first)
    case 'bigint':
      return bigint(text(first))
    case 'Date':
      return new Date(first === null ? Number.NaN : finite(first))
    case 'RegExp':
      return new RegExp(text(first), text(second))
    case 'URL':
      return new URL(text(first))
    default:
      throw damaged('an unknown tag')
  }
}

function untagCollection(reader: Reader, kind: 'Map' | 'Set', parts: unknown[], depth: number): unknown {
  const read = parts.slice(1).map(part => present(untag(reader, part, depth + 1)))
  if (kind === 'Set') return new Set(read)
  if (read.length % 2 !== 0) throw damaged('a key without a value')
  const map = new Map<unknown, unknown>()
  for (let i = 0; i < read.length; i += 2) map.set(read[i], read[i + 1])
  return map
}

function take(reader: Reader, length: unknown): Uint8Array {
  const start = reader.at
  const end = start + finite(length)
  if (!Number.isSafeInteger(end) || end < start || end > reader.bytes.length) throw damaged('binary data is cut short')
  reader.at = end
  return reader.bytes.subarray(start, end)
}

function present(value: unknown): unknown {
  if (value === ABSENT) throw damaged('a hole outside an array')
  return value
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw damaged('a text is missing')
  return value
}

function finite(value: unknown): number {
  if (typeof value !== 'number') throw damaged('a number is missing')
  return value
}

function number(value: unknown): number {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity' || value === '-0') return Number(value)
  throw damaged('a number of another form')
}

function bigint(hex: string): bigint {
  if (!/^-?[0-9a-f]+$/.test(hex)) throw damaged('a bigint of another form')
  return hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`)
}

function damaged(reason: string): PalierError {
  return new PalierError('PALIER_DAMAGED', `a stored value cannot be read: ${reason}`)
}
