/** What is planned for a type: other times in milliseconds, or what the code says (null). */
export type Change = { readonly ttl: number; readonly grace: number } | null
export type Changes = Readonly<Record<string, Change>>

/** Without one of them. */
export function without(changes: Changes, type: string): Changes {
  return Object.fromEntries(Object.entries(changes).filter(([name]) => name !== type))
}
