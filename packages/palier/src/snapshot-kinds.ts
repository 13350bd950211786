type IntegerKind = 'Uint8Array' | 'Int8Array' | 'Uint8ClampedArray' | 'Uint16Array' | 'Int16Array' | 'Uint32Array'
type NumberKind = 'Int32Array' | 'Float32Array' | 'Float64Array' | 'BigInt64Array' | 'BigUint64Array'
type ViewKind = IntegerKind | NumberKind | 'DataView'
export type BinaryKind = ViewKind | 'ArrayBuffer' | 'Buffer'
type Fault = 'SyntaxError' | 'ReferenceError' | 'EvalError' | 'URIError'
export type ErrorKind = 'Error' | 'TypeError' | 'RangeError' | Fault
/** What a value beyond JSON is; part of the encoded form, so a name never changes. */
export type Kind = BinaryKind | ErrorKind | 'Date' | 'Map' | 'Set' | 'RegExp' | 'URL'

const VIEWS: Readonly<Record<ViewKind, new (memory: ArrayBuffer) => ArrayBufferView>> = {
  ...{ Uint8Array, Int8Array, Uint8ClampedArray, Uint16Array, Int16Array, Uint32Array },
  ...{ Int32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView },
}

const ERRORS: Readonly<Record<ErrorKind, new (message: string) => Error>> = {
  ...{ Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError },
}

const MAKERS = { ...VIEWS, ...ERRORS, ArrayBuffer, Buffer, Date, Map, Set, RegExp, URL }

const KINDS: ReadonlyMap<unknown, Kind> = new Map(
  Object.entries(MAKERS).map(([name, maker]) => [maker.prototype as unknown, name as Kind] as const),
)

/** The kind of an object that is neither an array nor a plain object; undefined for an instance of any other class. */
export function kindOf(value: object): Kind | undefined {
  return KINDS.get(Object.getPrototypeOf(value))
}

export function isBinaryKind(kind: string): kind is BinaryKind {
  return kind === 'Buffer' || kind === 'ArrayBuffer' || Object.hasOwn(VIEWS, kind)
}

export function isErrorKind(kind: string): kind is ErrorKind {
  return Object.hasOwn(ERRORS, kind)
}

/** The bytes of binary data, not copied. */
export function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (!ArrayBuffer.isView(value)) return new Uint8Array(value)
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}

/**
 * Binary data made of a copy of `bytes`. Never memory of Node's pool: through `.buffer` a reader would reach, and could
 * change, what belongs to others. Throws a RangeError when the length does not fit the kind.
 */
export function binaryOf(kind: BinaryKind, bytes: Uint8Array): ArrayBuffer | ArrayBufferView {
  const memory = new ArrayBuffer(bytes.length)
  new Uint8Array(memory).set(bytes)
  if (kind === 'ArrayBuffer') return memory
  if (kind === 'Buffer') return Buffer.from(memory)
  return new VIEWS[kind](memory)
}

export interface ErrorParts {
  /** Only where it is not the name of the class. */
  readonly name?: string
  readonly message: string
  /** Present only if there is one: `undefined` is a cause like any other. */
  readonly cause?: unknown
}

export function errorParts(error: Error): ErrorParts {
  const { name, message }: { name: unknown; message: unknown } = error
  const own = Object.hasOwn(error, 'name') ? { name: String(name) } : {}
  return { ...own, message: String(message), ...(Object.hasOwn(error, 'cause') ? { cause: error.cause } : {}) }
}

export function errorOf(kind: ErrorKind, parts: ErrorParts): Error {
  const error = new ERRORS[kind](parts.message)
  const hidden = (name: string, value: unknown): void => {
    Object.defineProperty(error, name, { value, writable: true, enumerable: false, configurable: true })
  }
  if (parts.name !== undefined) hidden('name', parts.name)
  if (Object.hasOwn(parts, 'cause')) hidden('cause', parts.cause)
  hidden('stack', parts.message === '' ? error.name : `${error.name}: ${parts.message}`)
  return error
}
