import { isDeepStrictEqual } from 'node:util'

/**
 * Whether two values are the same to any reader: types and prototypes, `Object.is` for numbers, holes, the order of
 * keys, and invalid dates, which `isDeepStrictEqual` holds to be unlike themselves. Of errors: class, name, message, cause.
 */
export function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime())
  if (a instanceof Map && b instanceof Map) return same([...a], [...b])
  if (a instanceof Set && b instanceof Set) return same([...a], [...b])
  if (a instanceof Error && b instanceof Error) {
    const partsOf = (error: Error): unknown[] => [error.name, error.message, Object.hasOwn(error, 'cause'), error.cause]
    return same(partsOf(a), partsOf(b))
  }
  if (a instanceof URL && b instanceof URL) return a.href === b.href
  if (ArrayBuffer.isView(a) || a instanceof ArrayBuffer || a instanceof RegExp) return isDeepStrictEqual(a, b)
  const keys = Reflect.ownKeys(a)
  const others = Reflect.ownKeys(b)
  return (
    keys.length === others.length &&
    keys.every((key, i) => {
      const mine = Object.getOwnPropertyDescriptor(a, key)
      return key === others[i] && same(mine?.value, Object.getOwnPropertyDescriptor(b, key)?.value)
    })
  )
}

/** An array of `length` holes but for the entries. */
export function withHoles(length: number, entries: Readonly<Record<number, unknown>>): unknown[] {
  return Object.assign(new Array<unknown>(length), entries)
}
