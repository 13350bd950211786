import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { problem, problemResponse } from './answer.ts'

/** Where the build puts the pages, beside what runs, whether that is the source or what was compiled from it. */
export const BUILT_PAGES: string = fileURLToPath(new URL('../dist/ui/', import.meta.url))

/** The pages of the console: files that were there when it was made. Nothing a request says becomes a path. */
export interface Assets {
  /** Undefined when this path is none of theirs. */
  serve(request: Request, path: string): Response | undefined
}

type Encoding = 'br' | 'gzip'

interface Variant {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly etag: string
}

interface Asset {
  readonly type: string
  readonly cacheControl: string
  readonly plain: Variant
  readonly encoded: ReadonlyMap<Encoding, Variant>
}

const INDEX = 'index.html'
/** What the build names after its content lies here: under that name it never changes. */
const HASHED = 'assets'
const FOREVER = 'public, max-age=31536000, immutable'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
}
const SUFFIXES: readonly (readonly [Encoding, string])[] = [
  ['br', '.br'],
  ['gzip', '.gz'],
]

function variantOf(path: string): Variant | undefined {
  try {
    const bytes = new Uint8Array(readFileSync(path))
    return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function assetOf(directory: string, name: string): Asset | undefined {
  const type = TYPES[extname(name)]
  const plain = type === undefined ? undefined : variantOf(join(directory, name))
  if (type === undefined || plain === undefined) return undefined
  const encoded = SUFFIXES.flatMap(([encoding, suffix]) => {
    const variant = variantOf(join(directory, name + suffix))
    return variant === undefined ? [] : [[encoding, variant] as const]
  })
  const cacheControl = name.startsWith(`${HASHED}/`) ? FOREVER : 'no-cache'
  return { type, cacheControl, plain, encoded: new Map(encoded) }
}

/** Names of the files in a directory and in `assets` below it; none when it is not there. */
function namesIn(directory: string): readonly string[] {
  const filesOf = (below: string): readonly string[] => {
    try {
      return readdirSync(join(directory, below)).filter(name => statSync(join(directory, below, name)).isFile())
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }
  return [...filesOf(''), ...filesOf(HASHED).map(name => `${HASHED}/${name}`)]
}

/** Whether the browser takes it; one that says nothing of it does not. */
function accepts(header: string | null, encoding: Encoding): boolean {
  return (header ?? '').split(',').some(part => {
    const [name = '', ...parameters] = part.split(';').map(one => one.trim().toLowerCase())
    const quality = parameters.find(one => one.startsWith('q='))
    return name === encoding && (quality === undefined || Number(quality.slice(2)) > 0)
  })
}

/** Whether the browser has it already, by what `If-None-Match` says. */
function isKnown(header: string | null, etag: string): boolean {
  return (header ?? '').split(',').some(one => ['*', etag].includes(one.trim().replace(/^W\//, '')))
}

function answerWith(request: Request, { type, cacheControl, plain, encoded }: Asset): Response {
  const accepted = request.headers.get('accept-encoding')
  const encoding = SUFFIXES.map(([name]) => name).find(name => encoded.has(name) && accepts(accepted, name))
  const { bytes, etag } = (encoding && encoded.get(encoding)) ?? plain
  const headers = {
    'Cache-Control': cacheControl,
    ETag: etag,
    ...(encoded.size > 0 && { Vary: 'Accept-Encoding' }),
  }
  if (isKnown(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  return new Response(bytes, {
    headers: {
      ...headers,
      'Content-Type': type,
      'Content-Length': String(bytes.byteLength),
      ...(encoding !== undefined && { 'Content-Encoding': encoding }),
    },
  })
}

/** Reads the built pages. Throws what reading throws; a directory that is not there is no error, its console has no pages. */
export function readAssets(directory: string): Assets {
  const assets = new Map<string, Asset>()
  for (const name of namesIn(directory)) {
    const asset = assetOf(directory, name)
    if (asset !== undefined) assets.set(`/${name}`, asset)
  }
  const index = assets.get(`/${INDEX}`)
  if (index !== undefined) assets.set('/', index)
  return {
    serve(request, path) {
      const asset = assets.get(path)
      if (asset !== undefined) return answerWith(request, asset)
      if (path !== '/') return undefined
      return problemResponse(problem(501, 'not-built', 'the console’s pages are not built; the API answers'))
    },
  }
}

/**
 * To the same path with the slash that relative addresses in the page need. Relative itself, because a proxy may know this
 * place under another path.
 */
export function toDirectory({ pathname, search }: URL): Response {
  return new Response(null, {
    status: 308,
    headers: { Location: `./${basename(pathname)}/${search}`, 'Cache-Control': 'no-cache' },
  })
}
