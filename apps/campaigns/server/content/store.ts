import type { Actor } from '../access/actor.ts'
import { forUpdate, insertIfAbsent, isUniqueViolation } from '../database/portable.ts'
import type { ContentTable } from '../database/schema.ts'
import { badFields, notFound, Problem } from '../problem.ts'
import { pageText } from '../search/words.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { write, type Work } from '../work.ts'
import type { Page, PageChange, PageInput } from './page.ts'
import { findPage, findRevision } from './queries.ts'
import { slugOf } from './slug.ts'

/**
 * Pages and their revisions. The row is the working draft; each save raises its version and is kept as a revision;
 * visitors see the revision that was published, until another one is.
 */

/** What the history shows: the text itself is in the revisions. */
function visible(row: ContentTable): object {
  const { id: _, body: _b, search_text: _s, created_at: _c, updated_at: _u, ...shown } = row
  return shown
}

async function lock({ trx, engine }: Work, id: string): Promise<ContentTable> {
  const row = await trx
    .selectFrom('content')
    .selectAll()
    .where('id', '=', id)
    .$call(forUpdate(engine))
    .executeTakeFirst()
  if (row === undefined) throw notFound('page', id)
  return row
}

/** Those who may not publish may change their own drafts, and nothing that visitors see. */
function refuseOthers(actor: Actor, { author_id, status }: ContentTable): void {
  if (actor.permissions.has('content:publish')) return
  if (author_id === null || author_id !== actor.userId) throw new Problem(403, 'This page is somebody else’s.')
  if (status === 'published')
    throw new Problem(403, 'This page is published: changing it needs the permission content:publish.')
}

function refuseOld(row: ContentTable, version: number | undefined): void {
  if (version === undefined || version === row.version) return
  const expected = `${row.version}, the version of the page now: somebody has saved it meanwhile`
  throw badFields([{ field: 'body.version', expected, received: received(version) }], 409)
}

async function requireCover({ trx }: Work, id: string | null | undefined): Promise<void> {
  if (id === null || id === undefined) return
  const row = await trx.selectFrom('media').select('id').where('id', '=', id).executeTakeFirst()
  if (row === undefined) {
    throw badFields([{ field: 'body.cover_media_id', expected: 'the id of a picture', received: received(id) }])
  }
}

function takenSlug(slug: string): Problem {
  return badFields(
    [{ field: 'body.slug', expected: 'an address that no other page has', received: received(slug) }],
    409,
  )
}

function readSlug(text: string): string {
  const slug = slugOf(text)
  if (slug !== '') return slug
  throw badFields([{ field: 'body.slug', expected: 'letters or digits for an address', received: received(text) }])
}

const MOST_TRIES = 20

/** Inserts the row under its slug, or under the next that is free when the slug was made of the title. */
async function insertPage({ trx, engine }: Work, row: ContentTable, mayDiffer: boolean): Promise<ContentTable> {
  for (let number = 1; number <= MOST_TRIES; number++) {
    // Past a few, one of its own: the end of an id, which nobody else has.
    const end = number < MOST_TRIES ? String(number) : row.id.slice(-12)
    const numbered = { ...row, slug: number === 1 ? row.slug : `${row.slug}-${end}` }
    if ((await insertIfAbsent(trx, engine, 'content', [numbered])) === 1) return numbered
    if (!mayDiffer) break
  }
  throw takenSlug(row.slug)
}

async function addRevision({ trx, actor, at }: Work, row: ContentTable): Promise<void> {
  const { id: content_id, version, title, body, cover_media_id } = row
  const revision = { content_id, version, title, body, cover_media_id, author_id: actor.userId, created_at: at }
  await trx.insertInto('content_revisions').values(revision).execute()
}

/** What every change of a page ends with. */
async function keep(
  services: Services,
  work: Work,
  action: string,
  before: ContentTable | null,
  after: ContentTable | null,
): Promise<void> {
  const id = (after ?? before)?.id ?? ''
  const shown = (row: ContentTable | null): object | null => (row === null ? null : visible(row))
  await work.record({ action, entity: 'content', id, before: shown(before), after: shown(after) })
  work.touch('content', `content:${id}`)
  await services.search.changed(work, 'content', [id])
}

async function readBack({ trx }: Work, id: string): Promise<Page> {
  const page = await findPage(trx, id)
  if (page === null) throw notFound('page', id)
  return page
}

