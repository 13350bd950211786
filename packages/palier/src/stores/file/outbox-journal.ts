import { hash } from 'node:crypto'
import { type BigIntStats, promises as fs } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { type Clock, systemClock } from '../../clock.ts'
import { badOption, PalierError } from '../../errors.ts'
import type { Journal } from '../../journal.ts'
import { faultOf, isErrno, storeFailed } from './errors.ts'
import { CREATE_BOTH, DIR_MODE, FILE_MODE, flushIfThere } from './io.ts'
import { findLegacy, uniqueName } from './outbox-legacy.ts'
import { encodeHead, encodeLines } from './outbox-lines.ts'
import { createWitness, type Witness } from './owner.ts'
import { claimDirectory } from './probe.ts'

/*
 * The journal of an outbox on a disk: `<dir>/outbox/<hash of the channel>/<unique>.log`, a file for each process that
 * had something to write. It needs no store in the directory: mostly there is none, and Redis is what is waited for.
 *
 *   append    write behind the last good line, fsync, and look whether the file still has its name
 *   clear     remove the file; the next append makes another
 *   close     give what is left the name `<unique>.left`: its owner is done with it, dead or not
 *   inherit   read the files of others (outbox-legacy.ts)
 *
 * Who takes over a file gives it a name of its own before it reads it for the last time. So an owner that was only
 * thought to be dead, and still writes, finds the name gone behind its fsync, and writes all of it into a new file: of
 * the lines it was told are safe, each was in the file when that was read, or is in another file now.
 *
 * After a failed fsync nothing is known of what the disk holds, and a second one would say that all is well. The file
 * is left as it is then, what stood in it before may be whole, and what comes goes into a new one.
 */
export interface OutboxJournalOptions {
  /** Made with the first line (0700), with the safety rules of a file store's directory. One may be open in it. */
  readonly dir: string
  /** Which outboxes share what they leave: those of one namespace and one backend. */
  readonly channel: string
  readonly clock?: Clock
  /** What went wrong without being anybody's answer: a file that cannot be read, a line that was damaged. */
  readonly onFault?: (operation: string, cause: unknown) => void
}

interface OpenFile {
  readonly handle: fs.FileHandle
  readonly path: string
  readonly stat: BigIntStats
  readonly headEnd: number
  /** Behind the last line that is safe. */
  end: number
  /** Nothing in it was acknowledged yet, and its name may not be on the disk. */
  fresh: boolean
}

/** Others would have to take the file over as often as this between two calls. */
const ATTEMPTS = 8
/** The last of the waits for a free handle, in milliseconds, each twice the one before. */
const LONGEST_WAIT = 64

/**
 * Opens nothing and throws for nothing but its options: the first call that needs the directory rejects if it cannot
 * serve, with PALIER_STORE_REFUSED when it is full or read-only and PALIER_STORE_FAILED otherwise.
 */
export function openOutboxJournal(options: OutboxJournalOptions): Journal {
  const { clock = systemClock, onFault = () => undefined } = options
  if (typeof options.dir !== 'string' || options.dir === '') {
    throw badOption('dir', 'the path of a directory', options.dir)
  }
  const dir = resolve(options.dir)
  const channel = `${dir}/outbox/${hash('sha256', options.channel, 'hex').slice(0, 24)}`
  const writer = createWriter(dir, channel, () => witness())
  let tail: Promise<unknown> = Promise.resolve()
  let batch: { readonly parts: Buffer[]; done: Promise<void> } | undefined
  let seen: Promise<Witness> | undefined
  let closing: Promise<void> | undefined

  const witness = (): Promise<Witness> => {
    seen ??= createWitness(clock)
    return seen
  }

  /** One step on our file after the other, in the order of the calls. */
  const inTurn = async (operation: string, work: () => Promise<void>): Promise<void> => {
    const mine = tail.then(work)
    tail = mine.catch(() => undefined)
    try {
      await mine
    } catch (error) {
      throw storeFailed(operation, channel, error)
    }
  }

  const checkOpen = (): void => {
    if (closing !== undefined) throw new PalierError('PALIER_CLOSED', 'the outbox journal is closed')
  }

  return {
    async append(lines) {
      checkOpen()
      if (lines.length === 0) return
      if (batch === undefined) {
        const mine = { parts: [] as Buffer[], done: Promise.resolve() }
        batch = mine
        mine.done = inTurn('append', async () => {
          if (batch === mine) batch = undefined
          await writer.put(Buffer.concat(mine.parts))
        })
      }
      batch.parts.push(encodeLines(lines))
      await batch.done
    },
    async clear() {
      checkOpen()
      // What is appended from now on must come behind.
      batch = undefined
      await inTurn('clear', writer.drop)
    },
    async inherit() {
      checkOpen()
      try {
        if (!(await isDirectory(dir))) return { lines: [], neighbours: [], settle: async () => undefined }
        await claim(dir)
        const sees = await witness()
        return await findLegacy({ channel, sees, clock, isOwn: writer.isOwn, onFault })
      } catch (error) {
        throw storeFailed('inherit', channel, error)
      }
    },
    close() {
      closing ??= inTurn('close', writer.leave)
      return closing
    },
  }
}

interface Writer {
  put(bytes: Buffer): Promise<void>
  /** Removes whatever was put. */
  drop(): Promise<void>
  /** Ends the handle; what was put is for others. */
  leave(): Promise<void>
  isOwn(name: string): boolean
}

