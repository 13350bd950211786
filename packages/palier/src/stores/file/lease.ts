import { hash, randomBytes } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { type Durability, notDurable } from './durability.ts'
import { isErrno } from './errors.ts'
import { CREATE, type FileIo, type Maybe, REWRITE } from './io.ts'
import type { Layout } from './layout.ts'
import type { Times } from './times.ts'

/*
 * Leases between processes, without lock files: nothing here waits for another process, and a process killed at any
 * system call leaves nothing that must be repaired.
 *
 * The lease of file K is the directory `K.l` with one file in it, the ticket, named after the token. The ticket's
 * mtime is the moment the lease ends.
 *
 *   claim     make a directory of our own with our ticket inside, then rename it to `K.l`. The system renames a
 *             directory onto a free name or an empty directory, never onto one with something in it. So of all
 *             claimers one succeeds, and only while no ticket is there.
 *   commit    rename `K.l/<token>` to a name of our own beside it, so that of two commits under one token one goes
 *             on; write the value into it; rename it to K.
 *   release   unlink `K.l/<token>`; an expired lease is ended by whoever finds it in the same way.
 *   void      unlink whatever ticket is in `K.l`, then remove the directory. Done when the system removes it or says
 *             that it is gone: either shows that no ticket was in it.
 *   renew     a new mtime for `K.l/<token>`.
 *   takeAway  claim, with a directory for a ticket; if what is to go is still K, rename K into that directory.
 *
 * Why a commit under a lost lease changes nothing: K is changed by one call, the rename of the ticket, and every way
 * to lose a lease removes that ticket from its directory. The system does one of the two first, under the lock of
 * that one directory: if the commit's, the lease was still held when K changed; if the other, the commit finds
 * nothing (ENOENT). It does not matter that a rename looks up its directories some time before it acts, as any
 * process may be stopped in between. A directory with a ticket in it stays `K.l`, since it can be neither removed nor
 * renamed over; one that is no longer `K.l` has no ticket left to rename. (To void a lease by renaming `K.l` away is
 * wrong for that reason: a commit that had already looked up the directory went through after the void, and after the
 * `delete` that had found no `K.l` any more.) Bytes a late holder still writes through its open handle land in a file
 * without a name.
 *
 * Why `set` and `delete` need no lease of their own. Both change K first and look at `K.l` afterwards (entries.ts):
 *
 *   set       (1) rename our file to K   (2) void `K.l` if it is there   (3) is our file still K? else again from (1)
 *   delete    (1) unlink K               (2) void `K.l` if it is there   (3) is K still absent?   else again from (1)
 *
 * A lease claimed before (1) ended by (2). If it ended by a commit after (1), K is no longer ours, (3) sees it (an
 * inode that was renamed over has no links left and never gets one back), and the whole is done again. If (3) finds
 * K as (1) left it, no commit happened between the two: at (1) the value was stored, the leases of that moment came
 * to nothing. This is exact whatever happens in between, and costs an `lstat` and a look at the link count, where
 * taking the lease would cost a directory made and removed: half as much again as the write itself.
 *
 * Why `takeAway` never takes what was written after it looked, as an unlink would: to look comes after the claim, so
 * whoever changes K after the look finds `K.l` in its step (2), and removes the directory into which K would be
 * renamed. Either that comes first, and the rename finds nothing; or the rename does, and (3) sees that K is gone.
 *
 * A lease may end early, never late: a void that meets a newer lease than the one it was meant for takes that too,
 * and its holder's commit says false.
 *
 * What remains after a kill: `K.<id>.c` directories and `K.<id>.t` files, which nobody looks at and the sweeper
 * removes; a `K.l` with a ticket, which ends by its time; an empty `K.l`, which is no lease.
 */
export interface Leases {
  /** True when the lease of `path` is now the token's: no live lease was there. */
  claim(path: string, token: string, ttl: number): Promise<boolean>
  /** Ends any lease of `path`. */
  void(path: string): Promise<void>
  isHeld(path: string, token: string): Promise<boolean>
  renew(path: string, token: string, ttl: number): Promise<boolean>
  release(path: string, token: string): Promise<void>
  /** Makes `first` and `second` the content of `path` and ends the lease; false when it is not the token's any more. */
  commit(path: string, token: string, first: Uint8Array, second: Uint8Array): Promise<boolean>
  /** Ends the lease of `path` if its time has come, and removes an empty lease directory. True: something was removed. */
  tidy(path: string): Promise<boolean>
  /** Removes `path` if `isSame`, asked under its lease, says so; false when it does not, or the lease is another's. */
  takeAway(path: string, isSame: () => Promise<boolean>): Promise<boolean>
  /** Removes the directory of a lease, or of one being made, with all that is in it. */
  clear(dir: string): Promise<void>
}

