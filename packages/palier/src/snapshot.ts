import { PalierError, shown } from './errors.ts'
import {
  type Kind,
  kindOf,
  isBinaryKind,
  isErrorKind,
  bytesOf,
  binaryOf,
  errorParts,
  errorOf,
} from './snapshot-kinds.ts'

/*
 * A snapshot is the cache's own copy of a value. What nobody can change is shared: a JSON-plain value is copied once,
 * frozen deeply, and the same reference is handed to every reader. Anything else (a `Date`, a `Map`, a `Buffer`) cannot
 * be frozen, so each reader gets a copy of its own.
 *
 * So that a value is the same from a miss, a near hit and a shared hit, whatever would not survive the way through bytes
 * is settled here, when the copy is made:
 *   - objects without a prototype become ordinary objects; accessors are read once and become plain properties;
 *   - properties that are not enumerable, and named properties of arrays, dates, maps and the like, are left out;
 *   - holes of arrays stay holes; a typed array, DataView or Buffer keeps its window only, in memory of its own;
 *   - a shared reference becomes separate copies; `lastIndex` of a RegExp becomes 0;
 *   - an Error of a built-in class keeps its class, name, message and cause. Its stack is left out (it names files of
 *     one server, and readers may be elsewhere): it becomes the first line, name and message.
 * What has no such form is refused with the path to it: functions, symbols, symbol keys, promises, instances of
 * classes, cycles.
 */

export interface Snapshot {
  /** Deep-frozen when `plain`; otherwise private: hand out `readValue()`, never this. */
  readonly value: unknown
  /** Estimated bytes on the heap. */
  readonly size: number
  /** True when JSON alone can write the value and lose nothing. */
  readonly plain: boolean
}

export interface SnapshotLimits {
  /** Bytes, both as estimated on the heap and as encoded before compression. */
  readonly maxBytes: number
  /** Containers inside one another; above 1000 counts as 1000, so that no walk can overflow the stack. */
  readonly maxDepth: number
}

export const DEFAULT_LIMITS: SnapshotLimits = { maxBytes: 8 * 1024 * 1024, maxDepth: 200 }

/** The most levels any walk descends. */
export const DEEPEST = 1000

const OBJECT_BYTES = 32
const SLOT_BYTES = 8
const STRING_BYTES = 16
const NUMBER_BYTES = 16
const EXOTIC_BYTES = 96
const MAP_SLOT_BYTES = 32
/** Shorter keys are taken as shared by many objects, and cost nothing. */
const LONG_KEY = 32
const LONG_STRING = 256

/** Inside `for in`, V8 proves this one away; `Object.hasOwn` it calls. */
const { hasOwnProperty: hasOwn } = Object.prototype

/** A property, an index, or a part of a Map, Set or Error: `label` says which, with the key if it has one. */
type Segment = string | number | { readonly label: string; readonly key?: unknown }

class Walk {
  size = 0
  plain = true
  /** Of the container entered last. */
  depth = 0
  readonly maxBytes: number
  readonly maxDepth: number
  /** What is to be walked is ours already: freeze it in place instead of copying. */
  readonly adopting: boolean
  readonly root: string
  /** Containers from the root to the present one, and the way to each: needed for cycles and messages only. */
  readonly ancestors: object[] = []
  readonly way: Segment[] = []

  constructor(limits: SnapshotLimits, root: string, adopting: boolean) {
    this.maxBytes = limits.maxBytes
    this.maxDepth = Math.min(limits.maxDepth, DEEPEST)
    this.root = root
    this.adopting = adopting
  }
}

/**
 * A private copy of `value`. Throws PALIER_NOT_ENCODABLE for what cannot be stored and PALIER_TOO_LARGE above
 * `limits.maxBytes`; the message names the place, beginning with `root`.
 */
export function takeSnapshot(value: unknown, limits: SnapshotLimits, root: string = 'value'): Snapshot {
  return walkAll(value, new Walk(limits, root, false))
}

/**
 * A snapshot of a tree that no one else holds, not copied. With `json`, the tree came from `JSON.parse`, which can give
 * nothing but plain values: the short walk is enough. Throws like `takeSnapshot`.
 */
