import { useQuery } from '@tanstack/react-query'
import { dashboardQuery } from './dashboard.ts'
import { useClient, usePending } from './context.tsx'
import { totalDelta } from './pending.ts'

/** The figures of the dashboard as the server gave them, believed for five minutes unless a change is told. */
export const useStats = () => useQuery(dashboardQuery(useClient()))

/** How many contacts there are, what this person has just done included; undefined until it is known. */
export function useContactTotal(): number | undefined {
  const pending = usePending()
  const { data } = useStats()
  return data === undefined ? undefined : data.value.contacts.total + totalDelta(pending, data.asked)
}
