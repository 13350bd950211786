import { randomBytes } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { hostname } from 'node:os'
import type { Clock } from '../../clock.ts'
import type { Legacy } from '../../journal.ts'
import { PalierError } from '../../errors.ts'
import { isErrno, storeFailed } from './errors.ts'
import { READ } from './io.ts'
import { type Owner, type Read, readOutbox } from './outbox-lines.ts'
import type { Witness } from './owner.ts'

/*
 * What processes that are gone left in the outbox journal. A file is taken from an owner that closed it, that is
 * certainly dead, or of which nothing can be said and nothing was heard for ten minutes. To take one that lives does no
 * harm: its lines are delivered twice, and it notices (outbox-journal.ts).
 */
export interface LegacyOptions {
  readonly channel: string
  readonly sees: Witness
  readonly clock: Clock
  readonly isOwn: (name: string) => boolean
  readonly onFault: (operation: string, cause: unknown) => void
}

interface Found extends Read {
  readonly path: string
  readonly size: number
  readonly writtenAt: number
}

/** An owner nothing can be said of is given up after this silence. */
const SILENCE = 600_000
const NAME = /^[0-9a-z]+-[0-9a-f]{20}\.(log|left)$/

export const uniqueName = (): string => `${process.pid.toString(36)}-${randomBytes(10).toString('hex')}`

async function namesIn(channel: string): Promise<readonly string[]> {
  // A link in the place of a directory leads elsewhere.
  for (const path of [channel.slice(0, channel.lastIndexOf('/')), channel]) {
    try {
      if (!(await fs.lstat(path)).isDirectory()) {
        throw new PalierError('PALIER_STORE_FAILED', `${path} is not a directory: the journal is not read through it`)
      }
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    }
  }
  return (await fs.readdir(channel)).filter(name => NAME.test(name))
}

/** Undefined: gone meanwhile, or no file. */
async function readFile(path: string): Promise<Found | undefined> {
  try {
    const handle = await fs.open(path, READ)
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) return undefined
      const bytes = await handle.readFile()
      return { ...readOutbox(bytes), path, size: bytes.length, writtenAt: stat.mtimeMs }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENXIO', 'EISDIR')) return undefined
    throw error
  }
}

/** False: certainly dead. Undefined: nothing can be said. */
async function lives(owner: Owner | undefined, sees: Witness): Promise<boolean | undefined> {
  if (owner === undefined || owner.host !== hostname()) return undefined
  const { boot, space } = sees.self
  if (boot === '' || owner.boot === '') return processExists(owner.pid) ? undefined : false
  // Same name, other boot: this machine before it was started anew. Other numbering: most likely this container before.
  if (owner.boot !== boot || owner.space !== space) return false
  return sees.lives(owner)
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !isErrno(error, 'ESRCH')
  }
}

/** Removes the file unless its owner wrote into it since it was read; then whoever comes next finds all of it. */
async function takeAway({ path, size }: Found): Promise<void> {
  const slash = path.lastIndexOf('/')
  const mine = `${path.slice(0, slash)}/${uniqueName()}${path.slice(path.lastIndexOf('.'))}`
  try {
    await fs.rename(path, mine)
    if ((await fs.lstat(mine)).size === size) await fs.unlink(mine)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  }
}

async function settleAll(channel: string, files: readonly Found[]): Promise<void> {
  const done = await Promise.allSettled(files.map(takeAway))
  const failed = done.find(result => result.status === 'rejected')
  if (failed !== undefined) throw storeFailed('settle', channel, failed.reason)
}

export async function findLegacy({ channel, sees, clock, isOwn, onFault }: LegacyOptions): Promise<Legacy> {
  const found: Found[] = []
  const living: Found[] = []
  for (const name of await namesIn(channel)) {
    if (isOwn(name)) continue
    try {
      const file = await readFile(`${channel}/${name}`)
      if (file === undefined) continue
      const alive = name.endsWith('.left') ? false : await lives(file.owner, sees)
      // A time ahead of ours says as little of the owner as a long silence.
      if (alive === true || (alive === undefined && Math.abs(clock.wall() - file.writtenAt) <= SILENCE)) {
        living.push(file)
        continue
      }
      if (file.lost > 0) onFault('inherit', new Error(`${file.lost} lines of ${file.path} are damaged`))
      if (file.lines.length > 0) found.push(file)
      else await takeAway(file)
    } catch (error) {
      // One file that cannot be read must not keep the others from being heard; it stays.
      onFault('inherit', error)
    }
  }
  found.sort((a, b) => a.writtenAt - b.writtenAt)
  return {
    lines: [...new Set(found.flatMap(({ lines }) => lines))],
    neighbours: [...new Set(living.flatMap(({ lines }) => lines))],
    settle: () => settleAll(channel, found),
  }
}
