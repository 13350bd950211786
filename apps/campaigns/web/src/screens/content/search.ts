import type { PageFilter } from '../../data/content.ts'

/** The filter of the list, as it stands in the address. */
export function pagesSearch(search: Readonly<Record<string, unknown>>): PageFilter {
  const { q, status } = search
  return {
    ...(typeof q === 'string' && q !== '' && { q }),
    ...((status === 'draft' || status === 'published') && { status }),
  }
}
