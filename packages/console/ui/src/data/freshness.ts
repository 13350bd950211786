import { QueryClient } from '@tanstack/react-query'
import { ApiError } from './client.ts'

/** A refusal stays one; only what may be over in a moment is asked for once more. */
const isPassing = (error: Error): boolean => !(error instanceof ApiError) || error.status === 0 || error.status >= 502

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        gcTime: 5 * 60_000,
        retry: (failures, error) => failures < 1 && isPassing(error),
        retryDelay: 800,
        // A failing network is an error to be shown, not a reason to wait in silence.
        networkMode: 'always',
      },
      mutations: { retry: false, networkMode: 'always' },
    },
  })
}
