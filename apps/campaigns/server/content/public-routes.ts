import { createHash } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import { READS } from '../cache-map.ts'
import { answerWith, type Served } from '../caching.ts'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { type PublicPage, PublicPageSchema } from './page.ts'
import { findPublicPage, PAGE_POLICY, pageDocument } from './public-page.ts'
import { SLUG } from './slug.ts'

const Path = Type.Object({ slug: Type.String({ maxLength: 200 }) })

/** A cache in front of the server is not told of changes: it may be late by a minute, a browser asks each time. */
const CACHE_CONTROL = 'public, max-age=0, s-maxage=60, must-revalidate'

/**
 * Published pages, for anybody. They are kept as a read of `cache-map.ts` and not as whole responses: the page and its
 * JSON are then one entry, deleted by the same tags as all others, and the settings in the page are never older than
 * the settings.
 */
async function servePage({ caching, database }: Services, slug: string): Promise<Served<PublicPage>> {
  // What cannot be a slug is not asked for, so that nobody fills the cache with it.
  const found = SLUG.test(slug)
    ? await caching.read(READS.page, [slug], () => findPublicPage(database.reader, slug))
    : undefined
  if (found === undefined || found.value === null) throw new Problem(404, 'There is no page at this address.')
  return { ...found, value: found.value }
}

function validator(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
}

/** An answer that whoever has it already need not get again. */
function sendOnce(
  reply: FastifyReply,
  ifNoneMatch: string | undefined,
  etag: string,
  body: () => string,
): FastifyReply {
  reply.header('cache-control', CACHE_CONTROL).header('etag', etag)
  const known = ifNoneMatch?.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
  return known === true ? reply.code(304).send() : reply.send(body())
}

export const publicPageRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const open = { access: 'public' as const }

  app.get('/p/:slug', { config: open, schema: { params: Path, hide: true } }, async (request, reply) => {
    const page = answerWith(reply, await servePage(services, request.params.slug))
    const { company_name: company, default_locale: locale } = await services.settings.read()
    // Never from the host of the request: whoever sends that would choose the address that others are given.
    const canonical = `${services.mailer.siteUrl}/p/${page.slug}`
    const html = pageDocument(page, { company, locale, canonical })
    reply.type('text/html; charset=utf-8').header('content-security-policy', PAGE_POLICY)
    return sendOnce(reply, request.headers['if-none-match'], validator(html), () => html)
  })

  const json = {
    config: open,
    schema: { tags: ['content'], summary: 'A published page', params: Path, response: { 200: PublicPageSchema } },
  }
  app.get('/api/v1/pages/:slug', json, async (request, reply) => {
    const page = answerWith(reply, await servePage(services, request.params.slug))
    reply.header('cache-control', CACHE_CONTROL)
    return page
  })
}
