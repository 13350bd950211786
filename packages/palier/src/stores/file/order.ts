/** Calls on one path, one after the other in the order they were made. */
export interface Order {
  /** Runs `change` once all earlier ones of this path have ended, well or not. */
  inOrder<T>(path: string, change: () => Promise<T>): Promise<T>
  /** Resolves when the last change of this path so far has ended; undefined when none is under way. */
  before(path: string): Promise<unknown> | undefined
  /** Resolves when all have ended. */
  settled(): Promise<unknown>
}

export function createOrder(): Order {
  const tails = new Map<string, Promise<unknown>>()
  return {
    inOrder(path, change) {
      const before = tails.get(path)
      const mine = before === undefined ? change() : before.then(change, change)
      tails.set(path, mine)
      const forget = (): void => {
        if (tails.get(path) === mine) tails.delete(path)
      }
      mine.then(forget, forget)
      return mine
    },
    before: path => (tails.size === 0 ? undefined : tails.get(path)?.catch(() => undefined)),
    settled: () => Promise.allSettled(tails.values()),
  }
}
