import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { SnapshotAnswer, UnchangedAnswer } from '../../../src/api.ts'
import { useBootstrap, useClient } from './context.ts'
import { fold, type Known, type KnownEvent } from './events.ts'
import { useLive } from './live.tsx'

/** What is so now, as far as the page could read it. */
export interface Now {
  /** Undefined before the first answer. */
  readonly snapshot: SnapshotAnswer | undefined
  /** Every event told since the page began, oldest first. */
  readonly events: readonly KnownEvent[]
  /** When the snapshot came, by the clock of this browser. */
  readonly readAt: number
  /** The last try failed. What was read before stays. */
  readonly error: Error | null
  retry(): void
}

const KEY = ['snapshot'] as const

/** One question for the whole page, asked again while the tab is seen and the page is live. */
export function useSnapshot(): Now {
  const client = useClient()
  const queries = useQueryClient()
  const { pollEvery } = useBootstrap()
  const { isOn } = useLive()
  const { data, error, dataUpdatedAt, refetch } = useQuery<Known>({
    queryKey: KEY,
    queryFn: async ({ signal }) => {
      const before = queries.getQueryData<Known>(KEY)
      const ask = (since: string | undefined): Promise<SnapshotAnswer | UnchangedAnswer> =>
        client.get('cache/snapshot', { query: { since }, signal })
      const known = fold(before, await ask(before?.next))
      if (known === undefined) throw new Error('snapshot: expected a whole one, received that nothing changed')
      return known
    },
    staleTime: pollEvery,
    refetchInterval: isOn ? pollEvery : false,
    refetchOnWindowFocus: isOn,
  })
  return {
    snapshot: data?.snapshot,
    events: data?.events ?? [],
    readAt: dataUpdatedAt,
    error,
    retry: () => void refetch(),
  }
}

/** The time of this browser, told every `every` milliseconds: for ages and countdowns. */
export function useClock(every: number): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every)
    return () => clearInterval(timer)
  }, [every])
  return now
}