/** Calls come one after the other. */
function createWriter(dir: string, channel: string, witness: () => Promise<Witness>): Writer {
  /** Files of ours that are not written any more and not removed yet. */
  const left = new Set<string>()
  let file: OpenFile | undefined

  const isOwn = (name: string): boolean => file?.path === `${channel}/${name}` || left.has(`${channel}/${name}`)

  /** A directory that goes between being made and being written in is made again, once; a handle is waited for. */
  const create = async (path: string): Promise<fs.FileHandle> => {
    let again = false
    for (let wait = 1; ; wait *= 2) {
      try {
        await claim(dir)
        await makeDirectories(dir, channel)
        return await fs.open(path, CREATE_BOTH, FILE_MODE)
      } catch (error) {
        if (isErrno(error, 'ENOENT') && !again) again = true
        else if (wait > LONGEST_WAIT || !isErrno(error, 'EMFILE', 'ENFILE', 'ENOMEM')) throw error
        else await new Promise(resolve => void setTimeout(resolve, wait))
      }
    }
  }

  const begin = async (): Promise<OpenFile> => {
    const { self } = await witness()
    const path = `${channel}/${uniqueName()}.log`
    const handle = await create(path)
    try {
      const head = encodeHead({ ...self, host: hostname() })
      await writeAt(handle, head, 0)
      const stat = await handle.stat({ bigint: true })
      return { handle, path, stat, headEnd: head.length, end: head.length, fresh: true }
    } catch (error) {
      await discard(handle, path)
      throw error
    }
  }

  /** Writes and syncs, or leaves the file as it was and rejects. */
  const store = async (into: OpenFile, bytes: Buffer): Promise<void> => {
    let written = false
    try {
      await writeAt(into.handle, bytes, into.end)
      written = true
      await into.handle.sync()
      if (into.fresh) for (const path of [channel, `${dir}/outbox`, dir]) await flushIfThere(path)
      into.fresh = false
      into.end += bytes.length
    } catch (error) {
      if (into.fresh) {
        file = undefined
        await discard(into.handle, into.path)
      } else if (!written && faultOf(error) === 'full') {
        // What was written of it is overwritten by the next line, and fails its sum until then.
        await into.handle.truncate(into.end).catch(() => undefined)
      } else {
        await retire(into)
      }
      throw error
    }
  }

  const retire = async (from: OpenFile): Promise<void> => {
    file = undefined
    left.add(from.path)
    await from.handle.close().catch(() => undefined)
  }

  /** All lines of a file that lost its name; those that cannot be read any more were somebody else's to deliver. */
  const rescue = async (from: OpenFile, bytes: Buffer): Promise<Buffer> => {
    try {
      const all = Buffer.alloc(from.end - from.headEnd)
      for (let at = 0; at < all.length; ) {
        const { bytesRead } = await from.handle.read(all, at, all.length - at, from.headEnd + at)
        if (bytesRead === 0) return bytes
        at += bytesRead
      }
      return all
    } catch {
      return bytes
    } finally {
      file = undefined
      await from.handle.close().catch(() => undefined)
    }
  }

  return {
    isOwn,
    async put(bytes) {
      let rest = bytes
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        file ??= await begin()
        const into = file
        try {
          await store(into, rest)
        } catch (error) {
          // The handle of a network file system went bad; a new one may do.
          if (attempt > 0 || faultOf(error) !== 'stale') throw error
          continue
        }
        if (await isStill(into)) return
        rest = await rescue(into, rest)
      }
      throw new PalierError('PALIER_STORE_FAILED', `${channel} was removed at each of ${ATTEMPTS} attempts`)
    },
    async drop() {
      if (file !== undefined) await retire(file)
      for (const path of left) {
        await unlinkIfThere(path)
        left.delete(path)
      }
    },
    async leave() {
      if (file !== undefined) await retire(file)
      for (const path of left) await renameIfThere(path, path.replace(/log$/, 'left'))
      if (left.size > 0) await flushIfThere(channel)
      left.clear()
    },
  }
}

async function claim(dir: string): Promise<void> {
  const refused = await claimDirectory(dir)
  if (refused !== undefined) throw new PalierError('PALIER_STORE_FAILED', `${refused.why}; ${refused.hint}`)
}

async function makeDirectories(dir: string, channel: string): Promise<void> {
  for (const path of [`${dir}/outbox`, channel]) {
    try {
      await fs.mkdir(path, DIR_MODE)
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      // A link put here would lead out of the directory.
      if (!(await isDirectory(path))) {
        throw new PalierError(
          'PALIER_STORE_FAILED',
          `${path} is not a directory: the journal will not write through it`,
        )
      }
    }
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await fs.lstat(path)).isDirectory()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

async function writeAt(handle: fs.FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at)
    at += bytesWritten
  }
}

async function isStill({ path, stat }: OpenFile): Promise<boolean> {
  try {
    const now = await fs.lstat(path, { bigint: true })
    return now.ino === stat.ino && now.dev === stat.dev
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

/** A file that holds nothing: it is removed, or found empty by somebody later. */
async function discard(handle: fs.FileHandle, path: string): Promise<void> {
  await handle.close().catch(() => undefined)
  await fs.unlink(path).catch(() => undefined)
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await fs.unlink(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await fs.rename(from, to)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  }
}
