import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Actor } from '../access/actor.ts'
import type { Tag } from '../cache-map.ts'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import { forUpdate } from '../database/portable.ts'
import type { MediaTable, Tables } from '../database/schema.ts'
import { notFound, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { write, type Work } from '../work.ts'
import { mediaPath } from './files.ts'
import { type ImageFormat, type ImageProcessor, MIME_TYPES } from './image.ts'
import { type StoredVariant, storedVariants } from './picture.ts'

export interface Upload {
  readonly bytes: Buffer
  readonly format: ImageFormat
  readonly name: string
  readonly alt: string
}

interface File {
  readonly path: string
  readonly bytes: Uint8Array
}

type Stored = Pick<MediaTable, 'path' | 'mime' | 'width' | 'height' | 'variants' | 'size'>

/** The files of an upload, and what its row says of them. Without a processor it is kept as it came. */
async function prepare(
  { bytes, format }: Upload,
  sha256: string,
  process: ImageProcessor | undefined,
): Promise<{ readonly files: readonly File[]; readonly stored: Stored }> {
  if (process === undefined) {
    const path = mediaPath(sha256, format)
    const stored = { path, mime: MIME_TYPES[format], width: null, height: null, variants: '[]', size: bytes.length }
    return { files: [{ path, bytes }], stored }
  }
  const { whole, variants } = await process(bytes)
  const path = mediaPath(sha256, 'webp')
  const scaled = variants.map(variant => ({ ...variant, path: mediaPath(sha256, 'webp', variant.width) }))
  const kept: StoredVariant[] = scaled.map(({ width, height, path }) => ({ width, height, path }))
  const { width, height } = whole
  const stored = {
    path,
    mime: MIME_TYPES.webp,
    width,
    height,
    variants: JSON.stringify(kept),
    size: whole.bytes.length,
  }
  return { files: [{ path, bytes: whole.bytes }, ...scaled], stored }
}

async function putAll({ media }: Services, files: readonly File[]): Promise<void> {
  for (const { path, bytes } of files) await media.put(path, bytes)
}

/** What the history shows. */
function visible({ id: _, path: _p, variants: _v, created_at: _c, ...row }: MediaTable): object {
  return row
}

export async function addMedia(
  services: Services,
  actor: Actor,
  upload: Upload,
  process: ImageProcessor | undefined,
): Promise<MediaTable> {
  const sha256 = createHash('sha256').update(upload.bytes).digest('hex')
  const { files, stored } = await prepare(upload, sha256, process)
  await putAll(services, files)
  const { name, alt } = upload
  const row = await write(
    services,
    async work => {
      const row = { id: services.newId(), ...stored, name, alt, sha256, uploaded_by: actor.userId, created_at: work.at }
      await work.trx.insertInto('media').values(row).execute()
      await work.record({ action: 'create', entity: 'media', id: row.id, after: visible(row) })
      work.touch('media')
      return row
    },
    { actor },
  )
  // A delete of the same picture may have set the files aside before it could see this row: see `discardMedia`.
  await putAll(services, files)
  return row
}

const LISTED = [
  'id',
  'path',
  'name',
  'alt',
  'mime',
  'width',
  'height',
  'variants',
  'size',
  'sha256',
  'uploaded_by',
  'created_at',
] as const

export async function listMedia(
  db: Kysely<Tables>,
  cursors: Cursors,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
): Promise<Page<MediaTable>> {
  const position = cursors.read('media', cursor)
  let query = db
    .selectFrom('media')
    .select(LISTED)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
  if (position !== undefined) {
    query = query.where(behind('created_at', 'id', position))
  }
  const after = (row: MediaTable): string => cursors.write('media', [row.created_at, row.id])
  return cutPage(await query.execute(), limit, after, row => row)
}

async function lock({ trx, engine }: Work, id: string): Promise<MediaTable> {
  const row = await trx
    .selectFrom('media')
    .select(LISTED)
    .where('id', '=', id)
    .$call(forUpdate(engine))
    .executeTakeFirst()
  if (row === undefined) throw notFound('picture', id)
  return row
}

/** Those who may not publish may change what they uploaded themselves. */
function refuseOthers(actor: Actor, { uploaded_by }: MediaTable): void {
  if (actor.permissions.has('content:publish')) return
  if (uploaded_by === null || uploaded_by !== actor.userId) throw new Problem(403, 'This picture is somebody else’s.')
}

/** The pages whose cover it is: in the draft, or in what visitors see. */
async function coveredBy({ trx }: Work, id: string): Promise<readonly string[]> {
  const drafts = trx.selectFrom('content').select('id').where('cover_media_id', '=', id)
  const published = trx
    .selectFrom('content')
    .innerJoin('content_revisions', join =>
      join
        .onRef('content_revisions.content_id', '=', 'content.id')
        .onRef('content_revisions.version', '=', 'content.published_version'),
    )
    .select('content.id')
    .where('content.status', '=', 'published')
    .where('content_revisions.cover_media_id', '=', id)
  const rows = await drafts.union(published).execute()
  return rows.map(row => row.id)
}

/** The pages whose text names one of its files. Looks through all texts, which only a delete does. */
async function namedBy({ trx }: Work, sha256: string): Promise<readonly string[]> {
  const rows = await trx.selectFrom('content').select('id').where('body', 'like', `%/media/%${sha256}%`).execute()
  return rows.map(row => row.id)
}

const tagsOf = (pages: readonly string[]): readonly Tag[] =>
  pages.length === 0 ? ['media'] : ['media', 'content', ...pages.map((id): Tag => `content:${id}`)]

export async function describeMedia(
  services: Services,
  actor: Actor,
  id: string,
  change: { alt?: string; name?: string },
): Promise<MediaTable> {
  return await write(
    services,
    async work => {
      const before = await lock(work, id)
      refuseOthers(actor, before)
      const after = { ...before, ...change }
      const { alt, name } = after
      await work.trx.updateTable('media').set({ alt, name }).where('id', '=', id).execute()
      await work.record({ action: 'update', entity: 'media', id, before: visible(before), after: visible(after) })
      work.touch(...tagsOf(await coveredBy(work, id)))
      return after
    },
    { actor },
  )
}

export const DISCARD_JOB = 'media.discard'

/** What the job needs to know of a picture whose row has gone. */
export interface Discarded {
  readonly sha256: string
  readonly paths: readonly string[]
}

/** Takes a picture away; with `force` also one that pages show. Its files go by a job, once no other row has them. */
export async function deleteMedia(services: Services, actor: Actor, id: string, force: boolean): Promise<void> {
  await write(
    services,
    async work => {
      const row = await lock(work, id)
      refuseOthers(actor, row)
      const covered = await coveredBy(work, id)
      const pages = [...new Set([...covered, ...(await namedBy(work, row.sha256))])]
      if (pages.length > 0 && !force) {
        throw new Problem(
          409,
          `${pages.length} page(s) show this picture. With force=true it is deleted all the same.`,
          { pages },
        )
      }
      if (pages.length > 0 && !actor.permissions.has('content:publish')) {
        throw new Problem(403, 'Pages show this picture: deleting it needs the permission content:publish.')
      }
      await work.trx.deleteFrom('media').where('id', '=', id).execute()
      await work.record({ action: 'delete', entity: 'media', id, before: visible(row) })
      work.touch(...tagsOf(covered))
      const payload: Discarded = {
        sha256: row.sha256,
        paths: [row.path, ...storedVariants(row).map(({ path }) => path)],
      }
      await services.jobs.add(work, { name: DISCARD_JOB, payload })
    },
    { actor },
  )
}

/**
 * Takes the files away unless a row still has them. An upload of the same bytes may be under way: it finds the files,
 * then writes its row. So the files are first set aside and then the rows are asked again: either its row is there and
 * the files are brought back, or the row comes later, and the upload looks after its commit and puts them again.
 */
export async function discardMedia({ database, media }: Services, { sha256, paths }: Discarded): Promise<boolean> {
  const used = async (): Promise<boolean> => {
    const row = await database.writer
      .selectFrom('media')
      .select('id')
      .where('sha256', '=', sha256)
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }
  if (!(await used())) for (const path of paths) await media.setAside(path)
  const kept = await used()
  // Also what an earlier run set aside and then died.
  for (const path of paths) await (kept ? media.bringBack(path) : media.discard(path))
  return !kept
}
