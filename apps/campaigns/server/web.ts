import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from './problem.ts'

/** Where the pages are, and with them everything they are made of. */
const BASE = '/app/'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "font-src 'none'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "frame-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const HASHED = `assets${sep}`
const FOR_EVER = 'public, max-age=31536000, immutable'
const ASK_EACH_TIME = 'no-cache'
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

interface WebFile {
  readonly body: Buffer
  readonly type: string
  readonly etag: string
  readonly cacheControl: string
  /** The same, compressed when it was built. */
  readonly compressed: ReadonlyMap<string, Buffer>
}

/** Beside the sources, whether they run or what was compiled from them into `dist/server`. */
const BUILT = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../dist/web/' : '../web/', import.meta.url))

function readWebFile(directory: string, name: string): WebFile {
  const path = join(directory, name)
  const body = readFileSync(path)
  const compressed = ENCODINGS.filter(([, suffix]) => existsSync(path + suffix))
  return {
    body,
    type: TYPES[extname(name)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    cacheControl: name.startsWith(HASHED) ? FOR_EVER : ASK_EACH_TIME,
    compressed: new Map(compressed.map(([encoding, suffix]) => [encoding, readFileSync(path + suffix)])),
  }
}

/** The built pages by their address below `BASE`. Read once: nothing a request says ever becomes a path. */
function readPages(directory: string): ReadonlyMap<string, WebFile> {
  if (!existsSync(directory)) return new Map()
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    name => statSync(join(directory, name)).isFile() && !/\.(br|gz|map)$/.test(name),
  )
  return new Map(names.map(name => [name.split(sep).join('/'), readWebFile(directory, name)]))
}

/** What the page needs at once, for whoever stands in front and can tell browsers early (103). */
function linksOf(html: string): string {
  const tags = [...html.matchAll(/<(?:script|link)[^>]*(?:src|href)="([^"]+\.(js|css))"[^>]*>/g)]
  return (
    tags
      .filter(([tag]) => !tag.includes('boot.js'))
      // Of a style that is asked for with `crossorigin`, a preload without it is another file, and useless.
      .map(([, url, kind]) => `<${url}>; rel=${kind === 'css' ? 'preload; as=style; crossorigin' : 'modulepreload'}`)
      .join(', ')
  )
}

function encodingFor({ headers }: FastifyRequest, file: WebFile): string | undefined {
  const { 'accept-encoding': accepted = '' } = headers
  return ENCODINGS.map(([name]) => name).find(
    name =>
      file.compressed.has(name) && new RegExp(`\\b${name}\\b(?!\\s*;\\s*q=0(?:\\.0*)?\\s*(?:,|$))`).test(accepted),
  )
}

function send(request: FastifyRequest, reply: FastifyReply, file: WebFile): FastifyReply {
  const encoding = encodingFor(request, file)
  const etag = encoding === undefined ? file.etag : `${file.etag.slice(0, -1)}-${encoding}"`
  reply.header('etag', etag).header('cache-control', file.cacheControl).header('content-type', file.type)
  if (file.compressed.size > 0) reply.header('vary', 'accept-encoding')
  const { 'if-none-match': asked = '' } = request.headers
  const known = asked.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
  if (known) return reply.code(304).send()
  if (encoding === undefined) return reply.send(file.body)
  return reply.header('content-encoding', encoding).send(file.compressed.get(encoding))
}

/** The pages of the application: hashed files for ever, the page itself asked for each time, any address of a screen. */
export const webRoutes: FastifyPluginAsync<{ directory?: string }> = async (app, { directory = BUILT }) => {
  const pages = readPages(directory)
  const index = pages.get('index.html')
  const links = index === undefined ? '' : linksOf(index.body.toString())
  const open = { config: { access: 'public' as const, compress: false }, schema: { hide: true } }

  app.get('/', open, async (_request, reply) => reply.redirect(BASE))
  app.get(BASE.slice(0, -1), open, async (_request, reply) => reply.redirect(BASE))
  app.get<{ Params: { '*': string } }>(`${BASE}*`, open, async (request, reply) => {
    const name = request.params['*']
    const file = name === '' ? undefined : pages.get(name)
    if (file !== undefined) return send(request, reply, file)
    if (index === undefined) throw new Problem(501, 'The pages are not built. Run npm start, or npm run build.')
    // A file of an earlier build that is gone is no screen: a page in its place would be taken for a script.
    if (extname(name) !== '') throw new Problem(404, `Nothing is served at GET ${BASE}${name}.`)
    reply.header('content-security-policy', POLICY).header('link', links)
    return send(request, reply, index)
  })
}
