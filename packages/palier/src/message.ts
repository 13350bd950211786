/** What the caches of a namespace tell each other on the bus. Never values. */
export type Message =
  /** These entries were set or deleted: the full keys. */
  | { readonly kind: 'keys'; readonly names: readonly string[] }
  /** These stamps changed. */
  | { readonly kind: 'stamps'; readonly names: readonly string[] }
  /** These stamps were made anew because the store had lost them. */
  | { readonly kind: 'made'; readonly names: readonly string[] }
  /** An operator has changed the policies of types. */
  | { readonly kind: 'policies'; readonly names: readonly string[] }
  /** Something could not be told at its time: forget everything. */
  | { readonly kind: 'flush'; readonly names: readonly string[] }

const KINDS: readonly Message['kind'][] = ['keys', 'stamps', 'made', 'policies', 'flush']

export function encodeMessage(message: Message): string {
  return JSON.stringify([message.kind, ...message.names])
}

/** Undefined for a text this version does not understand: the reader must then assume that anything changed. */
export function decodeMessage(text: string): Message | undefined {
  try {
    const parts: unknown = JSON.parse(text)
    if (!Array.isArray(parts) || !parts.every(part => typeof part === 'string')) return undefined
    const [first, ...names] = parts
    const kind = KINDS.find(one => one === first)
    return kind === undefined ? undefined : { kind, names }
  } catch {
    return undefined
  }
}
