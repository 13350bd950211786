import { queryOptions, type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { Answer, AnswerOf, Client } from '../data/client.ts'
import { ApiError } from '../data/client.ts'
import { useClient } from '../data/context.tsx'

export type Me = AnswerOf<'GET /auth/me'>
export type Permission = Me['permissions'][number]

/** Who is logged in; null when nobody is. */
export function meQuery(client: Client) {
  return queryOptions({
    queryKey: ['me'],
    queryFn: async ({ signal }): Promise<Answer<Me> | null> => {
      try {
        const answer = await client.ask('GET /auth/me', {}, { signal })
        client.setToken(answer.value.csrf_token)
        return answer
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null
        throw error
      }
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  })
}

export const useMe = (): UseQueryResult<Answer<Me> | null> => useQuery(meQuery(useClient()))

/** Whether the person may. Screens that need a session are shown to nobody else. */
export function useMay(): (permission: Permission) => boolean {
  const { data } = useMe()
  return permission => data?.value.permissions.includes(permission) === true
}
