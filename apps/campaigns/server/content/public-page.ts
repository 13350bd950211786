import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { describeMarkdown, renderMarkdown } from './markdown.ts'
import type { Cover, PublicPage } from './page.ts'
import { COVER_COLUMNS, coverOf } from './queries.ts'

/** The published revision under an address, as it is kept in the cache: rendered. */
export async function findPublicPage(db: Kysely<Tables>, slug: string): Promise<PublicPage | null> {
  const row = await db
    .selectFrom('content')
    .innerJoin('content_revisions', join =>
      join
        .onRef('content_revisions.content_id', '=', 'content.id')
        .onRef('content_revisions.version', '=', 'content.published_version'),
    )
    .leftJoin('media', 'media.id', 'content_revisions.cover_media_id')
    .select(['content.slug', 'content.published_at', 'content_revisions.title', 'content_revisions.body'])
    .select(['content_revisions.version', 'content_revisions.created_at as updated_at'])
    .select(['media.id as media_id', ...COVER_COLUMNS])
    .where('content.slug', '=', slug)
    .where('content.status', '=', 'published')
    .executeTakeFirst()
  if (row === undefined) return null
  const { title, version, published_at, updated_at } = row
  const cover = coverOf(row.media_id, row)
  const shown = { slug: row.slug, title, version, published_at: published_at ?? updated_at, updated_at, cover }
  return { ...shown, description: describeMarkdown(row.body), html: renderMarkdown(row.body) }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escape = (text: string): string => text.replace(/[&<>"']/g, sign => ESCAPES[sign] ?? sign)

/** The sizes a cover is shown in: the width of the text, or of the window. */
const SIZES = '(min-width: 46rem) 44rem, 100vw'

function picture({ alt, url, width, height, variants }: Cover): string {
  const size = width === null || height === null ? '' : ` width="${width}" height="${height}"`
  const img = `<img src="${escape(url)}" alt="${escape(alt)}" loading="lazy" decoding="async"${size}>`
  if (variants.length === 0) return img
  const set = variants.map(variant => `${variant.url} ${variant.width}w`).join(', ')
  return `<picture><source type="image/webp" srcset="${escape(set)}" sizes="${SIZES}">${img}</picture>`
}

const STYLE = [
  ':root{color-scheme:light dark;font:1.05rem/1.65 system-ui,sans-serif}',
  'body{max-width:44rem;margin:2rem auto;padding:0 1rem}',
  'img{max-width:100%;height:auto}',
  'pre{overflow:auto}',
].join('')

/** What the page may load: its pictures and its own style. No script runs, whatever the text says. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "img-src 'self' https:",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface PageSite {
  readonly company: string
  readonly locale: string
  /** Where the page is found, absolute where the address of the application is known. */
  readonly canonical: string
}

export function pageDocument(page: PublicPage, { company, locale, canonical }: PageSite): string {
  const { title, description, html, cover } = page
  const at = new Date(page.published_at).toISOString()
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escape(title)} · ${escape(company)}</title>`,
    `<meta name="description" content="${escape(description)}">`,
    `<link rel="canonical" href="${escape(canonical)}">`,
    `<meta property="og:title" content="${escape(title)}">`,
    `<meta property="og:description" content="${escape(description)}">`,
    `<style>${STYLE}</style>`,
  ]
  const time = `<p><time datetime="${at}">${at.slice(0, 10)}</time></p>`
  const body = [`<h1>${escape(title)}</h1>`, time, ...(cover === null ? [] : [picture(cover)]), html]
  return `<!doctype html>\n<html lang="${escape(locale)}">\n<head>\n${head.join('\n')}\n</head>\n<body>\n<article>\n${body.join('\n')}\n</article>\n</body>\n</html>\n`
}
