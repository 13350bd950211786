import { QueryClient } from '@tanstack/react-query'
import { ApiError } from './client.ts'

/** For how long a copy in this browser is shown without asking again, and kept without being shown. */
const FRESH_MS = 2 * 60_000
const KEPT_MS = 10 * 60_000
/** Figures are told when they become old, so they may be believed longer. */
export const STATS_FRESH_MS = 5 * 60_000

/** A refusal stays one, however often it is asked for; only what may be over in a moment is tried again. */
const isPassing = (error: Error): boolean => !(error instanceof ApiError) || error.status === 0 || error.status >= 500

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: FRESH_MS,
        gcTime: KEPT_MS,
        retry: (failures, error) => failures < 1 && isPassing(error),
        retryDelay: 800,
        // What changed elsewhere is told by the server; coming back to the tab is no reason to ask.
        refetchOnWindowFocus: false,
        // A failing network is an error to be shown, not a reason to wait in silence.
        networkMode: 'always',
      },
      mutations: { retry: false, networkMode: 'always' },
    },
  })
}
