import { randomBytes } from 'node:crypto'
import type { ReadStream } from 'node:fs'
import { access, link, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * Files of pictures under `<data>/media`, named after the bytes that were uploaded: equal uploads share them. A file
 * appears whole or not at all, and is never changed. Shared by all processes of the application.
 */
export interface MediaStore {
  /** Keeps the bytes under a path made by `mediaPath`. Harmless when it is there already. */
  put(path: string, bytes: Uint8Array): Promise<void>
  has(path: string): Promise<boolean>
  /** Undefined when there is no such file. Whoever gets a stream reads it to its end or destroys it. */
  read(path: string): Promise<{ readonly size: number; readonly stream: ReadStream } | undefined>
  /** Takes the file out of sight, to be brought back or discarded. Harmless when it is not there. */
  setAside(path: string): Promise<void>
  bringBack(path: string): Promise<void>
  discard(path: string): Promise<void>
}

const PATH = /^([0-9a-f]{2})\/(\1[0-9a-f]{62})(?:-\d{1,4})?\.(webp|jpg|png|gif|avif)$/

/** What a request may ask for. No other text ever becomes the name of a file. */
export function isMediaPath(path: string): boolean {
  return PATH.test(path)
}

export function mediaPath(sha256: string, extension: string, width?: number): string {
  return `${sha256.slice(0, 2)}/${sha256}${width === undefined ? '' : `-${width}`}.${extension}`
}

const isMissing = (error: unknown): boolean => (error as { code?: string }).code === 'ENOENT'

/** Without the named faults. */
async function unless(codes: readonly string[], action: Promise<void>): Promise<void> {
  try {
    await action
  } catch (error) {
    if (!codes.includes((error as { code?: string }).code ?? '')) throw error
  }
}

export function createMediaStore(dataDir: string): MediaStore {
  const root = join(dataDir, 'media')
  const locate = (path: string): string => {
    if (!isMediaPath(path)) throw new Error(`no path of a picture: ${JSON.stringify(path)}`)
    return join(root, path)
  }
  const aside = (path: string): string => `${locate(path)}.aside`
  const has = async (path: string): Promise<boolean> => {
    try {
      await access(locate(path))
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
  }
  return {
    has,
    async put(path, bytes) {
      if (await has(path)) return
      const file = locate(path)
      await mkdir(dirname(file), { recursive: true })
      const draft = `${file}.${randomBytes(6).toString('hex')}`
      try {
        const handle = await open(draft, 'wx')
        try {
          await handle.writeFile(bytes)
          // The row that names the file is on the disk before the system would have written this.
          await handle.sync()
        } finally {
          await handle.close()
        }
        await rename(draft, file)
      } finally {
        await rm(draft, { force: true })
      }
    },
    async read(path) {
      try {
        const handle = await open(locate(path))
        const { size } = await handle.stat()
        return { size, stream: handle.createReadStream() }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },
    setAside: path => unless(['ENOENT'], rename(locate(path), aside(path))),
    // Whoever uploaded the same bytes meanwhile has put the file there: then theirs stays.
    async bringBack(path) {
      await unless(['ENOENT', 'EEXIST'], link(aside(path), locate(path)))
      await rm(aside(path), { force: true })
    },
    discard: path => rm(aside(path), { force: true }),
  }
}
