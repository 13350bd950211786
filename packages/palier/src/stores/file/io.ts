import fs, { type Dirent, type Stats } from 'node:fs'
import { promisify } from 'node:util'
import { isErrno } from './errors.ts'

/*
 * The few system calls of the store, in two forms that the store awaits alike. On a local disk a synchronous read of
 * a small file is about 5 microseconds of kernel work, and the thread pool would add twenty to forty times that; on a
 * slow or remote disk the synchronous form would stop the event loop, so the asynchronous one is used. Large files go
 * through the thread pool in both.
 */
export type Maybe<T> = T | Promise<T>

/** Reads the whole file as `view`. The view is lent, to be copied from, unless `owned`. */
export type Parse<T> = (view: Buffer, owned: boolean) => T | undefined

export interface FileIo {
  readonly mode: 'sync' | 'async'
  /** Undefined when there is no regular file (a symbolic link is none), or `parse` says so. `stampAt` (seconds) is set as its mtime. */
  read<T>(path: string, parse: Parse<T>, stampAt?: number): Maybe<T | undefined>
  /** At most the first `bytes` bytes of the file. */
  head(path: string, bytes: number): Maybe<Buffer | undefined>
  open(path: string, flags: number): Maybe<number>
  /** Writes both parts, or rejects: a short write is gone on with. */
  write(fd: number, first: Uint8Array, second: Uint8Array): Maybe<void>
  close(fd: number): Maybe<void>
  fstat(fd: number): Maybe<Stats>
  /** Of the name itself, never of what a link points to; undefined when nothing has it. */
  stat(path: string): Maybe<Stats | undefined>
  futimes(fd: number, seconds: number): Maybe<void>
  utimes(path: string, seconds: number): Maybe<void>
  rename(from: string, to: string): Maybe<void>
  unlink(path: string): Maybe<void>
  mkdir(path: string): Maybe<void>
  rmdir(path: string): Maybe<void>
  list(path: string): Maybe<Dirent[]>
  /** The bytes of an open file are on the disk when this resolves; never on the event loop, in either form. */
  sync(fd: number): Promise<void>
  /** The names in a directory are on the disk when this resolves. */
  flush(dir: string): Maybe<void>
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants
/** O_NONBLOCK: a planted pipe must not make an `open` wait for ever. */
export const READ: number = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
export const CREATE: number = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
/** To write, and to read back. */
export const CREATE_BOTH: number = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
export const REWRITE: number = O_WRONLY | O_NOFOLLOW
export const FILE_MODE = 0o600
export const DIR_MODE = 0o700

/** Files below this are read and written in one synchronous call. */
const LARGE = 256 * 1024

const isNothing = (error: unknown): boolean => isErrno(error, 'ENOENT', 'ELOOP', 'ENOTDIR', 'EISDIR', 'ENXIO', 'EAGAIN')

const openAsync = promisify(fs.open)
const closeAsync = promisify(fs.close)
const fstatAsync: (fd: number) => Promise<Stats> = promisify(fs.fstat)
const futimesAsync = promisify(fs.futimes)
const readAsync = promisify(fs.read)
const writeAsync = promisify(fs.write)
const fdatasyncAsync = promisify(fs.fdatasync)

async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await writeAsync(fd, bytes, at, bytes.length - at, null)
    at += bytesWritten
  }
}

async function readAll(fd: number, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await readAsync(fd, bytes, at, size - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return bytes.subarray(0, at)
}

async function orNothing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (isNothing(error)) return undefined
    throw error
  }
}