/** A ticket being filled has the time of its last write; this long after it its holder counts as dead. */
const COMMIT_TIME = 10_000

/**
 * A file from so far in the future means that the system's clock was turned back: how much of the lease is over cannot
 * be known, so it ends. Below that a lease whose holder is dead ends later by as much. A clock set forward ends leases
 * early, unless this process saw it happen (times.ts). None of that lets two holders commit: a lease is taken over
 * by taking the ticket away, whatever its time.
 */
const TURNED_BACK = 60_000

/** Others would have to claim the lease in the same instant as often as this. */
const VOID_ATTEMPTS = 100

const PLAIN_TOKEN = /^[A-Za-z0-9_-]{1,100}$/

/** The file system may keep whole seconds only; a lease that lives too long by less than one is the safe side. */
const endSeconds = (wall: number, ttl: number, coarse: boolean): number => {
  const end = (wall + ttl) / 1000
  return coarse ? Math.ceil(end) : end
}

export interface LeaseOptions {
  readonly io: () => FileIo
  readonly layout: Layout
  readonly clock: Clock
  readonly times: Times
  /** True when the file system keeps times in whole seconds. */
  readonly coarse: () => boolean
  /** What a commit waits for between writing and renaming. */
  readonly durability?: Pick<Durability, 'bytes'>
}

