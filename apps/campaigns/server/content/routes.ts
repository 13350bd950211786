import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from 'typebox'
import type { Actor } from '../access/actor.ts'
import { READS } from '../cache-map.ts'
import { answerWith, type Served } from '../caching.ts'
import type { Page as Cut } from '../cursor.ts'
import { listReader } from '../own-writes.ts'
import { notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import {
  NewPage,
  PageChange,
  PageSchema,
  type PageSummary,
  PageSummarySchema,
  RevisionSchema,
  RevisionTextSchema,
  Versioned,
} from './page.ts'
import { findPage, findRevision, listPages, listRevisions } from './queries.ts'
import { createPage, deletePage, publishPage, restoreRevision, unpublishPage, updatePage } from './store.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Path = Type.Object({ id: Id })
const RevisionPath = Type.Object({ id: Id, version: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }) })
const paging = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
  cursor: Type.Optional(Type.String({ maxLength: 2000 })),
}
const Paging = Type.Object(paging, { additionalProperties: false })
const Filter = Type.Object(
  {
    ...paging,
    status: Type.Optional(Type.Enum(['draft', 'published'])),
    author: Type.Optional(Id),
    q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Words of the title or the text.' })),
  },
  { additionalProperties: false },
)
const next_cursor = Type.Union([Type.String(), Type.Null()])

/** A filter by words looks at so many matches, the best ones. */
const MOST_MATCHES = 200
const LIMIT = 50

/** Everybody's first page comes from the cache; the pages behind it, which few ask for, from the database. */
async function serveList(
  services: Services,
  actor: Actor,
  filter: Static<typeof Filter>,
): Promise<Served<Cut<PageSummary>>> {
  const { caching, cursors, database, search } = services
  const { limit = LIMIT, cursor, status, author, q } = filter
  const read = async (db: typeof database.reader): Promise<Cut<PageSummary>> => {
    const matching = q === undefined ? undefined : await search.match(q, 'content', MOST_MATCHES)
    return await listPages(db, cursors, { ...filter, limit }, matching)
  }
  if (cursor !== undefined || (q !== undefined && search.index !== undefined)) {
    return { value: await read(await listReader(services, actor)), outcome: 'miss', age: 0 }
  }
  const key = JSON.stringify([limit, status, author, q])
  return await caching.read(READS.contentList, [actor.role ?? 'none', key], () => read(database.reader))
}

export const contentRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { caching, cursors, database } = services
  const tags = ['content']
  const readable = { access: 'content:read' as const }
  const writable = { access: 'content:write' as const }
  const publishable = { access: 'content:publish' as const }
  const response = { 200: PageSchema }

  const List = Type.Object({ items: Type.Array(PageSummarySchema), next_cursor })
  const list = {
    config: readable,
    schema: { tags, summary: 'Pages, newest first', querystring: Filter, response: { 200: List } },
  }
  app.get('/', list, async ({ query, actor }, reply) => {
    const page = answerWith(reply, await serveList(services, actor, query))
    return { ...page, items: [...page.items] }
  })

  const create = {
    config: writable,
    schema: { tags, summary: 'Write a page', body: NewPage, response: { 201: PageSchema } },
  }
  app.post('/', create, async ({ body, actor }, reply) => {
    const { title, body: text = '', cover_media_id = null, slug } = body
    const page = await createPage(services, actor, {
      title: title.trim(),
      body: text,
      cover_media_id,
      ...(slug === undefined ? {} : { slug }),
    })
    reply.code(201).header('location', `/api/v1/content/${page.id}`)
    return page
  })

  app.get(
    '/:id',
    { config: readable, schema: { tags, summary: 'One page', params: Path, response } },
    async ({ params: { id } }, reply) => {
      const page = answerWith(reply, await caching.read(READS.contentOne, [id], () => findPage(database.reader, id)))
      if (page === null) throw notFound('page', id)
      return page
    },
  )

  const change = {
    config: writable,
    schema: { tags, summary: 'Save a new version', params: Path, body: PageChange, response },
  }
  app.patch('/:id', change, async ({ params, body, actor }) => {
    const title = body.title === undefined ? {} : { title: body.title.trim() }
    return await updatePage(services, actor, params.id, { ...body, ...title })
  })

  app.delete(
    '/:id',
    { config: writable, schema: { tags, summary: 'Delete a page', params: Path } },
    async ({ params, actor }, reply) => {
      await deletePage(services, actor, params.id)
      return reply.code(204).send()
    },
  )

  const publish = {
    config: publishable,
    schema: { tags, summary: 'Show a version to visitors', params: Path, body: Versioned, response },
  }
  app.post('/:id/publish', publish, async ({ params, body, actor }) =>
    publishPage(services, actor, params.id, body?.version),
  )

  const unpublish = {
    config: publishable,
    schema: { tags, summary: 'Hide a page from visitors', params: Path, response },
  }
  app.post('/:id/unpublish', unpublish, async ({ params, actor }) => unpublishPage(services, actor, params.id))

  const Saves = Type.Object({ items: Type.Array(RevisionSchema), next_cursor })
  const saves = {
    config: readable,
    schema: { tags, summary: 'Its versions', params: Path, querystring: Paging, response: { 200: Saves } },
  }
  app.get('/:id/revisions', saves, async ({ params, query, actor }) => {
    const db = await listReader(services, actor)
    const page = await listRevisions(db, cursors, params.id, { ...query, limit: query.limit ?? LIMIT })
    return { ...page, items: [...page.items] }
  })

  const save = {
    config: readable,
    schema: { tags, summary: 'One version', params: RevisionPath, response: { 200: RevisionTextSchema } },
  }
  app.get('/:id/revisions/:version', save, async ({ params: { id, version } }) =>
    findRevision(database.reader, id, version),
  )

  const restore = {
    config: writable,
    schema: { tags, summary: 'Save an old version as the newest', params: RevisionPath, body: Versioned, response },
  }
  app.post('/:id/restore/:version', restore, async ({ params: { id, version }, body, actor }) =>
    restoreRevision(services, actor, id, version, body?.version),
  )
}
