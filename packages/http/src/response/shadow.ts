/** Properties of an object that others look at, covered for a while by properties of our own. */
export interface Shadows {
  value(name: string, value: unknown): void
  getter(name: string, get: () => unknown): void
  /** Uncovers what was there. */
  restore(): void
}

export function shadowing(target: object): Shadows {
  const covered = new Map<string, PropertyDescriptor | undefined>()

  function cover(name: string, descriptor: PropertyDescriptor): void {
    const own = Object.getOwnPropertyDescriptor(target, name)
    // What cannot be covered stays as it is.
    if (own?.configurable === false) return
    if (!covered.has(name)) covered.set(name, own)
    Object.defineProperty(target, name, { ...descriptor, configurable: true, enumerable: own?.enumerable ?? false })
  }

  return {
    value: (name, value) => cover(name, { value, writable: true }),
    getter: (name, get) => cover(name, { get, set: () => undefined }),
    restore() {
      for (const [name, own] of covered) {
        if (own === undefined) Reflect.deleteProperty(target, name)
        else Object.defineProperty(target, name, own)
      }
      covered.clear()
    },
  }
}
