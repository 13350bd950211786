import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, lstat, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno } from '../stores/file/errors.ts'

/** The name of an errno, also of those that Node gives no name (EDQUOT, ESTALE): `EACCES`, `errno -122`. */
export function errnoOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'no errno'
  const { code, errno } = error as NodeJS.ErrnoException
  if (isErrno(error, 'EDQUOT')) return 'EDQUOT'
  if (isErrno(error, 'ESTALE')) return 'ESTALE'
  return code !== undefined && /^[A-Z0-9_]+$/.test(code) ? code : errno === undefined ? 'no errno' : `errno ${errno}`
}

/** Undefined when nothing is there. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Writes a new file, 0600, whose bytes are on the disk when this resolves. Leaves nothing when it fails. */
export async function writeNew(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
    await handle.close()
  } catch (error) {
    await handle.close().catch(() => undefined)
    await rm(path, { force: true })
    throw error
  }
}

/** Readers see the old text or the new one, never a part. 0600. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const next = `${path}.${randomBytes(6).toString('hex')}.t`
  await writeNew(next, text)
  try {
    await rename(next, path)
  } catch (error) {
    await rm(next, { force: true })
    throw error
  }
}

/** Undefined: the file can be written, or made. Otherwise the errno that speaks against it. */
export async function whyNotWritable(path: string): Promise<string | undefined> {
  try {
    const there = await lstat(path).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    })
    if (there !== undefined && !there.isFile()) return 'not a regular file'
    if (there !== undefined) await access(path, constants.R_OK | constants.W_OK)
    // It is replaced by a rename, which is a right on the directory. As root `access` allows what a read-only disk does not.
    const probe = `${dirname(path)}/.palier-${randomBytes(6).toString('hex')}`
    await writeNew(probe, '')
    await rm(probe, { force: true })
    return undefined
  } catch (error) {
    return errnoOf(error)
  }
}
