import { createHash } from 'node:crypto'

/*
 * How keys are named on the server. The value of a key lives at `palier:{ENC}` and its lease at `palier:{ENC}:l`: the
 * braces make both fall into one slot of a cluster, and nothing but ENC ever chooses that slot. ENC is the key with
 * `%`, braces and control characters written as `%XX`; a key whose ENC would be long is named by its SHA-256 instead,
 * and read back from inside its record.
 */

const HEAD = 'palier:{'
const TAIL = '}'
const LEASE_TAIL = '}:l'
const LONGEST = 512
/** A UTF-16 unit is at most 3 bytes of UTF-8, and an escape at most 3 bytes for one unit. */
const SURELY_SHORT = Math.floor(LONGEST / 3)

const ESCAPED = /[%{}\u0000-\u001f\u007f]/g
const NEEDS_ESCAPE = /^#|[%{}\u0000-\u001f\u007f]/

const escapeUnit = (unit: string): string => `%${unit.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

/** The escaped form of a key or of a prefix of keys: the form of a prefix is a prefix of the form. */
function escapeKey(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return text
  const escaped = text.replace(ESCAPED, escapeUnit)
  return escaped.startsWith('#') ? `%23${escaped.slice(1)}` : escaped
}

/** Injective; of at most 512 bytes, never empty for a key of one character or more, and free of braces. */
export function encodeKey(key: string): string {
  const escaped = escapeKey(key)
  if (key.length <= SURELY_SHORT || Buffer.byteLength(escaped) <= LONGEST) return escaped
  return `#${createHash('sha256').update(key).digest('hex')}`
}

export function valueName(encoded: string): string {
  return HEAD + encoded + TAIL
}

export function leaseName(encoded: string): string {
  return HEAD + encoded + LEASE_TAIL
}

/** What a name on the server stands for: a key, a key named by its hash (`undefined`), or nothing of ours (`null`). */
export function keyOfName(name: string): string | undefined | null {
  if (!name.startsWith(HEAD) || !name.endsWith(TAIL)) return null
  const encoded = name.slice(HEAD.length, -TAIL.length)
  if (encoded.startsWith('#')) return undefined
  return encoded.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** In a `MATCH` pattern only these have a meaning; a backslash takes it away. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&')
}

/** `MATCH` patterns that together find the values of all keys starting with `prefix`, each of them once. */
export function valuePatterns(prefix: string): readonly string[] {
  const plain = `${escapeGlob(HEAD + escapeKey(prefix))}*${TAIL}`
  return prefix === '' ? [plain] : [plain, `${HEAD}#*${TAIL}`]
}

export function channelName(channel: string): string {
  return `palier:bus:${encodeKey(channel)}`
}

/** A key in the slot that belongs to a channel: it routes what is published and is never written. */
export function channelRoute(channel: string): string {
  return `palier:bus:{${encodeKey(channel)}}`
}

/** CRC16 as Redis Cluster reckons it (XMODEM), four bits at a time: a table of 16 needs no work at import. */
const CRC16 = [
  0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad,
  0xe1ce, 0xf1ef,
] as const

/** The cluster slot of an encoded key, whatever stands around its braces. */
export function slotOf(encoded: string): number {
  let crc = 0
  for (const byte of Buffer.from(encoded)) {
    crc = ((crc << 4) & 0xffff) ^ (CRC16[((crc >> 12) ^ (byte >> 4)) & 15] ?? 0)
    crc = ((crc << 4) & 0xffff) ^ (CRC16[((crc >> 12) ^ byte) & 15] ?? 0)
  }
  return crc % 16384
}

/** The cluster slot of any name on the server: what stands between its first braces chooses it, else all of it. */
export function slotOfName(name: string): number {
  const start = name.indexOf('{')
  const end = start < 0 ? -1 : name.indexOf('}', start + 1)
  return slotOf(end > start + 1 ? name.slice(start + 1, end) : name)
}
