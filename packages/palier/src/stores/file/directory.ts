import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { PalierError } from '../../errors.ts'
import { isErrno } from './errors.ts'
import { CREATE, DIR_MODE, FILE_MODE, isNetwork, SLOW_CALL } from './io.ts'
import type { Layout } from './layout.ts'
import { claimDirectory } from './probe.ts'

/** What the store learned of its directory when it opened it. */
export interface Opened {
  readonly network: boolean
  /** The file system keeps times in whole seconds. */
  readonly coarse: boolean
  readonly mode: 'sync' | 'async'
  /** Nothing was there: the ledger may begin at zero. */
  readonly fresh: boolean
  /** Nothing alive may be taken away for room, because this store or another one of the directory says so. */
  readonly keeps: boolean
}

const TAG = `Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag: see https://bford.info/cachedir/
# Its contents can be made again; backups may leave them out.
`

/** True when this call made it. */
function make(dir: string): boolean {
  try {
    fs.mkdirSync(dir, DIR_MODE)
    return true
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    // What is written through a link put here would land elsewhere.
    if (fs.lstatSync(dir).isDirectory()) return false
    throw new PalierError('PALIER_STORE_FAILED', `${dir} is not a directory: the store will not write through it`)
  }
}

function writeOnce(path: string, text: string): void {
  try {
    const fd = fs.openSync(path, CREATE, FILE_MODE)
    try {
      fs.writeSync(fd, text)
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    // The tag is a courtesy: a full or read-only disk is told by the first operation that matters.
    if (!isErrno(error, 'EEXIST', 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM')) throw error
  }
}

/** True when synchronous calls on the disk are fast (again). */
export function isFast(layout: Layout): boolean {
  return rehearse(layout).millis <= SLOW_CALL
}

/** Times a few calls on a file of our own, and looks whether half a second survives in its mtime. */
function rehearse(layout: Layout): { millis: number; coarse: boolean } {
  const path = `${layout.state}/rehearsal-${randomBytes(6).toString('hex')}`
  const times: number[] = []
  let coarse = false
  try {
    for (let i = 0; i < 3; i++) {
      const startedAt = performance.now()
      const fd = fs.openSync(path, CREATE, FILE_MODE)
      try {
        fs.futimesSync(fd, 1_000_000_000.5, 1_000_000_000.5)
        coarse = fs.fstatSync(fd).mtimeMs % 1000 === 0
      } finally {
        fs.closeSync(fd)
      }
      fs.unlinkSync(path)
      times.push((performance.now() - startedAt) / 3)
    }
  } catch (error) {
    // Full or read-only: reading still works, and is what such a directory is good for.
    if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM')) throw error
  }
  return { millis: times.sort((a, b) => a - b)[1] ?? 0, coarse }
}

const KEEP = `What is alive in this directory is not taken away for room, neither by \`palier gc\`. Remove this file to allow it.
`

export interface OpenOptions {
  readonly io: 'auto' | 'sync' | 'async'
  /** False: entries cannot be made again, and everybody is told by a file. */
  readonly evict: boolean
}

/** Makes what is missing and decides how to talk to the disk. Rejects with a plain reason when the directory cannot serve. */
export async function openDirectory(layout: Layout, { io, evict }: OpenOptions): Promise<Opened> {
  const refused = await claimDirectory(layout.dir)
  if (refused !== undefined) {
    throw new PalierError('PALIER_STORE_FAILED', `${refused.why}; ${refused.hint}`)
  }
  // The entries' directory decides whether the store is new: whoever makes it begins the ledger, nobody else.
  make(layout.state)
  make(layout.bus)
  const fresh = make(layout.entries)
  // The tag would leave out of the backups what nothing can make again.
  if (evict) writeOnce(layout.tag, TAG)
  else writeOnce(layout.keep, KEEP)
  const network = await isNetwork(layout.dir)
  const { millis, coarse } = rehearse(layout)
  const mode = io === 'auto' ? (network || millis > SLOW_CALL ? 'async' : 'sync') : io
  return { network, coarse, mode, fresh, keeps: !evict || fs.existsSync(layout.keep) }
}