export function createLeases(options: LeaseOptions): Leases {
  const { io, layout, clock, times, coarse, durability = notDurable } = options
  const nameOf = (token: string): string => (PLAIN_TOKEN.test(token) ? token : hash('sha256', token, 'hex'))
  const ticketOf = (path: string, token: string): string => `${path}.l/${nameOf(token)}`

  const isLive = (mtimeMs: number, ctimeMs: number, size: number): boolean => {
    const system = Date.now()
    if (ctimeMs > system + TURNED_BACK) return false
    return size === 0 ? mtimeMs > times.wallSince(ctimeMs) : mtimeMs + COMMIT_TIME > system
  }

  const clear = async (dir: string): Promise<void> => {
    for (const { name } of await io().list(dir)) await endTicket(`${dir}/${name}`)
    await io().rmdir(dir)
  }

  /** Removes a directory that never became a lease. The sweeper does what is left undone. */
  const discard = async (dir: string): Promise<void> => {
    try {
      await clear(dir)
    } catch {
      // Nobody looks at it.
    }
  }

  const removeEmpty = async (dir: string): Promise<boolean> => {
    try {
      await io().rmdir(dir)
      return true
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) return false
      throw error
    }
  }

  /** What stands in the place of a lease and is none, a file or a link, is removed and never looked into. */
  const ticketsIn = async (dir: string): Promise<string[]> => {
    try {
      const stat = await io().stat(dir)
      if (stat?.isDirectory() !== true) {
        if (stat !== undefined) await unlinkIfThere(dir)
        return []
      }
      return (await io().list(dir)).map(entry => entry.name)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
      throw error
    }
  }

  /** True when no live ticket is left in the lease directory. */
  const endExpired = async (dir: string): Promise<boolean> => {
    for (const name of await ticketsIn(dir)) {
      const ticket = `${dir}/${name}`
      const stat = await io().stat(ticket)
      if (stat === undefined) continue
      if (isLive(stat.mtimeMs, stat.ctimeMs, stat.size)) return false
      await endTicket(ticket)
    }
    return true
  }

  /** A ticket that is a directory may get the file it was made for in between: then it stays, for another attempt. */
  const endTicket = async (ticket: string): Promise<void> => {
    try {
      await unlinkIfThere(ticket)
    } catch (error) {
      if (!isErrno(error, 'EISDIR', 'EPERM') || (await io().stat(ticket))?.isDirectory() !== true) throw error
      for (const name of await ticketsIn(ticket)) await unlinkIfThere(`${ticket}/${name}`)
      await removeEmpty(ticket)
    }
  }

  const unlinkIfThere = async (path: string): Promise<boolean> => {
    try {
      await io().unlink(path)
      return true
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
      throw error
    }
  }

  const release = async (path: string, token: string): Promise<void> => {
    if (await unlinkIfThere(ticketOf(path, token))) await removeEmpty(`${path}.l`)
  }

  const fill = async (ticket: string, first: Uint8Array, second: Uint8Array): Promise<void> => {
    const fd = await io().open(ticket, REWRITE)
    try {
      await io().write(fd, first, second)
      await durability.bytes(fd)
    } finally {
      await io().close(fd)
    }
  }

  const writeTicket = async (ticket: string, ttl: number): Promise<void> => {
    const fd = await io().open(ticket, CREATE)
    try {
      await io().futimes(fd, endSeconds(clock.wall(), ttl, coarse()))
    } finally {
      await io().close(fd)
    }
    // From here on a turn of the clock is told from the time the ticket got.
    times.observe()
  }

  /** Makes the lease of `path`, with the ticket that `make` puts into it; false: somebody holds it. */
  const occupy = async (path: string, make: (dir: string) => Maybe<void>): Promise<boolean> => {
    const lease = `${path}.l`
    if ((await io().stat(lease)) !== undefined && !(await endExpired(lease))) return false
    const prepared = layout.beside(path, 'c')
    await io().mkdir(prepared)
    try {
      await make(prepared)
      await io().rename(prepared, lease)
      return true
    } catch (error) {
      await discard(prepared)
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) return false
      throw error
    }
  }

  return {
    claim(path, token, ttl) {
      return occupy(path, dir => writeTicket(`${dir}/${nameOf(token)}`, ttl))
    },
    async void(path) {
      const lease = `${path}.l`
      for (let attempt = 0; attempt < VOID_ATTEMPTS; attempt++) {
        for (const name of await ticketsIn(lease)) await endTicket(`${lease}/${name}`)
        try {
          await io().rmdir(lease)
          return
        } catch (error) {
          if (isErrno(error, 'ENOENT')) return
          // A ticket got its commit's name while the list was made, or the next claimer was quick: both go.
          if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error
        }
      }
      throw new Error(`${lease} was taken again and again while it was to be voided`)
    },
    isHeld: async (path, token) => (await io().stat(ticketOf(path, token))) !== undefined,
    async renew(path, token, ttl) {
      const ticket = ticketOf(path, token)
      const stat = await io().stat(ticket)
      if (stat === undefined || !isLive(stat.mtimeMs, stat.ctimeMs, stat.size)) return false
      try {
        await io().utimes(ticket, endSeconds(clock.wall(), ttl, coarse()))
        times.observe()
        return true
      } catch (error) {
        if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
        throw error
      }
    },
    release,
    async commit(path, token, first, second) {
      const ticket = ticketOf(path, token)
      const mine = layout.beside(ticket, 't')
      // Before the rename, which gives the ticket a new time of change.
      const stat = await io().stat(ticket)
      if (stat === undefined) return false
      if (!isLive(stat.mtimeMs, stat.ctimeMs, stat.size)) {
        await release(path, token)
        return false
      }
      try {
        await io().rename(ticket, mine)
        await fill(mine, first, second)
        await io().rename(mine, path)
      } catch (error) {
        if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
        // Half a value in a ticket must not count as a commit under way.
        await unlinkIfThere(mine)
        throw error
      }
      await removeEmpty(`${path}.l`)
      return true
    },
    async tidy(path) {
      const lease = `${path}.l`
      return (await endExpired(lease)) && (await removeEmpty(lease))
    },
    async takeAway(path, isSame) {
      const name = randomBytes(12).toString('hex')
      const ticket = `${path}.l/${name}`
      if (!(await occupy(path, dir => io().mkdir(`${dir}/${name}`)))) return false
      try {
        if (!(await isSame())) return false
        await io().rename(path, `${ticket}/dead`)
        return true
      } catch (error) {
        if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
        throw error
      } finally {
        await endTicket(ticket)
        await removeEmpty(`${path}.l`)
      }
    },
    clear,
  }
}
