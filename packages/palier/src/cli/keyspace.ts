/** What a key of a shared store says of itself: see `key.ts`, which makes them. */
export interface KeyParts {
  readonly namespace: string
  /** A stamp tells entries of a group whether they still live; `other` is what this version does not know. */
  readonly kind: 'entry' | 'stamp' | 'other'
  /** Of an entry; empty for the default type. */
  readonly type: string
}

const unescaped = (text: string): string => text.replace(/%(25|3A)/g, (_all, hex) => (hex === '25' ? '%' : ':'))

export function splitKey(key: string): KeyParts {
  const [namespace = '', kind, type] = key.split(':', 3)
  const name = unescaped(namespace)
  if (kind === 'e' && type !== undefined) return { namespace: name, kind: 'entry', type: unescaped(type) }
  return { namespace: name, kind: kind === 's' ? 'stamp' : 'other', type: '' }
}
