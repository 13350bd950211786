import { infiniteQueryOptions } from '@tanstack/react-query'
import type { Answer, AnswerOf, Client } from './client.ts'
import { showing } from './tags.ts'

export type Picture = AnswerOf<'GET /media'>['items'][number]

const PART = 48

/** Pictures, newest first, a part at a time. */
export const picturesQuery = (client: Client) =>
  infiniteQueryOptions({
    queryKey: ['media'],
    queryFn: ({ signal, pageParam }) =>
      client.ask(
        'GET /media',
        { query: { limit: PART, ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: last => last.value.next_cursor,
    meta: showing('media'),
  })

/** What the server takes; it looks at the bytes, this only keeps the obvious from being sent. */
export const ACCEPTED_TYPES: readonly string[] = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif']
export const MOST_BYTES = 10 * 1024 * 1024

export function uploadPicture(client: Client, file: File, alt: string): Promise<Answer<Picture>> {
  const form = new FormData()
  // Fields first: the server reads the parts in their order.
  form.append('alt', alt)
  form.append('file', file, file.name)
  return client.upload<Picture>('/media', form)
}