/** Puts the names in a directory on the disk. */
async function flushDirectory(dir: string): Promise<void> {
  try {
    const handle = await fs.promises.open(dir, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    // Some file systems have no such thing as a flushed directory.
    if (!isErrno(error, 'EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM', 'EACCES')) throw error
  }
}

/** Like `flushDirectory`, where a directory that is gone has nothing to lose. */
export async function flushIfThere(dir: string): Promise<void> {
  try {
    await flushDirectory(dir)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

const asyncIo: FileIo = {
  mode: 'async',
  read: (path, parse, stampAt) =>
    orNothing(async () => {
      const fd = await openAsync(path, READ)
      try {
        const stat = await fstatAsync(fd)
        if (!stat.isFile()) return undefined
        const found = parse(await readAll(fd, stat.size), true)
        if (found !== undefined && stampAt !== undefined)
          await futimesAsync(fd, stampAt, stampAt).catch(() => undefined)
        return found
      } finally {
        await closeAsync(fd)
      }
    }),
  head: (path, bytes) =>
    orNothing(async () => {
      const fd = await openAsync(path, READ)
      try {
        return await readAll(fd, bytes)
      } finally {
        await closeAsync(fd)
      }
    }),
  open: (path, flags) => openAsync(path, flags, FILE_MODE),
  async write(fd, first, second) {
    await writeAll(fd, Buffer.concat([first, second]))
  },
  close: fd => closeAsync(fd),
  fstat: fd => fstatAsync(fd),
  async stat(path) {
    try {
      return await fs.promises.lstat(path)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  },
  futimes: (fd, seconds) => futimesAsync(fd, seconds, seconds),
  utimes: (path, seconds) => fs.promises.utimes(path, seconds, seconds),
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: path => fs.promises.unlink(path),
  async mkdir(path) {
    await fs.promises.mkdir(path, DIR_MODE)
  },
  rmdir: path => fs.promises.rmdir(path),
  list: path => fs.promises.readdir(path, { withFileTypes: true }),
  sync: fd => fdatasyncAsync(fd),
  flush: flushDirectory,
}

/** Above this, in milliseconds, a synchronous call holds up the event loop too long. */
export const SLOW_CALL = 2
/** Weight of the last call in the average: about this many calls must be slow together. */
const WINDOW = 64
/** One call counts for no more milliseconds than this: a process that waited long for its turn says nothing of the disk. */
const LONGEST_CALL = 10

/** Calls `slow` when synchronous reads and renames take more than `limit` milliseconds each on average. */
function watchSpeed(limit: number, slow: () => void): (startedAt: number) => void {
  let average = 0
  return startedAt => {
    average += (Math.min(performance.now() - startedAt, LONGEST_CALL) - average) / WINDOW
    if (average <= limit) return
    average = 0
    slow()
  }
}

function createSyncIo(slow: () => void): FileIo {
  // Lent to `parse` and to one write at a time: never across an await.
  const pool = Buffer.allocUnsafeSlow(LARGE)
  const spent = watchSpeed(SLOW_CALL, slow)

  const readOnce = <T>(path: string, parse: Parse<T>, stampAt: number | undefined): Maybe<T | undefined> => {
    const fd = fs.openSync(path, READ)
    let handedOn = false
    try {
      const length = fs.readSync(fd, pool, 0, LARGE, 0)
      if (length === LARGE) {
        // The pool is full, so the file may be longer than it.
        handedOn = true
        return (async () => {
          try {
            return parse(await readAll(fd, (await fstatAsync(fd)).size), true)
          } finally {
            await closeAsync(fd)
          }
        })()
      }
      const found = parse(pool.subarray(0, length), false)
      if (found !== undefined && stampAt !== undefined) {
        try {
          fs.futimesSync(fd, stampAt, stampAt)
        } catch {
          // The stamp only orders evictions: on a read-only disk the entry is as good without it.
        }
      }
      return found
    } finally {
      if (!handedOn) fs.closeSync(fd)
    }
  }

  return {
    mode: 'sync',
    read(path, parse, stampAt) {
      const startedAt = performance.now()
      try {
        return readOnce(path, parse, stampAt)
      } catch (error) {
        if (isNothing(error)) return undefined
        throw error
      } finally {
        spent(startedAt)
      }
    },
    head(path, bytes) {
      try {
        const fd = fs.openSync(path, READ)
        try {
          const length = fs.readSync(fd, pool, 0, Math.min(bytes, LARGE), 0)
          return Buffer.from(pool.subarray(0, length))
        } finally {
          fs.closeSync(fd)
        }
      } catch (error) {
        if (isNothing(error)) return undefined
        throw error
      }
    },
    open: (path, flags) => fs.openSync(path, flags, FILE_MODE),
    write(fd, first, second) {
      const length = first.length + second.length
      if (length > LARGE) return writeAll(fd, first).then(() => writeAll(fd, second))
      pool.set(first)
      pool.set(second, first.length)
      for (let at = 0; at < length; ) at += fs.writeSync(fd, pool, at, length - at, null)
    },
    close: fd => fs.closeSync(fd),
    fstat: fd => fs.fstatSync(fd),
    stat: path => fs.lstatSync(path, { throwIfNoEntry: false }),
    futimes: (fd, seconds) => fs.futimesSync(fd, seconds, seconds),
    utimes: (path, seconds) => fs.utimesSync(path, seconds, seconds),
    rename(from, to) {
      const startedAt = performance.now()
      fs.renameSync(from, to)
      spent(startedAt)
    },
    unlink: path => fs.unlinkSync(path),
    mkdir(path) {
      fs.mkdirSync(path, DIR_MODE)
    },
    rmdir: path => fs.rmdirSync(path),
    list: path => fs.readdirSync(path, { withFileTypes: true }),
    sync: asyncIo.sync,
    flush: asyncIo.flush,
  }
}

/** `slow` is called when the synchronous form proves too slow; the asynchronous one never calls it. */
export function createIo(mode: 'sync' | 'async', slow: () => void): FileIo {
  return mode === 'sync' ? createSyncIo(slow) : asyncIo
}

/**
 * Looks as `under` does, and changes things through the thread pool: while a file system flushes, its renames and the
 * like wait for it, for hundreds of milliseconds together in a burst of writes that are flushed.
 */
export function changeAside(under: FileIo): FileIo {
  const { mode, read, head, stat, fstat, list } = under
  return { ...asyncIo, mode, read, head, stat, fstat, list }
}

/** File systems whose answers come over a network or from another program: NFS, SMB, FUSE, AFS, Ceph, Lustre, GPFS, 9P. */
const NETWORK_TYPES: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x65735546, 0x5346414f, 0x00c36400, 0x0bd00bd0, 0x47504653, 0x01021997,
])

export async function isNetwork(dir: string): Promise<boolean> {
  const { type } = await fs.promises.statfs(dir)
  // The kernel gives a signed word on some systems.
  return NETWORK_TYPES.has(type >>> 0)
}

/** Lets a burst of synchronous calls take the event loop for `LONGEST_TURN` milliseconds at a time, not for all of them. */
export interface Turn {
  tired(): boolean
  /** Resolves once the event loop has gone round. */
  rest(): Promise<void>
}

const LONGEST_TURN = 4

export function createTurn(): Turn {
  let startedAt = 0
  return {
    tired() {
      const now = performance.now()
      if (startedAt === 0) {
        startedAt = now
        setImmediate(() => {
          startedAt = 0
        }).unref()
      }
      return now - startedAt > LONGEST_TURN
    },
    rest: () => new Promise(resolve => void setImmediate(resolve)),
  }
}
