import type { ClearedAnswer, PreviewRequest } from '../../../../src/api.ts'

export type Target = PreviewRequest['target']
export type Kind = Target['kind']

export const KINDS = ['type', 'tag', 'pattern', 'key', 'all'] as const satisfies readonly Kind[]

/** What was chosen and typed, whether or not it comes to a target yet. */
export interface Chosen {
  readonly kind: Kind
  readonly type: string
  readonly tag: string
  readonly pattern: string
  readonly key: string
  readonly subject: string
}

export const kindOf = (text: string): Kind => KINDS.find(kind => kind === text) ?? 'type'

/** The target of what was chosen; undefined while something is missing. */
export function targetOf({ kind, type, tag, pattern, key, subject }: Chosen): Target | undefined {
  switch (kind) {
    case 'all':
      return { kind }
    case 'type':
      return type === '' ? undefined : { kind, type }
    case 'tag':
      return tag === '' ? undefined : { kind, tag }
    case 'pattern':
      return pattern === '' ? undefined : { kind, pattern, ...(type !== '' && { type }) }
    case 'key':
      return key === '' || type === '' ? undefined : { kind, key, type, ...(subject !== '' && { subject }) }
  }
}

/** How a target is cleared. */
export interface ClearRequest {
  readonly method: 'POST' | 'DELETE'
  readonly path: string
  readonly body?: object
  readonly query?: Readonly<Record<string, string | undefined>>
}

/** `namespace`: what everything is confirmed by. */
export function requestOf(target: Target, namespace: string): ClearRequest {
  switch (target.kind) {
    case 'all':
      return { method: 'POST', path: 'cache/clear-all', body: { confirm: namespace } }
    case 'type':
      return { method: 'POST', path: `cache/invalidate/${encodeURIComponent(target.type)}`, body: {} }
    case 'tag':
      return { method: 'POST', path: 'cache/invalidate-tag', body: { tag: target.tag } }
    case 'pattern': {
      const { pattern, type } = target
      return {
        method: 'POST',
        path: 'cache/invalidate-pattern',
        body: { pattern, ...(type !== undefined && { type }) },
      }
    }
    case 'key': {
      const { key, type, subject } = target
      return { method: 'DELETE', path: `cache/keys/${encodeURIComponent(key)}`, query: { type, subject } }
    }
  }
}

/** A clear that was made in this tab and can be put back. */
export interface Undoable {
  readonly token: string
  readonly until: number
  readonly at: number
  readonly target: Target
  readonly entries?: number
  readonly exact?: boolean
}

/** What an answer to a clear says about putting it back; undefined where that cannot be. */
export function undoableOf(target: Target, answer: ClearedAnswer, at: number): Undoable | undefined {
  const { undo, undoUntil, entries, exact } = answer
  if (undo === undefined || undoUntil === undefined) return undefined
  return {
    token: undo,
    until: undoUntil,
    at,
    target,
    ...(entries !== undefined && { entries }),
    ...(exact !== undefined && { exact }),
  }
}