export function adoptSnapshot(value: unknown, limits: SnapshotLimits, source: 'json' | 'tagged'): Snapshot {
  const walk = new Walk(limits, 'value', true)
  if (source === 'tagged') return walkAll(value, walk)
  walk.size = typeof value === 'object' && value !== null ? settle(walk, value, 0) : leafBytes(walk, value, 0, '')
  if (walk.size > walk.maxBytes) throw tooLarge(walk, 0)
  return { value, size: walk.size, plain: walk.plain }
}

/** The value for one reader: the frozen one itself, or a private copy. */
export function readValue(snapshot: Snapshot): unknown {
  return snapshot.plain ? snapshot.value : clone(snapshot.value)
}

function walkAll(value: unknown, walk: Walk): Snapshot {
  try {
    const own = take(walk, value, 0, '')
    if (walk.size > walk.maxBytes) throw tooLarge(walk, 0)
    // Only now is it known. Frozen on the way, the plain parts of other values would be slow to copy for each reader.
    if (walk.plain && typeof own === 'object' && own !== null) settle(walk, own, 0)
    return { value: own, size: walk.size, plain: walk.plain }
  } catch (error) {
    if (error instanceof PalierError) throw error
    // An accessor or a proxy of the caller threw, or an object only pretends to be a Map, a Date, ...
    const message = `${pathOf(walk, walk.depth + 1)}: expected a value that can be read, but reading it failed`
    throw new PalierError('PALIER_NOT_ENCODABLE', message, { cause: error })
  }
}

/** Freezes a tree of JSON and returns its size: the hot path of each shared hit, so without ways, classes and copies. */
function settle(walk: Walk, tree: object, depth: number): number {
  if (depth >= walk.maxDepth) throw refused(walk, 0, '', tooDeep(walk))
  let bytes = OBJECT_BYTES
  if (Array.isArray(tree)) {
    bytes += tree.length * SLOT_BYTES
    for (let i = 0; i < tree.length; i++) {
      const element: unknown = tree[i]
      if (typeof element === 'object' && element !== null) bytes += settle(walk, element, depth + 1)
      else bytes += leafBytes(walk, element, depth, i)
    }
  } else {
    for (const key in tree) {
      if (!hasOwn.call(tree, key)) continue
      const property = (tree as Record<string, unknown>)[key]
      bytes += keyBytes(key)
      if (typeof property === 'object' && property !== null) bytes += settle(walk, property, depth + 1)
      else bytes += leafBytes(walk, property, depth, key)
    }
  }
  Object.freeze(tree)
  return bytes
}

/** `depth` counts the containers around the value. */
function take(walk: Walk, value: unknown, depth: number, key: Segment): unknown {
  if (typeof value === 'object' && value !== null) return takeContainer(walk, value, depth, key)
  walk.size += leafBytes(walk, value, depth, key)
  return value
}

function keyBytes(key: string): number {
  return key.length < LONG_KEY ? SLOT_BYTES : SLOT_BYTES + key.length
}

function leafBytes(walk: Walk, value: unknown, depth: number, key: Segment): number {
  if (typeof value === 'string')
    return STRING_BYTES + (value.length < LONG_STRING ? value.length : longBytes(walk, value))
  if (typeof value === 'number') {
    if ((value | 0) === value && value !== 0) return 0
    if (!Number.isFinite(value) || (value === 0 && 1 / value < 0)) walk.plain = false
    return value === 0 ? 0 : NUMBER_BYTES
  }
  return typeof value === 'boolean' || value === null ? 0 : rareBytes(walk, value, depth, key)
}

function rareBytes(walk: Walk, value: unknown, depth: number, key: Segment): number {
  if (typeof value === 'function') throw refused(walk, depth, key, 'a function')
  if (typeof value === 'symbol') throw refused(walk, depth, key, 'a symbol')
  walk.plain = false
  if (typeof value !== 'bigint') return 0
  return STRING_BYTES + (BigInt.asIntN(64, value) === value ? 8 : value.toString(16).length / 2)
}

/** Characters outside Latin-1 double a string; a few samples tell, and only the length counts for one that is too long. */
function longBytes(walk: Walk, text: string): number {
  if (text.length > walk.maxBytes) return text.length
  const step = Math.floor(text.length / 16)
  for (let at = step - 1; at < text.length; at += step) if (text.charCodeAt(at) > 0xff) return text.length * 2
  return text.length
}

