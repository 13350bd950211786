import { type Kysely, type SelectQueryBuilder } from 'kysely'
import { behind, type Cursors, cutPage, type Page as Cut } from '../cursor.ts'
import type { MediaTable, Tables } from '../database/schema.ts'
import { mediaUrl, variantsOf } from '../media/picture.ts'
import { notFound } from '../problem.ts'
import type { Cover, Page, PageSummary, Revision, RevisionText } from './page.ts'

type Db = Kysely<Tables>

type CoverColumns = {
  readonly [C in 'alt' | 'path' | 'width' | 'height' | 'variants' as `cover_${C}`]: MediaTable[C] | null
}

export function coverOf(id: string | null, row: CoverColumns): Cover | null {
  const { cover_alt: alt, cover_path: path, cover_variants: variants, cover_width: width, cover_height: height } = row
  if (id === null || alt === null || path === null || variants === null) return null
  return { media_id: id, alt, url: mediaUrl(path), width, height, variants: variantsOf({ variants }) }
}

export const COVER_COLUMNS = [
  'media.alt as cover_alt',
  'media.path as cover_path',
  'media.width as cover_width',
  'media.height as cover_height',
  'media.variants as cover_variants',
] as const

const COLUMNS = [
  'content.id',
  'content.slug',
  'content.title',
  'content.status',
  'content.author_id',
  'content.cover_media_id',
  'content.version',
  'content.published_version',
  'content.published_at',
  'content.created_at',
  'content.updated_at',
  'users.name as author_name',
  ...COVER_COLUMNS,
] as const

/** Authors and covers come with the pages: one query, however many there are. */
const selectPages = (db: Db) =>
  db
    .selectFrom('content')
    .leftJoin('users', 'users.id', 'content.author_id')
    .leftJoin('media', 'media.id', 'content.cover_media_id')
    .select(COLUMNS)

type Row = ReturnType<typeof selectPages> extends SelectQueryBuilder<infer _D, infer _T, infer R> ? R : never

function shape(row: Row): PageSummary {
  const { cover_alt: _a, cover_path: _p, cover_width: _w, cover_height: _h, cover_variants: _v, ...rest } = row
  const { cover_media_id, ...page } = rest
  return { ...page, cover: coverOf(cover_media_id, row) }
}

export async function findPage(db: Db, id: string): Promise<Page | null> {
  const row = await selectPages(db).select('content.body').where('content.id', '=', id).executeTakeFirst()
  return row === undefined ? null : { ...shape(row), body: row.body }
}

export interface PageFilter {
  readonly limit: number
  readonly cursor?: string
  readonly status?: 'draft' | 'published'
  readonly author?: string
  readonly q?: string
}

/** A page of the list, newest first. `matching` are the ids that the words of the filter found. */
export async function listPages(
  db: Db,
  cursors: Cursors,
  { limit, cursor, status, author, q }: PageFilter,
  matching?: readonly string[],
): Promise<Cut<PageSummary>> {
  const list = `content ${JSON.stringify([status, author, q])}`
  const position = cursors.read(list, cursor)
  if (matching?.length === 0) return { items: [], next_cursor: null }
  let query = selectPages(db)
    .orderBy('content.created_at', 'desc')
    .orderBy('content.id', 'desc')
    .limit(limit + 1)
  if (status !== undefined) query = query.where('content.status', '=', status)
  if (author !== undefined) query = query.where('content.author_id', '=', author)
  if (matching !== undefined) query = query.where('content.id', 'in', matching)
  if (position !== undefined) {
    query = query.where(behind('content.created_at', 'content.id', position))
  }
  const after = (row: Row): string => cursors.write(list, [row.created_at, row.id])
  return cutPage(await query.execute(), limit, after, shape)
}

const REVISION = [
  'content_revisions.version',
  'content_revisions.title',
  'content_revisions.author_id',
  'content_revisions.created_at',
  'users.name as author_name',
] as const

const selectRevisions = (db: Db, contentId: string) =>
  db
    .selectFrom('content_revisions')
    .leftJoin('users', 'users.id', 'content_revisions.author_id')
    .select(REVISION)
    .where('content_revisions.content_id', '=', contentId)

/** The saves of a page, newest first. A page that does not exist has none. */
export async function listRevisions(
  db: Db,
  cursors: Cursors,
  contentId: string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
): Promise<Cut<Revision>> {
  const list = `revisions ${contentId}`
  const position = cursors.read(list, cursor)
  let query = selectRevisions(db, contentId)
    .orderBy('content_revisions.version', 'desc')
    .limit(limit + 1)
  if (position !== undefined) query = query.where('content_revisions.version', '<', Number(position[0]))
  return cutPage(
    await query.execute(),
    limit,
    row => cursors.write(list, [row.version]),
    row => row,
  )
}

export async function findRevision(db: Db, contentId: string, version: number): Promise<RevisionText> {
  const row = await selectRevisions(db, contentId)
    .select(['content_revisions.body', 'content_revisions.cover_media_id'])
    .where('content_revisions.version', '=', version)
    .executeTakeFirst()
  if (row === undefined) throw notFound(`revision ${version} of the page`, contentId)
  return row
}
