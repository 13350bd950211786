import type { Caching } from '../caching.ts'

/** What was deleted from the cache, here or in another process: who shows an older copy should ask again. */
export interface Stamp {
  /** Rises by one in this process; starts anywhere. */
  readonly number: number
  /** When this process learned of it, in milliseconds since 1970: answers whose `x-stamp` is older are old. */
  readonly at: number
  /** The tags; `*` when it may have been anything. */
  readonly tags: readonly string[]
}

export interface Stamps {
  /** What came after a number, or undefined when that is too long ago, or was said by another process. */
  since(number: number): readonly Stamp[] | undefined
  readonly last: number
  /** Returns what ends it. */
  listen(listener: (stamp: Stamp) => void): () => void
  close(): void
}

const KEPT = 500
/** A directory tells nothing by itself: a process hears of others when it looks, and looks while somebody listens. */
const LOOK_EVERY_MS = 250

/** Whose account or key it is concerns nobody else. */
const isPublic = (tag: string): boolean => !tag.startsWith('user:') && !tag.startsWith('key:')

export function createStamps({ cache }: Caching, now: () => number): Stamps {
  const kept: Stamp[] = []
  const listeners = new Set<(stamp: Stamp) => void>()
  // Begins at the clock, so that the numbers of two processes, or of two lives of one, are not taken for each other.
  let last = now()
  const tell = (tags: readonly string[]): void => {
    if (tags.length === 0) return
    const stamp = { number: ++last, at: now(), tags }
    kept.push(stamp)
    if (kept.length > KEPT) kept.shift()
    for (const listener of listeners) listener(stamp)
  }
  const told = ({ target, names }: { readonly target: string; readonly names: readonly string[] }): void =>
    tell(target === 'tag' ? names.filter(isPublic) : ['*'])
  const ends = [cache.on('delete', told), cache.on('heard', told), cache.on('flush', () => tell(['*']))]
  let looking: NodeJS.Timeout | undefined
  const look = (): void =>
    void cache
      .type('settings')
      .peek('all')
      .catch(() => undefined)
  const rest = (): void => {
    clearInterval(looking)
    looking = undefined
  }
  return {
    since(number) {
      if (number === last) return []
      const first = kept[0]
      if (first === undefined || number < first.number - 1 || number > last) return undefined
      return kept.filter(stamp => stamp.number > number)
    },
    get last() {
      return last
    },
    listen(listener) {
      listeners.add(listener)
      looking ??= setInterval(look, LOOK_EVERY_MS).unref()
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) rest()
      }
    },
    close() {
      rest()
      for (const end of ends) end()
      listeners.clear()
    },
  }
}
