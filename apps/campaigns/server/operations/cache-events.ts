import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { behind, cutPage } from '../cursor.ts'
import { listReader } from '../own-writes.ts'
import type { Services } from '../services.ts'

const LONGEST = 500

/**
 * Keeps what befell the cache where it outlives the process and the backend: changes of state, failovers. Returns what
 * ends that. A row that cannot be stored is a log line.
 */
export function keepCacheEvents({ caching, database, newId, now, log }: Services): () => void {
  const { cache } = caching
  const keep = (kind: string, detail: string): void => {
    const row = { id: newId(), kind, detail: detail.slice(0, LONGEST), at: now() }
    const stored = database.writer.insertInto('cache_events').values(row).execute()
    stored.catch((error: unknown) => log.warn({ err: error, kind, detail }, 'an event of the cache was not kept'))
  }
  const ends = [
    cache.on('state', ({ state, reason }) => keep('state', `${state}: ${reason}`)),
    cache.on('failover', ({ from, to, reason }) => keep('failover', `${from} to ${to}: ${reason}`)),
  ]
  return () => {
    for (const end of ends) end()
  }
}

const Filter = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 2000 })),
  },
  { additionalProperties: false },
)
const Page = Type.Object({
  items: Type.Array(Type.Object({ id: Type.String(), kind: Type.String(), detail: Type.String(), at: Type.Integer() })),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
})

/** `GET /api/v1/cache-events`: newest first, of all processes. */
export const cacheEventRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { cursors } = services
  const list = 'cache-events'
  const schema = {
    tags: ['operations'],
    summary: 'What befell the cache',
    querystring: Filter,
    response: { 200: Page },
  }
  app.get('/', { config: { access: 'cache:view' }, schema }, async ({ query, actor }) => {
    const { limit = 50, cursor } = query
    const db = await listReader(services, actor)
    const position = cursors.read(list, cursor)
    let rows = db
      .selectFrom('cache_events')
      .selectAll()
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
    if (position !== undefined) {
      rows = rows.where(behind('at', 'id', position))
    }
    const page = cutPage(
      await rows.execute(),
      limit,
      last => cursors.write(list, [last.at, last.id]),
      row => row,
    )
    return { items: [...page.items], next_cursor: page.next_cursor }
  })
}
