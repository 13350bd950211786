import type { TypeView } from '../../../../src/api.ts'
import { reasonsOf } from '../../data/figures.ts'

/** Below this many hits in a hundred reads a type does more work than it saves. */
const LOW_RATE = 50
const MOST = 5

export interface Concern {
  readonly type: string
  readonly kind: 'loadErrors' | 'errors' | 'lowRate'
  /** Failures, or hits in a hundred reads. */
  readonly value: number
  readonly reason: ReturnType<typeof reasonsOf>[number][0] | undefined
}

/** The worst there is to say of each type that does not do well: failures first, then by how many reads found nothing. */
export function concernsOf(types: readonly TypeView[]): readonly Concern[] {
  const concernOf = (view: TypeView): Concern | undefined => {
    const { type, loadErrors, errors, hitRate } = view
    const reason = reasonsOf(view)[0]?.[0]
    if (loadErrors > 0) return { type, kind: 'loadErrors', value: loadErrors, reason }
    if (errors > 0) return { type, kind: 'errors', value: errors, reason }
    return hitRate !== undefined && hitRate < LOW_RATE ? { type, kind: 'lowRate', value: hitRate, reason } : undefined
  }
  const weight = (view: TypeView): number => (view.loadErrors + view.errors > 0 ? 1e12 : 0) + view.misses
  return types
    .toSorted((a, b) => weight(b) - weight(a))
    .flatMap(view => concernOf(view) ?? [])
    .slice(0, MOST)
}
