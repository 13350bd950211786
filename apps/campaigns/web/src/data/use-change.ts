import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { type Category, type Contact, refresh, useData } from './context.tsx'
import { askedOf, type PendingChanges, type Sending, type Steps } from './pending.ts'

type Change = PendingChanges<Contact, Category>

/** The turn of the oldest copy that this browser keeps of contacts and categories. */
function oldestTurn(queries: QueryClient): number {
  const turns = queries
    .getQueryCache()
    .getAll()
    .filter(({ meta }) => meta?.tags?.some(tag => tag === 'contacts' || tag === 'categories') === true)
    .map(({ state }) => askedOf(state.data))
  return Math.min(...turns.filter(turn => turn !== undefined))
}

/** Shows a change of contacts or categories at once, sends it, and reads anew what shows them. */
export function useChange(): <T>(
  steps: Steps<Contact, Category>,
  send: Sending<Contact, Category, T>['send'],
) => Promise<T> {
  const { pending }: { readonly pending: Change } = useData()
  const queries = useQueryClient()
  return useMemo(
    () => (steps, send) =>
      pending.run(steps, {
        send,
        async settled() {
          await refresh(queries, ['contacts', 'categories'])
          return oldestTurn(queries)
        },
      }),
    [pending, queries],
  )
}