function takeContainer(walk: Walk, value: object, depth: number, key: Segment): unknown {
  walk.way[depth] = key
  if (depth >= walk.maxDepth) throw refused(walk, depth, key, tooDeep(walk))
  const { ancestors } = walk
  for (let i = 0; i < depth; i++) {
    if (ancestors[i] === value) throw refused(walk, depth, key, `a cycle: it is ${pathOf(walk, i + 1)} again`)
  }
  ancestors[depth] = value
  walk.depth = depth
  if (Array.isArray(value)) return takeArray(walk, value, depth)
  if (isPlainObject(value)) return takeObject(walk, value, depth)
  return takeExotic(walk, value, depth, key)
}

function takeArray(walk: Walk, value: unknown[], depth: number): unknown[] {
  const { length } = value
  walk.size += OBJECT_BYTES + length * SLOT_BYTES
  if (walk.size > walk.maxBytes) throw tooLarge(walk, depth)
  if (Object.getPrototypeOf(value) !== Array.prototype && !Array.isArray(Object.getPrototypeOf(value))) {
    throw refused(walk, depth, walk.way[depth] ?? '', instanceName(value))
  }
  const own = walk.adopting ? value : Array.prototype.slice.call(value)
  let bytes = 0
  for (let i = 0; i < length; i++) {
    const element: unknown = own[i]
    if (typeof element === 'object' && element !== null) own[i] = takeContainer(walk, element, depth + 1, i)
    else bytes += leafBytes(walk, element, depth + 1, i)
  }
  walk.size += bytes
  if (walk.size > walk.maxBytes) throw tooLarge(walk, depth)
  return own
}

/**
 * The own enumerable properties, each read once. Assigned one by one, because an object made by spread gets a hidden class
 * to itself when it is frozen: 144 bytes more for each, and slow to read. Only spread, though, copies a key `__proto__`
 * as a key.
 */
function copyOf(value: object): Record<string, unknown> {
  if (hasOwn.call(value, '__proto__')) return { ...value }
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) copy[key] = (value as Record<string, unknown>)[key]
  return copy
}

function takeObject(walk: Walk, value: object, depth: number): unknown {
  const own = walk.adopting ? (value as Record<string, unknown>) : copyOf(value)
  if (!walk.adopting && Object.getOwnPropertySymbols(value).length > 0) {
    throw refused(walk, depth, walk.way[depth] ?? '', 'an object with a symbol as key')
  }
  // Twice as fast as the keys in an array. The check keeps out what someone put on Object.prototype.
  let bytes = OBJECT_BYTES
  for (const key in own) {
    if (!hasOwn.call(own, key)) continue
    bytes += keyBytes(key)
    const property = own[key]
    if (typeof property === 'object' && property !== null) own[key] = takeContainer(walk, property, depth + 1, key)
    else bytes += leafBytes(walk, property, depth + 1, key)
  }
  walk.size += bytes
  if (walk.size > walk.maxBytes) throw tooLarge(walk, depth)
  return own
}

function takeExotic(walk: Walk, value: object, depth: number, key: Segment): unknown {
  const kind = kindOf(value)
  if (kind === undefined) throw refused(walk, depth, key, instanceName(value))
  walk.plain = false
  walk.size += EXOTIC_BYTES + exoticBytes(value, kind)
  if (walk.size > walk.maxBytes) throw tooLarge(walk, depth)
  const nested: Nested = (part, label, key) => take(walk, part, depth + 1, { label, key })
  if (!walk.adopting) return copyExotic(value, kind, nested)
  eachNested(value, nested)
  return value
}

function exoticBytes(value: object, kind: Kind): number {
  if (isBinaryKind(kind)) return (value as ArrayBuffer | ArrayBufferView).byteLength
  if (value instanceof Map) return value.size * 2 * MAP_SLOT_BYTES
  if (value instanceof Set) return value.size * MAP_SLOT_BYTES
  if (value instanceof RegExp) return value.source.length
  if (value instanceof URL) return value.href.length * 2
  if (value instanceof Error) return errorParts(value).message.length + (errorParts(value).name ?? '').length
  return 0
}

