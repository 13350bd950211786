import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useContext } from 'react'
import type { BootstrapAnswer, SignIn } from '../../../src/api.ts'
import type { Client } from './client.ts'

/** What this page was told when it began, or how to get in. */
export type Entry =
  | { readonly isIn: true; readonly bootstrap: BootstrapAnswer }
  | { readonly isIn: false; readonly signIn: SignIn; readonly ended: boolean }

export const ClientContext = createContext<Client | undefined>(undefined)

export function useClient(): Client {
  const client = useContext(ClientContext)
  if (client === undefined) throw new Error('useClient: expected a client around it')
  return client
}

export const ENTRY = ['entry'] as const

export const entryQuery = (client: Client) =>
  queryOptions<Entry>({
    queryKey: ENTRY,
    queryFn: async ({ signal }) => ({
      isIn: true,
      bootstrap: await client.get<BootstrapAnswer>('cache/bootstrap', { signal }),
    }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  })

/** What is known of this console since the page began. Screens are shown to nobody who is not in. */
export function useBootstrap(): BootstrapAnswer {
  const { data } = useQuery(entryQuery(useClient()))
  if (data?.isIn !== true) throw new Error('useBootstrap: expected somebody who is in')
  return data.bootstrap
}

/** Reads again everything the page shows. */
export function useRefresh(): () => void {
  const queries = useQueryClient()
  return () => void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== ENTRY[0] })
}
