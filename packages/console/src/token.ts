import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { PalierError } from 'palier'

/** Shortest token taken from an application: 128 bits in hexadecimal, so that nobody finds it by trying. */
const SHORTEST = 32

export const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** In a time that says nothing of how much of two texts is equal, nor of their lengths. */
export const isSame = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/** The token if it may be one; throws PALIER_BAD_OPTION, which never holds it, if not. */
export function checkedToken(field: string, token: unknown): string {
  if (typeof token === 'string' && token.length >= SHORTEST && /^[\u0021-\u007e]+$/.test(token)) return token
  const came = typeof token === 'string' ? `${token.length} characters` : typeof token
  const expected = `at least ${SHORTEST} visible ASCII characters`
  throw new PalierError('PALIER_BAD_OPTION', `${field}: expected ${expected}, received ${came} (not shown)`)
}

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown } | null)?.code ?? error)

/** The token in a file; throws PALIER_BAD_OPTION when it cannot be read. */
export function readToken(field: string, path: string): string {
  try {
    return checkedToken(field, readFileSync(path, 'utf8').trim())
  } catch (error) {
    if (error instanceof PalierError) throw error
    throw new PalierError(
      'PALIER_BAD_OPTION',
      `${field}: expected a file that can be read, received ${codeOf(error)}`,
      {
        cause: error,
      },
    )
  }
}

/** A file of our own that nobody else may read or write, and no link to one. */
function readOwn(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const { mode, uid } = fstatSync(file)
    if ((mode & 0o077) !== 0) throw new PalierError('PALIER_BAD_OPTION', 'tokenFile: others may read or write it')
    if (process.getuid !== undefined && uid !== process.getuid()) {
      throw new PalierError('PALIER_BAD_OPTION', 'tokenFile: it belongs to another user')
    }
    return checkedToken('tokenFile', readFileSync(file, 'utf8').trim())
  } finally {
    closeSync(file)
  }
}

/**
 * The token in the file, which is made with a new one where there is none: 256 random bits, readable by this user alone.
 * Processes that start together end up with one token. Throws PALIER_BAD_OPTION when that cannot be done.
 */
export function ownToken(path: string): string {
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    try {
      return readOwn(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    // Written aside and linked, so that nobody ever reads half a token, and the first one stays.
    writeFileSync(draft, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
    try {
      linkSync(draft, path)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      rmSync(draft, { force: true })
    }
    return readOwn(path)
  } catch (error) {
    if (error instanceof PalierError) throw error
    const expected = 'a place where a file of one user can be made, or the option `token` or `authorize`'
    throw new PalierError('PALIER_BAD_OPTION', `tokenFile: expected ${expected}, received ${codeOf(error)}`, {
      cause: error,
    })
  }
}
