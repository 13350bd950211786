import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Fields } from './cache-control.ts'
import type { Route } from './options.ts'
import { fieldsOf, keptHeaders, type Life, namesOf, type Whole } from './storable.ts'

/** A response as the cache keeps it. */
export interface Stored {
  readonly form: 'palier-response-1'
  /** Whose it is, and what its key was made of: an application's own key may be equal to one of ours. */
  readonly whose: string
  readonly status: number
  /** Name and value by turns. */
  readonly headers: readonly string[]
  /** What its strong ETags begin with. */
  readonly etag: string
  /** The encoding that the handler itself chose for `body`; empty for none. */
  readonly encoding: string
  readonly body: Uint8Array
  readonly gzip?: Uint8Array
  readonly br?: Uint8Array
  /** When it was made, in milliseconds since 1970. */
  readonly madeAt: number
  readonly ttl: number
  readonly staleFor: number
  readonly errorFor: number
}

/** Whether what lies under a key is a response: the application may keep other things in the same type. */
export function isStored(value: unknown, whose: string): value is Stored {
  if (typeof value !== 'object' || value === null || !('form' in value) || !('whose' in value)) return false
  return value.form === 'palier-response-1' && value.whose === whose
}

const SMALLEST = 1024
const TEXTUAL =
  /^(?:text\/(?!event-stream)|application\/(?:json|javascript|xml|x-javascript|wasm|graphql|rtf|x-ndjson|ld\+json|[a-z0-9.-]+\+(?:json|xml))|image\/(?:svg\+xml|bmp|x-icon)|font\/(?:ttf|otf|collection))/i

const gzipped = promisify(gzip)
const brotlied = promisify(brotliCompress)

function isCompressible(fields: Fields): boolean {
  if (fields.has('content-encoding') || /no-transform/i.test(fields.get('cache-control') ?? '')) return false
  return TEXTUAL.test(fields.get('content-type') ?? '')
}

async function variantsOf(body: Uint8Array, fields: Fields): Promise<Pick<Stored, 'gzip' | 'br'>> {
  if (body.length < SMALLEST || !isCompressible(fields)) return {}
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: body.length }
  const [one, two] = await Promise.all([gzipped(body, { level: 6 }), brotlied(body, { params: quality })])
  return {
    ...(one.length < body.length && { gzip: new Uint8Array(one) }),
    ...(two.length < body.length && { br: new Uint8Array(two) }),
  }
}

function entityTag(own: string | undefined, body: Uint8Array): string {
  const strong = own === undefined ? null : /^"([\x21\x23-\x7e]{1,200})"$/.exec(own)
  return strong?.[1] ?? createHash('sha256').update(body).digest('base64url').slice(0, 27)
}

/** The Vary header of every answer: what the handler names, what the key holds, and the encoding where there is a choice. */
function varyOf<Req>(fields: Fields, route: Route<Req>, isEncoded: boolean): readonly string[] {
  const names = new Set([...namesOf(fields.get('vary')), ...route.vary])
  if (isEncoded) names.add('accept-encoding')
  return names.size === 0 ? [] : ['vary', [...names].join(', ')]
}

/** What is kept of a response that may be kept. `ceiling` is the longest ttl. */
export async function storedOf<Req>(
  whole: Whole,
  route: Route<Req>,
  life: Life,
  { ceiling, madeAt, whose }: { readonly ceiling: number; readonly madeAt: number; readonly whose: string },
): Promise<Stored> {
  const fields = fieldsOf(whole.headers)
  const variants = await variantsOf(whole.body, fields)
  const headers = keptHeaders(whole, fields)
  const encoding = (fields.get('content-encoding') ?? '').trim().toLowerCase()
  const isEncoded = variants.gzip !== undefined || variants.br !== undefined || encoding !== ''
  headers.push(...varyOf(fields, route, isEncoded))
  // Whatever is deleted here must be gone from browsers too, so they ask each time, and mostly get a 304.
  if (!fields.has('cache-control'))
    headers.push('cache-control', route.scope === 'public' ? 'no-cache' : 'private, no-cache')
  return {
    form: 'palier-response-1',
    whose,
    status: whole.status,
    headers,
    etag: entityTag(fields.get('etag'), whole.body),
    encoding: encoding === 'identity' ? '' : encoding,
    body: whole.body,
    ...variants,
    madeAt,
    ttl: Math.min(life.ttl ?? ceiling, ceiling),
    staleFor: life.staleFor,
    errorFor: life.errorFor,
  }
}
