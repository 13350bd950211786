import type { Query } from '@tanstack/react-query'

/** What the server calls the things that change; each query of the browser says which of them it shows. */
export type Tag =
  | 'settings'
  | 'users'
  | 'contacts'
  | 'categories'
  | 'messages'
  | 'campaigns'
  | 'templates'
  | 'content'
  | 'media'
  | 'accounts'
  | `category:${string}`
  | `campaign:${string}`
  | `content:${string}`

/** The `meta` of a query. */
export const showing = (...tags: readonly Tag[]): { readonly tags: readonly Tag[] } => ({ tags })

declare module '@tanstack/react-query' {
  interface Register {
    queryMeta: { readonly tags?: readonly Tag[] }
  }
}

interface Stamped {
  readonly stamp?: number | undefined
}

/** As of when a query's data is true, by the server's clock; of pages, the oldest. Undefined where that is not known. */
function stampOf(data: unknown): number | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  if ('pages' in data && Array.isArray(data.pages)) {
    const stamps = data.pages.map(stampOf)
    return stamps.includes(undefined) ? undefined : Math.min(...(stamps as number[]))
  }
  return (data as Stamped).stamp
}

/** Whether a deletion at `at` of some tags makes the copy of a query old. `*` may be anything. */
export function isConcerned(query: Pick<Query, 'meta' | 'state'>, tags: readonly string[], at: number): boolean {
  const own = query.meta?.tags
  if (own === undefined || own.length === 0) return false
  if (!tags.includes('*') && !own.some(tag => tags.includes(tag))) return false
  const stamp = stampOf(query.state.data)
  return stamp === undefined || stamp < at
}