export async function createPage(services: Services, actor: Actor, input: PageInput): Promise<Page> {
  const { title, body, cover_media_id } = input
  const slug = input.slug === undefined ? slugOf(title) : readSlug(input.slug)
  return await write(
    services,
    async work => {
      await requireCover(work, cover_media_id)
      const id = services.newId()
      const times = { published_at: null, created_at: work.at, updated_at: work.at }
      const draft: ContentTable = {
        id,
        // A title without a letter that fits an address.
        slug: slug === '' ? `page-${id.slice(-12)}` : slug,
        title,
        body,
        status: 'draft',
        author_id: actor.userId,
        cover_media_id,
        version: 1,
        published_version: null,
        search_text: pageText(title, body),
        ...times,
      }
      const row = await insertPage(work, draft, input.slug === undefined)
      await addRevision(work, row)
      await keep(services, work, 'create', null, row)
      return await readBack(work, id)
    },
    { actor },
  )
}

/** Writes what differs from the row of before, as the version after it. The row is locked by the caller. */
async function replace(
  services: Services,
  work: Work,
  action: string,
  before: ContentTable,
  change: Partial<ContentTable>,
): Promise<Page> {
  const after = { ...before, ...change, updated_at: work.at }
  const { id, created_at: _, ...columns } = after
  await work.trx.updateTable('content').set(columns).where('id', '=', id).execute()
  if (after.version !== before.version) await addRevision(work, after)
  await keep(services, work, action, before, after)
  return await readBack(work, id)
}

/** Saves a page: a new version with its revision. The address is not versioned: a new one holds at once. */
export async function updatePage(services: Services, actor: Actor, id: string, change: PageChange): Promise<Page> {
  const { version, slug: wanted, ...fields } = change
  const slug = wanted === undefined ? {} : { slug: readSlug(wanted) }
  try {
    return await write(
      services,
      async work => {
        const before = await lock(work, id)
        refuseOthers(actor, before)
        refuseOld(before, version)
        await requireCover(work, fields.cover_media_id)
        const { title, body } = { ...before, ...fields }
        const text = { title, body, search_text: pageText(title, body) }
        return await replace(services, work, 'update', before, { ...fields, ...slug, ...text, version: version + 1 })
      },
      { actor },
    )
  } catch (error) {
    if (isUniqueViolation(error, 'slug')) throw takenSlug(slug.slug ?? '')
    throw error
  }
}

/** Makes a revision the newest version, as a save of its own. */
export async function restoreRevision(
  services: Services,
  actor: Actor,
  id: string,
  revision: number,
  version?: number,
): Promise<Page> {
  return await write(
    services,
    async work => {
      const before = await lock(work, id)
      refuseOthers(actor, before)
      refuseOld(before, version)
      const { title, body, cover_media_id: cover } = await findRevision(work.trx, id, revision)
      const kept =
        cover === null
          ? undefined
          : await work.trx.selectFrom('media').select('id').where('id', '=', cover).executeTakeFirst()
      const text = { title, body, search_text: pageText(title, body), cover_media_id: kept?.id ?? null }
      return await replace(services, work, 'restore', before, { ...text, version: before.version + 1 })
    },
    { actor },
  )
}

/** From now on visitors see the newest version. With `version`, only if that is the newest. */
export async function publishPage(services: Services, actor: Actor, id: string, version?: number): Promise<Page> {
  return await write(
    services,
    async work => {
      const before = await lock(work, id)
      refuseOld(before, version)
      if (before.published_version === before.version) return await readBack(work, id)
      const change = { status: 'published' as const, published_version: before.version }
      return await replace(services, work, 'publish', before, {
        ...change,
        published_at: before.published_at ?? work.at,
      })
    },
    { actor },
  )
}

/** From now on visitors see nothing. */
export async function unpublishPage(services: Services, actor: Actor, id: string): Promise<Page> {
  return await write(
    services,
    async work => {
      const before = await lock(work, id)
      if (before.status === 'draft') return await readBack(work, id)
      const change = { status: 'draft' as const, published_version: null, published_at: null }
      return await replace(services, work, 'unpublish', before, change)
    },
    { actor },
  )
}

/** Takes the page away with its revisions. */
export async function deletePage(services: Services, actor: Actor, id: string): Promise<void> {
  await write(
    services,
    async work => {
      const before = await lock(work, id)
      refuseOthers(actor, before)
      await work.trx.deleteFrom('content').where('id', '=', id).execute()
      await keep(services, work, 'delete', before, null)
    },
    { actor },
  )
}
