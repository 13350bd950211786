import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useBootstrap } from '../../data/context.ts'
import type { Undoable } from './target.ts'

const isUndoable = (value: unknown): value is Undoable =>
  typeof value === 'object' && value !== null && 'token' in value && 'until' in value && 'target' in value

function remembered(key: string): readonly Undoable[] | undefined {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key) ?? 'null')
    return Array.isArray(kept) ? kept.filter(isUndoable) : undefined
  } catch {
    // Storage may be forbidden; the list then lasts as long as the page.
    return undefined
  }
}

function remember(key: string, list: readonly Undoable[]): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(list))
  } catch {
    // As above.
  }
}

/** The clears of this tab that can be put back, newest first. A reload keeps them. */
export function useUndoable(): {
  readonly list: readonly Undoable[]
  add(one: Undoable): void
  drop(token: string): void
} {
  const queries = useQueryClient()
  const { namespace, name = '' } = useBootstrap()
  const key = `palier-clears ${namespace} ${name}`
  const queryKey = ['undoable', key]
  const known = (): readonly Undoable[] => queries.getQueryData<readonly Undoable[]>(queryKey) ?? []
  // Never read again by itself: nobody but this tab knows of it.
  const { data } = useQuery({
    queryKey,
    queryFn: known,
    initialData: () => remembered(key) ?? [],
    enabled: false,
    gcTime: Number.POSITIVE_INFINITY,
  })
  const put = (list: readonly Undoable[]): void => {
    const living = list.filter(one => one.until > Date.now())
    remember(key, living)
    queries.setQueryData(queryKey, living)
  }
  return {
    list: data,
    add: one => put([one, ...known()]),
    drop: token => put(known().filter(one => one.token !== token)),
  }
}
