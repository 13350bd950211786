import type { Stats } from 'node:fs'
import { PalierError } from '../../errors.ts'
import type { StoredRecord } from '../../store.ts'
import { faultOf } from './errors.ts'
import type { Hidden } from './hidden.ts'
import type { FileIo, Maybe, Parse } from './io.ts'
import { diskBytes, type Layout, openFrame, shardOf } from './layout.ts'
import type { Times } from './times.ts'

/** Where an entry is kept. */
export interface Place {
  readonly key: string
  readonly path: string
}

/** Reads an entry; nothing when it cannot be read: that is a fault, told once, and the file is removed if possible. */
export type Reader = (place: Place) => Maybe<StoredRecord | undefined>

export interface ReaderOptions {
  readonly io: () => FileIo
  readonly layout: Layout
  readonly times: Times
  readonly hidden: Hidden
  readonly noteFault: (operation: string, cause: unknown) => void
  /** False: what is damaged stays where it is, since the next look at it may succeed. */
  readonly evict: () => boolean
  /** A file of this disk usage was removed. */
  readonly removed: (bytes: number) => void
}

/** Entries whose access stamp is remembered as fresh; two of one slot are stamped more often than need be. */
const STAMP_SLOTS = 8192

/** The system's time, in seconds, when the stamp of `path` may be older than a minute; else undefined. */
export function createStamps(): (path: string) => number | undefined {
  const slots = new Int32Array(STAMP_SLOTS)
  return path => {
    const now = Date.now()
    const minute = Math.floor(now / 60_000) & 0xfff
    const slot = Number.parseInt(path.slice(-4), 16) & (STAMP_SLOTS - 1)
    const mark = (Number.parseInt(path.slice(-9, -4), 16) << 12) | minute
    if (slots[slot] === mark) return undefined
    slots[slot] = mark
    return now / 1000
  }
}

const isSame = (a: Stats | undefined, b: Stats | undefined): boolean =>
  a !== undefined && b !== undefined && a.ino === b.ino && a.mtimeMs === b.mtimeMs && a.size === b.size

export function createReader(options: ReaderOptions, stampNow: (path: string) => number | undefined): Reader {
  const { io, layout, times, hidden, evict, noteFault, removed } = options

  const statOf = async (path: string): Promise<Stats | undefined> => {
    try {
      return await io().stat(path)
    } catch {
      return undefined
    }
  }

  /** Through a link in the place of a directory nothing is removed. */
  const isInside = async (path: string): Promise<boolean> =>
    (await statOf(layout.entries))?.isDirectory() === true && (await statOf(shardOf(path)))?.isDirectory() === true

  /** Tells it once. A write in the very same instant may go with the file: an early eviction. */
  const putAside = async (path: string, cause: unknown, stat: Stats | undefined): Promise<undefined> => {
    hidden.noteDamaged(path, stat)
    noteFault('get', cause)
    if (!evict() || stat?.isFile() !== true || !(await isInside(path))) return undefined
    try {
      await io().unlink(path)
      hidden.forgive(path)
      removed(diskBytes(stat.size))
    } catch {
      // It stays where it is and is not read; sweeps try again.
    }
    return undefined
  }

  const failed = async (path: string, error: unknown): Promise<undefined> => {
    if (faultOf(error) === 'damaged') return putAside(path, error, await statOf(path))
    noteFault('get', error)
    return undefined
  }

  /** Reads once more what did not verify, so that only a file that stands there unchanged is removed. */
  const verify = async (place: Place): Promise<StoredRecord | undefined> => {
    const before = await statOf(place.path)
    let damaged = false
    const found = await io().read(place.path, (view, owned) => {
      const opened = openFrame(view, owned, place.key, times)
      damaged = opened === 'damaged'
      return opened === 'damaged' ? undefined : opened
    })
    if (!damaged) return found
    const cause = new PalierError('PALIER_DAMAGED', `${place.path} does not verify`, { key: place.key })
    const after = await statOf(place.path)
    return isSame(before, after) ? putAside(place.path, cause, after) : undefined
  }

  const lookAgain = async (place: Place): Promise<StoredRecord | undefined> => {
    if (hidden.isStillDamaged(place.path, await statOf(place.path))) return undefined
    return readNow(place)
  }

  const readNow = (place: Place): Maybe<StoredRecord | undefined> => {
    const { key, path } = place
    let damaged = false
    const parse: Parse<StoredRecord> = (view, owned) => {
      const opened = openFrame(view, owned, key, times)
      if (opened !== 'damaged') return opened
      damaged = true
      return undefined
    }
    const judge = (found: StoredRecord | undefined): Maybe<StoredRecord | undefined> =>
      damaged ? verify(place).catch((error: unknown) => failed(path, error)) : found
    try {
      const found = io().read(path, parse, stampNow(path))
      return found instanceof Promise ? found.then(judge, (error: unknown) => failed(path, error)) : judge(found)
    } catch (error) {
      return failed(path, error)
    }
  }

  return place => {
    if (hidden.isDeleted(place.path)) return undefined
    if (hidden.isDamaged(place.path)) return lookAgain(place)
    return readNow(place)
  }
}
