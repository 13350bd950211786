import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useMemo, useSyncExternalStore } from 'react'
import type { Client } from './client.ts'
import type { Live, LiveState } from './events.ts'
import type { Pending, PendingChanges } from './pending.ts'
import { isConcerned, type Tag } from './tags.ts'
import type { Category, Contact } from './things.ts'

export type { Category, Contact } from './things.ts'

/** What every screen is given. */
export interface Data {
  readonly client: Client
  readonly pending: PendingChanges<Contact, Category>
  readonly live: Live
}

const DataContext = createContext<Data | undefined>(undefined)

export function DataProvider({ data, children }: { readonly data: Data; readonly children: ReactNode }): ReactNode {
  return <DataContext.Provider value={data}>{children}</DataContext.Provider>
}

export function useData(): Data {
  const data = useContext(DataContext)
  if (data === undefined) throw new Error('useData: expected a DataProvider around it')
  return data
}

export const useClient = (): Client => useData().client

export function useLive(): LiveState {
  const { live } = useData()
  return useSyncExternalStore(
    listener => live.listen(listener),
    () => live.state,
  )
}

export function usePending(): readonly Pending<Contact, Category>[] {
  const { pending } = useData()
  return useSyncExternalStore(
    listener => pending.listen(listener),
    () => pending.all,
  )
}

/** Reads anew what shows one of the tags; resolves with whether all of it could be read. */
export async function refresh(queries: QueryClient, tags: readonly Tag[]): Promise<boolean> {
  const predicate = (query: Parameters<typeof isConcerned>[0]): boolean =>
    isConcerned(query, tags, Number.MAX_SAFE_INTEGER)
  try {
    await queries.invalidateQueries({ predicate }, { throwOnError: true })
    return true
  } catch {
    // Each screen shows what it could not read.
    return false
  }
}

/** `refresh` for a screen: after a change that is not laid over what is shown. */
export function useRefresh(): (...tags: readonly Tag[]) => Promise<boolean> {
  const queries = useQueryClient()
  return useMemo(
    () =>
      (...tags) =>
        refresh(queries, tags),
    [queries],
  )
}
