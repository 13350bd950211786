import { useQuery } from '@tanstack/react-query'
import type { HistoryAnswer } from '../../../src/api.ts'
import { useBootstrap, useClient } from './context.ts'
import { useLive } from './live.tsx'
import type { Ring } from './ranges.ts'

const MINUTE = 60_000
/** A ring is read again this often: what is finer changes sooner. */
const AGAIN: Readonly<Record<Ring, number>> = { minutes: MINUTE, hours: 5 * MINUTE, days: 15 * MINUTE }

/** What was read, by the minute, hour or day, of all types or one. Not asked where there is no monitor. */
export function useHistory(ring: Ring, type?: string) {
  const client = useClient()
  const { features } = useBootstrap()
  const { isOn } = useLive()
  return useQuery({
    queryKey: ['history', ring, type ?? ''],
    queryFn: ({ signal }) => client.get<HistoryAnswer>('cache/history', { query: { range: ring, type }, signal }),
    enabled: features.monitor,
    staleTime: AGAIN[ring] / 2,
    refetchInterval: isOn ? AGAIN[ring] : false,
    refetchOnWindowFocus: isOn,
  })
}
