import { useQuery } from '@tanstack/react-query'
import type { TypesAnswer } from '../../../src/api.ts'
import { useClient } from './context.ts'
import { useLive } from './live.tsx'

const AGAIN = 15_000

/** Every type over about the last hour. */
export function useTypes() {
  const client = useClient()
  const { isOn } = useLive()
  return useQuery({
    queryKey: ['types'],
    queryFn: ({ signal }) => client.get<TypesAnswer>('cache/types', { signal }),
    refetchInterval: isOn ? AGAIN : false,
    refetchOnWindowFocus: isOn,
  })
}
