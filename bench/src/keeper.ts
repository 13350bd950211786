import type { Role, Session } from './harness.ts'

/** The verbs that tables over a shared store time, the same for every contestant; a call of them costs far more than the indirection. */
export interface Keeper {
  get(key: string): Promise<unknown>
  set(key: string, value: object): Promise<unknown>
  delete?(key: string): Promise<unknown>
  getMany?(keys: readonly string[]): Promise<readonly unknown[]>
  getOrSet?(key: string, factory: () => Promise<object>): Promise<unknown>
  close(): Promise<unknown>
}

/** A keeper that can be opened at a place: a server, a directory. */
export interface KeeperKind<Place> {
  readonly name: string
  readonly role: Role
  readonly package?: string
  readonly against?: string
  readonly note?: string
  open(place: Place): Promise<Keeper>
}

/** Runs `n` operations, `atOnce` of them together. */
export async function inGroups(n: number, atOnce: number, operation: (i: number) => Promise<unknown>): Promise<void> {
  if (atOnce === 1) {
    for (let i = 0; i < n; i++) await operation(i)
    return
  }
  for (let i = 0; i < n; i += atOnce) {
    const group: Promise<unknown>[] = []
    for (let k = i; k < i + atOnce; k++) group.push(operation(k))
    await Promise.all(group)
  }
}

/** A session of one verb of a keeper. */
export function session(keeper: Keeper, parts: Omit<Session, 'close'>): Session {
  return { ...parts, close: async () => void (await keeper.close()) }
}
