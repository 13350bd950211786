import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Actor } from '../access/actor.ts'
import type { Permission } from '../access/permissions.ts'
import { READS } from '../cache-map.ts'
import { answerWith, type Served } from '../caching.ts'
import { badFields, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { write } from '../work.ts'
import { type FindOptions, type Hit, SEARCH_KINDS, type SearchKind } from './port.ts'
import { queryWords } from './words.ts'

const NEEDS: Readonly<Record<SearchKind, Permission>> = {
  contact: 'contacts:read',
  content: 'content:read',
  campaign: 'campaigns:read',
}

const Query = Type.Object(
  {
    q: Type.String({ minLength: 1, maxLength: 1000 }),
    kinds: Type.Optional(
      Type.String({ maxLength: 100, description: `Some of ${SEARCH_KINDS.join(',')}; all unless said.` }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, description: 'Of each kind; 10 unless said.' })),
  },
  { additionalProperties: false },
)

const Found = Type.Object({
  items: Type.Array(
    Type.Object({
      kind: Type.Enum([...SEARCH_KINDS]),
      id: Type.String(),
      title: Type.String(),
      detail: Type.Union([Type.String(), Type.Null()]),
      status: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
})

function readKinds(text: string | undefined): readonly SearchKind[] {
  if (text === undefined) return SEARCH_KINDS
  const asked = text.split(',')
  const unknown = asked.filter(name => !SEARCH_KINDS.some(kind => kind === name))
  if (unknown.length === 0) return SEARCH_KINDS.filter(kind => asked.includes(kind))
  const expected = `some of ${SEARCH_KINDS.join(', ')}, with commas between them`
  throw badFields([{ field: 'query.kinds', expected, received: received(text) }])
}

/** What the caller may read of what is asked for: an API key may be for less than its owner's role. */
function readable(kinds: readonly SearchKind[], { permissions }: Actor): readonly SearchKind[] {
  const allowed = kinds.filter(kind => permissions.has(NEEDS[kind]))
  if (allowed.length > 0) return allowed
  throw new Problem(403, `This needs one of the permissions ${kinds.map(kind => NEEDS[kind]).join(', ')}.`)
}

async function serve(
  services: Services,
  actor: Actor,
  query: string,
  options: FindOptions,
): Promise<Served<readonly Hit[]>> {
  const { caching, search } = services
  const find = (): Promise<readonly Hit[]> => search.find(query, options)
  if (search.index !== undefined) return { value: await find(), outcome: 'miss', age: 0 }
  // Queries with the same words have the same answer.
  const words = queryWords(query).map(word => word.text)
  const key = JSON.stringify([options.kinds, options.limit, words])
  return await caching.read(READS.search, [actor.role ?? 'none', key], find)
}

export const searchRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const tags = ['search']
  const find = {
    config: { access: 'search:read' as const },
    schema: { tags, summary: 'Find contacts, campaigns and pages', querystring: Query, response: { 200: Found } },
  }
  app.get('/', find, async ({ query, actor }, reply) => {
    const kinds = readable(readKinds(query.kinds), actor)
    const items = answerWith(reply, await serve(services, actor, query.q, { kinds, limit: query.limit ?? 10 }))
    return { items: [...items] }
  })

  const Asked = Type.Object({ job_id: Type.Union([Type.String(), Type.Null()]) })
  const reindex = {
    config: { access: 'jobs:write' as const },
    schema: { tags, summary: 'Fill the index of Elasticsearch anew', response: { 202: Asked } },
  }
  app.post('/reindex', reindex, async ({ actor }, reply) => {
    if (services.search.index === undefined)
      throw new Problem(409, 'The database keeps the index of this search by itself.')
    const id = await write(services, work => services.search.reindex(work), { actor })
    return reply.code(202).send({ job_id: id ?? null })
  })
}
