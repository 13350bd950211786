import type { Cover, Page } from '../../data/content.ts'

/** What is being written, before it is saved. */
export interface Draft {
  readonly title: string
  readonly slug: string
  readonly body: string
  readonly cover: Cover | null
}

const EMPTY_DRAFT: Draft = { title: '', slug: '', body: '', cover: null }

export const draftOf = (page: Pick<Page, 'title' | 'slug' | 'body' | 'cover'> | undefined): Draft =>
  page === undefined ? EMPTY_DRAFT : { title: page.title, slug: page.slug, body: page.body, cover: page.cover }

interface PageChanges {
  title?: string
  slug?: string
  body?: string
  cover_media_id?: string | null
}

/** What differs, as the server takes it. */
export function changesOf(before: Draft, after: Draft): PageChanges {
  const cover = after.cover?.media_id ?? null
  return {
    ...(after.title !== before.title && { title: after.title }),
    ...(after.slug !== before.slug && { slug: after.slug }),
    ...(after.body !== before.body && { body: after.body }),
    ...(cover !== (before.cover?.media_id ?? null) && { cover_media_id: cover }),
  }
}

export const isChanged = (before: Draft, after: Draft): boolean => Object.keys(changesOf(before, after)).length > 0

/** What the author and the server hold: the version that was begun from, what is written, the newest version. */
interface Editing {
  readonly base: Page | undefined
  readonly draft: Draft
}

/**
 * What becomes of the editing when a newer version is known: with nothing written it follows, otherwise it stays, and
 * somebody has to decide.
 */
export function follow({ base, draft }: Editing, newest: Page | undefined): Editing {
  if (newest === undefined || base === undefined || newest.version <= base.version) return { base, draft }
  return isChanged(draftOf(base), draft) ? { base, draft } : { base: newest, draft: draftOf(newest) }
}

/** Somebody saved a newer version than the one that was begun from, and something is written here. */
export function isInConflict({ base, draft }: Editing, newest: Page | undefined): boolean {
  if (newest === undefined || base === undefined || newest.version <= base.version) return false
  return isChanged(draftOf(base), draft)
}
