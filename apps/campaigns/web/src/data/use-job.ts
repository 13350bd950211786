import { queryOptions, useQuery } from '@tanstack/react-query'
import type { Client } from './client.ts'
import { pollEvery } from './contacts.ts'
import { useClient } from './context.tsx'

const importQuery = (client: Client, job: string) =>
  queryOptions({
    queryKey: ['contacts', 'import', job],
    queryFn: ({ signal }) => client.ask('GET /contacts/import/{job}', { path: { job } }, { signal }),
    refetchInterval: ({ state }) => pollEvery(state.data?.value.status),
  })

const exportQuery = (client: Client, job: string) =>
  queryOptions({
    queryKey: ['contacts', 'export', job],
    queryFn: ({ signal }) => client.ask('GET /contacts/export/{job}', { path: { job } }, { signal }),
    refetchInterval: ({ state }) => pollEvery(state.data?.value.status),
  })

export const useImportJob = (job: string) => useQuery(importQuery(useClient(), job))
export const useExportJob = (job: string) => useQuery(exportQuery(useClient(), job))