function refused(walk: Walk, depth: number, key: Segment, received: string): PalierError {
  walk.way[depth] = key
  const expected = 'expected JSON, a Date, Map, Set, BigInt, RegExp, URL, Error or binary data'
  return new PalierError('PALIER_NOT_ENCODABLE', `${pathOf(walk, depth + 1)}: ${expected}, received ${received}`)
}

function tooDeep(walk: Walk): string {
  return `more than ${walk.maxDepth} levels of nesting`
}

function tooLarge(walk: Walk, depth: number): PalierError {
  const message = `${pathOf(walk, depth + 1)}: the value is larger than the limit of ${walk.maxBytes} bytes`
  return new PalierError('PALIER_TOO_LARGE', message)
}

/** The way to the container or value in which `length` segments, the root included, end. */
function pathOf(walk: Walk, length: number): string {
  let path = walk.root
  for (const segment of walk.way.slice(1, length)) {
    if (typeof segment === 'number') path += `[${segment}]`
    else if (typeof segment === 'object')
      path += segment.label === 'get' ? `.get(${shown(segment.key)})` : `.${segment.label}`
    else path += isName(segment) ? `.${segment}` : `[${shown(segment)}]`
    // Two hundred levels are no message: the beginning and the end of the way are enough.
    if (path.length > 400) return `${path.slice(0, 400)}...`
  }
  return path
}

function isName(key: string): boolean {
  return key.length <= 60 && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
}

function instanceName(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  const maker: unknown =
    typeof prototype === 'object' && prototype !== null ? Reflect.get(prototype, 'constructor') : undefined
  const name = typeof maker === 'function' ? maker.name : ''
  if (name === 'Promise') return 'a promise (is an await missing?)'
  return name === '' ? 'an object with a prototype of its own' : `an instance of ${name.slice(0, 60)}`
}

/** An ordinary object, one without a prototype, or an ordinary object of another realm (a `vm` context). */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  if (typeof prototype !== 'object' || Object.getPrototypeOf(prototype) !== null) return false
  return Object.hasOwn(prototype, 'isPrototypeOf') && Object.hasOwn(prototype, 'hasOwnProperty')
}

type Nested = (part: unknown, label: string, key?: unknown) => unknown

function copyExotic(value: object, kind: Kind, nested: Nested): unknown {
  if (isBinaryKind(kind)) return binaryOf(kind, bytesOf(value as ArrayBuffer | ArrayBufferView))
  if (isErrorKind(kind)) {
    const parts = errorParts(value as Error)
    return errorOf(kind, Object.hasOwn(parts, 'cause') ? { ...parts, cause: nested(parts.cause, 'cause') } : parts)
  }
  switch (kind) {
    case 'Date':
      return new Date(Date.prototype.getTime.call(value))
    case 'Map': {
      const copy = new Map<unknown, unknown>()
      for (const [name, entry] of value as Map<unknown, unknown>) {
        copy.set(nested(name, 'keys()'), nested(entry, 'get', name))
      }
      return copy
    }
    case 'Set': {
      const copy = new Set<unknown>()
      for (const element of value as Set<unknown>) copy.add(nested(element, 'values()'))
      return copy
    }
    case 'RegExp':
      return new RegExp((value as RegExp).source, (value as RegExp).flags)
    case 'URL':
      return new URL((value as URL).href)
  }
}

function eachNested(value: object, nested: Nested): void {
  if (value instanceof Map) {
    for (const [name, entry] of value) {
      nested(name, 'keys()')
      nested(entry, 'get', name)
    }
  } else if (value instanceof Set) for (const element of value) nested(element, 'values()')
  else if (value instanceof Error && Object.hasOwn(value, 'cause')) nested(value.cause, 'cause')
}

/** Faster than `structuredClone`, which also loses Buffers and URLs. What is walked was checked when it was taken. */
function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const copy: unknown[] = value.slice()
    for (let i = 0; i < copy.length; i++) {
      const element = copy[i]
      if (typeof element === 'object' && element !== null) copy[i] = clone(element)
    }
    return copy
  }
  const kind = kindOf(value)
  if (kind !== undefined) return copyExotic(value, kind, clone)
  const copy = { ...value } as Record<string, unknown>
  for (const key in copy) {
    if (!hasOwn.call(copy, key)) continue
    const property = copy[key]
    if (typeof property === 'object' && property !== null) copy[key] = clone(property)
  }
  return copy
}
