import type { Work } from '../work.ts'
import type { QueryWord } from './words.ts'

/** Full-text search over what the application holds, whatever engine does it. */
export const SEARCH_KINDS = ['contact', 'content', 'campaign'] as const
export type SearchKind = (typeof SEARCH_KINDS)[number]

export interface Hit {
  readonly kind: SearchKind
  readonly id: string
  /** The name of a person or a campaign, the title of a page. */
  readonly title: string
  /** A contact's phone or address, a page's slug. */
  readonly detail: string | null
  /** Of pages and campaigns. */
  readonly status: string | null
}

export interface FindOptions {
  /** What the caller may read, and wants. Hits come kind after kind in this order, the best of each first. */
  readonly kinds: readonly SearchKind[]
  /** At most so many of each kind. */
  readonly limit: number
}

export interface Search {
  /** The index, where it is outside the database: a moment behind, so that what it finds must not be kept. */
  readonly index?: SearchIndex
  /** All words have to be there, the last as the beginning of one; any text is a query, one without words finds nothing. */
  find(query: string, options: FindOptions): Promise<readonly Hit[]>
  /** The ids that `find` would give for one kind: for lists that filter by words. */
  match(query: string, kind: SearchKind, limit: number): Promise<readonly string[]>
  /**
   * Rows came, changed their words or went. In the transaction that did it; costs nothing where the database keeps the
   * index by itself.
   */
  changed(work: Work, kind: SearchKind, ids: readonly string[]): Promise<void>
  /** Asks for the whole index to be written anew; undefined where there is nothing to write. Returns the id of the job. */
  reindex(work: Work): Promise<string | undefined>
}

/** An index outside the database, as the jobs that fill it see it. */
export interface SearchIndex {
  /** Makes the index anew, empty. Nobody searches in it before `finish`. */
  begin(): Promise<void>
  finish(): Promise<void>
  /** False when there is no index to write to yet. */
  send(documents: readonly IndexedDocument[]): Promise<boolean>
}

export interface IndexedDocument {
  readonly kind: SearchKind
  readonly id: string
  /** Undefined: it has gone. */
  readonly words: string | undefined
  /** When it was changed last, in milliseconds since 1970: an older one never replaces a newer one. */
  readonly version: number
}

/** The ids of the rows of a kind that have all the words, best first; the newest first where no word has three letters. */
export type Rank = (words: readonly QueryWord[], kind: SearchKind, limit: number) => Promise<readonly string[]>

export const SEARCH_TABLES = {
  contact: 'contacts',
  content: 'content',
  campaign: 'campaigns',
} as const satisfies Record<SearchKind, string>
