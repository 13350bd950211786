import multipart, { type MultipartFile } from '@fastify/multipart'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { MediaTable } from '../database/schema.ts'
import { listReader } from '../own-writes.ts'
import { badFields, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { isMediaPath } from './files.ts'
import { formatOf, type ImageFormat, type ImageProcessor, loadImageProcessor, MIME_TYPES } from './image.ts'
import { mediaUrl, PictureVariant, variantsOf } from './picture.ts'
import { addMedia, deleteMedia, describeMedia, listMedia, type Upload } from './store.ts'

const MOST_BYTES = 10 * 1024 * 1024
const LONGEST_ALT = 300
const LONGEST_NAME = 160

const nullable = Type.Union([Type.Integer(), Type.Null()])
const MediaSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  alt: Type.String(),
  mime: Type.String(),
  width: nullable,
  height: nullable,
  size: Type.Integer(),
  url: Type.String(),
  variants: Type.Array(PictureVariant),
  processed: Type.Boolean({
    description:
      'False: stored as it came, in one size and with what the camera wrote into it, because sharp is not installed.',
  }),
  uploaded_by: Type.Union([Type.String(), Type.Null()]),
  created_at: Type.Integer(),
})

function shape(row: MediaTable) {
  const { id, name, alt, mime, width, height, size, path, uploaded_by, created_at } = row
  const variants = variantsOf(row)
  const processed = variants.length > 0
  return { id, name, alt, mime, width, height, size, url: mediaUrl(path), variants, processed, uploaded_by, created_at }
}

/** One line, without what a file system or a database would choke on. */
function readText(text: string, longest: number): string {
  const line = text.replace(/\p{Control}+/gu, ' ').trim()
  return line.slice(0, longest).replace(/[\ud800-\udbff]$/, '')
}

function readAlt(value: unknown): string {
  if (typeof value === 'string' && value.length <= LONGEST_ALT) return readText(value, LONGEST_ALT)
  throw badFields([
    { field: 'body.alt', expected: `a text of at most ${LONGEST_ALT} characters`, received: received(value) },
  ])
}

async function readBytes(part: MultipartFile): Promise<Buffer> {
  try {
    return await part.toBuffer()
  } catch (error) {
    if ((error as { code?: string }).code !== 'FST_REQ_FILE_TOO_LARGE') throw error
    const expected = `a file of at most ${MOST_BYTES / 1024 / 1024} MB`
    throw badFields([{ field: 'body.file', expected, received: 'a larger one' }], 413)
  }
}

async function readUpload(request: FastifyRequest): Promise<Upload> {
  if (!request.isMultipart()) {
    const type = received(request.headers['content-type'])
    throw new Problem(415, `header.content-type: expected multipart/form-data, received ${type}`)
  }
  let file: { readonly bytes: Buffer; readonly name: string } | undefined
  let alt = ''
  for await (const part of request.parts()) {
    if (part.type === 'file') file = { bytes: await readBytes(part), name: part.filename }
    else if (part.fieldname === 'alt') alt = readAlt(part.value)
  }
  const expected = `one picture: ${Object.keys(MIME_TYPES).join(', ')}`
  if (file === undefined) throw badFields([{ field: 'body.file', expected, received: 'nothing' }])
  const format = formatOf(file.bytes)
  if (format === undefined) {
    throw badFields([{ field: 'body.file', expected, received: 'a file that begins like none of them' }], 415)
  }
  return { ...file, name: readText(file.name, LONGEST_NAME) || 'picture', format, alt }
}

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Path = Type.Object({ id: Id })
const Paging = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 2000 })),
  },
  { additionalProperties: false },
)
const List = Type.Object({ items: Type.Array(MediaSchema), next_cursor: Type.Union([Type.String(), Type.Null()]) })
const Change = Type.Object(
  {
    alt: Type.Optional(Type.String({ maxLength: LONGEST_ALT })),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: LONGEST_NAME, pattern: '\\S' })),
  },
  { additionalProperties: false, minProperties: 1 },
)
const Force = Type.Object({ force: Type.Optional(Type.Enum(['true', 'false'])) }, { additionalProperties: false })

interface Options {
  readonly services: Services
  /** What makes WebP of uploads; sharp, where it is installed, unless said. `null`: nothing does. */
  readonly process?: ImageProcessor | null
}

export const mediaRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { services, ...options }) => {
  const process = options.process === undefined ? await loadImageProcessor() : (options.process ?? undefined)
  const tags = ['media']
  const readable = { access: 'media:read' as const }
  const writable = { access: 'media:write' as const }
  await app.register(multipart, { limits: { fileSize: MOST_BYTES, files: 1, fields: 10, fieldSize: 4096, parts: 11 } })

  const upload = {
    config: writable,
    schema: { tags, summary: 'Upload a picture', consumes: ['multipart/form-data'], response: { 201: MediaSchema } },
  }
  app.post('/', upload, async (request, reply) => {
    const row = await addMedia(services, request.actor, await readUpload(request), process)
    return reply.code(201).send(shape(row))
  })

  const list = {
    config: readable,
    schema: { tags, summary: 'Pictures, newest first', querystring: Paging, response: { 200: List } },
  }
  app.get('/', list, async ({ query, actor }) => {
    const db = await listReader(services, actor)
    const page = await listMedia(db, services.cursors, { ...query, limit: query.limit ?? 50 })
    return { ...page, items: page.items.map(shape) }
  })

  const change = {
    config: writable,
    schema: { tags, summary: 'Change what it is called', params: Path, body: Change, response: { 200: MediaSchema } },
  }
  app.patch('/:id', change, async ({ params, body, actor }) => {
    const alt = body.alt === undefined ? {} : { alt: readText(body.alt, LONGEST_ALT) }
    const name = body.name === undefined ? {} : { name: readText(body.name, LONGEST_NAME) }
    return shape(await describeMedia(services, actor, params.id, { ...alt, ...name }))
  })

  const remove = { config: writable, schema: { tags, summary: 'Delete a picture', params: Path, querystring: Force } }
  app.delete('/:id', remove, async ({ params, query, actor }, reply) => {
    await deleteMedia(services, actor, params.id, query.force === 'true')
    return reply.code(204).send()
  })
}

const EXTENSIONS = MIME_TYPES as Readonly<Record<string, string>>

/** The files themselves, for anybody, under names that say all of their content: kept by browsers for ever. */
export const mediaFileRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const FilePath = Type.Object({ '*': Type.String({ maxLength: 200 }) })
  const serve = {
    config: { access: 'public' as const },
    schema: { params: FilePath, hide: true },
    compress: false as const,
  }
  app.get('/media/*', serve, async (request, reply) => {
    const path = request.params['*']
    const missing = new Problem(404, 'There is no picture at this address.')
    if (!isMediaPath(path)) throw missing
    const etag = `"${path}"`
    const known = request.headers['if-none-match'] === etag
    const file = await services.media.read(path)
    if (file === undefined) throw missing
    reply
      .header('etag', etag)
      .header('cache-control', 'public, max-age=31536000, immutable')
      .header('content-security-policy', "default-src 'none'; sandbox")
      .header('cross-origin-resource-policy', 'cross-origin')
    if (known) {
      file.stream.destroy()
      return reply.code(304).send()
    }
    const format = path.slice(path.lastIndexOf('.') + 1) as ImageFormat
    reply.type(EXTENSIONS[format] ?? 'application/octet-stream').header('content-length', file.size)
    return reply.send(file.stream)
  })
}
