import type { Kysely } from 'kysely'
import type { Tables } from '../database/schema.ts'
import type { IndexedDocument, SearchKind } from './port.ts'
import { plainWords } from './words.ts'

/** What an index outside the database is told of the rows. */
interface Row {
  readonly id: string
  readonly text: string
  readonly updated_at: number
}

type Page = { readonly ids: readonly string[] } | { readonly after: string; readonly limit: number }

async function readRows(db: Kysely<Tables>, kind: SearchKind, page: Page): Promise<readonly Row[]> {
  if (kind === 'campaign') {
    const rows = db.selectFrom('campaigns').select(['id', 'name as text', 'updated_at']).orderBy('id')
    const part = 'ids' in page ? rows.where('id', 'in', page.ids) : rows.where('id', '>', page.after).limit(page.limit)
    return await part.execute()
  }
  const table = kind === 'contact' ? 'contacts' : 'content'
  const rows = db.selectFrom(table).select(['id', 'search_text as text', 'updated_at']).orderBy('id')
  const part = 'ids' in page ? rows.where('id', 'in', page.ids) : rows.where('id', '>', page.after).limit(page.limit)
  return await part.execute()
}

const documentOf = (kind: SearchKind, { id, text, updated_at }: Row): IndexedDocument => {
  return { kind, id, words: plainWords(text), version: updated_at }
}

/** The rows as they are now; those that have gone are said to be gone at `now`. */
export async function documentsOf(
  db: Kysely<Tables>,
  kind: SearchKind,
  ids: readonly string[],
  now: number,
): Promise<readonly IndexedDocument[]> {
  const rows = new Map((await readRows(db, kind, { ids })).map(row => [row.id, row]))
  return ids.map(id => {
    const row = rows.get(id)
    return row === undefined ? { kind, id, words: undefined, version: now } : documentOf(kind, row)
  })
}

/** The next rows of a kind, in the order of their ids. */
export async function documentsAfter(
  db: Kysely<Tables>,
  kind: SearchKind,
  after: string,
  limit: number,
): Promise<readonly IndexedDocument[]> {
  const rows = await readRows(db, kind, { after, limit })
  return rows.map(row => documentOf(kind, row))
}
