import type { Clock } from '../../clock.ts'
import { PalierError } from '../../errors.ts'
import { recordHead } from '../../record.ts'
import type { Claim, Claimed, StoredRecord } from '../../store.ts'
import type { Durability } from './durability.ts'
import { BudgetError, faultOf, isErrno } from './errors.ts'
import type { Hidden } from './hidden.ts'
import { CREATE, type FileIo, type Maybe } from './io.ts'
import { diskBytes, encodeFrame, FRAME_BYTES, type Layout, shardOf } from './layout.ts'
import type { Leases } from './lease.ts'
import type { Budget, Count, Ledger } from './ledger.ts'
import { createReader, createStamps, type Place } from './reader.ts'
import { createSuspension } from './suspension.ts'
import type { Times } from './times.ts'

/**
 * The operations on one entry, as `SharedStore` tells them, for one process among several: see lease.ts for why they
 * are right together. Calls on one entry from this process come one after the other.
 */
export interface Entries {
  /** Nothing when the file cannot be read: that is a fault, not an error. */
  read(place: Place): Maybe<StoredRecord | undefined>
  claim(place: Place, wanted: Claim): Promise<Claimed>
  commit(place: Place, token: string, bytes: Uint8Array, ttl: number): Promise<boolean>
  set(place: Place, bytes: Uint8Array, ttl: number): Promise<void>
  remove(place: Place): Promise<void>
  /** A sweep made room: writes are tried again at once. */
  roomMade(): void
}

export interface EntriesOptions {
  readonly io: () => FileIo
  readonly layout: Layout
  readonly leases: Leases
  readonly ledger: Pick<Ledger, 'take' | 'give'>
  readonly clock: Clock
  readonly times: Times
  readonly hidden: Hidden
  readonly budget: Budget
  /** False: nothing alive is taken away for room, and nothing that cannot be read. */
  readonly evict: () => boolean
  readonly durability: Durability
  /** Makes the directories of the store again. */
  readonly reopen: () => Promise<unknown>
  readonly noteFault: (operation: string, cause: unknown) => void
  /** The disk itself is full. */
  readonly makeRoom: () => void
  /** The budget is used up; true once it may be no more, because what is dead was taken away. */
  readonly clearDead: () => Promise<boolean>
}

/** Beyond this many meetings with other writers in the very same instant, the others are simply the newer ones. */
const ATTEMPTS = 32
const CLAIM_ATTEMPTS = 8

export function createEntries(options: EntriesOptions): Entries {
  const { io, layout, leases, ledger, clock, times, hidden, budget, evict, durability, noteFault } = options
  const stampNow = createStamps()
  const suspension = createSuspension(clock)
  const removed = (bytes: number): void => ledger.give(bytes, 1)
  const read = createReader({ io, layout, times, hidden, evict, noteFault, removed }, stampNow)

  const noteFull = (error: unknown): void => {
    // A file beyond the limit of the process is one file's trouble; what was refused unasked is no news.
    if (error instanceof BudgetError || isErrno(error, 'EFBIG')) return
    suspension.failed()
    options.makeRoom()
  }

  const misplaced = (path: string): PalierError =>
    new PalierError('PALIER_STORE_FAILED', `${path} is not a directory: the store will not write through it`)

  /** False: the shard is not there. Looked at before each change, for a link put in its place leads out of the directory. */
  const hasShard = async (shard: string): Promise<boolean> => {
    for (const dir of [layout.entries, shard]) {
      const stat = await io().stat(dir)
      if (stat === undefined) return false
      if (!stat.isDirectory()) throw misplaced(dir)
    }
    return true
  }

  const makeShard = async (shard: string): Promise<void> => {
    try {
      await io().mkdir(shard)
      ledger.give(-4096, -1)
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
    }
  }

  /** Runs a change that makes files; a directory that vanished is made again, once. */
  const withShard = async <T>(path: string, change: () => Promise<T>): Promise<T> => {
    const shard = shardOf(path)
    for (let again = false; ; again = true) {
      try {
        if (!(await hasShard(shard))) await makeShard(shard)
        return await change()
      } catch (error) {
        if (again || !isErrno(error, 'ENOENT')) throw error
        await options.reopen()
      }
    }
  }

  /** What `bytes` under `path` take more than what they replace. */
  const costOf = async (path: string, bytes: number): Promise<Count> => {
    const old = await io().stat(path)
    return old?.isFile() === true ? { bytes: bytes - diskBytes(old.size), files: 0 } : { bytes, files: 1 }
  }

  /** What takes no more than before is written however little room there is. */
  const afford = ({ bytes, files }: Count): boolean | Promise<boolean> =>
    (bytes <= 0 && files === 0) || ledger.take(Math.max(0, bytes), files)

  const pay = async (path: string, bytes: number): Promise<Count> => {
    suspension.enter()
    const cost = await costOf(path, bytes)
    if (await afford(cost)) return cost
    if (!evict() && (await options.clearDead())) {
      // The very entry may have been among the dead.
      const left = await costOf(path, bytes)
      if (await afford(left)) return left
    }
    const rule = evict() ? '' : ', and nothing alive may be taken away'
    throw new BudgetError(`the budget of ${budget.bytes} bytes and ${budget.files} files is used up${rule}`)
  }

  /** Pays for `bytes` around a write that says whether it was done. */
  const paying = async (path: string, bytes: number, write: () => Promise<boolean>): Promise<boolean> => {
    let paid: Count | undefined
    try {
      // The ledger may be what finds the disk full.
      paid = await pay(path, bytes)
      if (!(await write())) return false
      suspension.passed()
      if (paid.bytes < 0) ledger.give(-paid.bytes, 0)
      paid = undefined
      return true
    } catch (error) {
      if (faultOf(error) === 'full') noteFull(error)
      throw error
    } finally {
      if (paid !== undefined) ledger.give(Math.max(0, paid.bytes), paid.files)
    }
  }

  /** Steps 1 to 3 of `set` as told in lease.ts; false: overwritten meanwhile, perhaps by a commit that must not stand. */
  const replace = async (path: string, frame: Uint8Array, bytes: Uint8Array): Promise<boolean> => {
    const temporary = layout.beside(path, 't')
    const fd = await io().open(temporary, CREATE)
    try {
      try {
        await io().write(fd, frame, bytes)
        await durability.bytes(fd)
        await io().rename(temporary, path)
      } catch (error) {
        await Promise.resolve(io().unlink(temporary)).catch(() => undefined)
        throw error
      }
      if ((await io().stat(`${path}.l`)) !== undefined) await leases.void(path)
      return (await io().fstat(fd)).nlink > 0
    } finally {
      await io().close(fd)
    }
  }

  const set = async ({ path }: Place, bytes: Uint8Array, ttl: number): Promise<void> => {
    const frame = encodeFrame(clock.wall() + ttl, ttl)
    stampNow(path)
    const change = async (): Promise<boolean> => {
      for (let attempt = 1; !(await replace(path, frame, bytes)); attempt++) if (attempt === ATTEMPTS) break
      return true
    }
    await withShard(path, async () => {
      await paying(path, diskBytes(FRAME_BYTES + bytes.length), change)
      await durability.name(path)
    })
    hidden.forgive(path)
    hidden.writable()
  }

  /** What the disk would not delete is not read by this process any more, until it is deleted or written anew. */
  const remove = async (place: Place): Promise<void> => {
    try {
      if (await hasShard(shardOf(place.path))) {
        if (await removeNow(place)) hidden.writable()
        // Also for what another process removed, and has not flushed yet.
        await nameGone(place.path)
      }
      hidden.forgive(place.path)
    } catch (error) {
      hidden.noteDeleted(place.path)
      throw error
    }
  }

  const nameGone = async (path: string): Promise<void> => {
    try {
      await durability.name(path)
    } catch (error) {
      // The whole shard went.
      if (faultOf(error) !== 'absent') throw error
    }
  }

  /** True: something was removed. */
  const removeNow = async ({ path }: Place): Promise<boolean> => {
    let removed = false
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stat = await io().stat(path)
      if (stat !== undefined) {
        try {
          await io().unlink(path)
          removed = true
          ledger.give(diskBytes(stat.size), 1)
        } catch (error) {
          if (!isErrno(error, 'ENOENT')) throw error
        }
      }
      if ((await io().stat(`${path}.l`)) !== undefined) await leases.void(path)
      if ((await io().stat(path)) === undefined) break
    }
    return removed
  }

  /** Only under these is the lease of use to the claimer: nothing is there, or what it has found wanting still is. */
  const isWanting = (record: StoredRecord | undefined, { seen, steal }: Claim): boolean =>
    steal === true ||
    record === undefined ||
    (seen !== undefined && Buffer.compare(recordHead(record.bytes), seen) === 0)

  const claim = async (place: Place, wanted: Claim): Promise<Claimed> => {
    const { token, ttl, steal } = wanted
    let record = await read(place)
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS && isWanting(record, wanted); attempt++) {
      suspension.check()
      if (steal === true && (await hasShard(shardOf(place.path)))) await leases.void(place.path)
      const granted = await withShard(place.path, () => leases.claim(place.path, token, ttl))
      if (!granted && steal !== true) break
      if (!granted) continue
      // Only now does the answer count: what was read before may be older than somebody's commit.
      record = await read(place)
      if (!isWanting(record, wanted)) {
        await leases.release(place.path, token)
        break
      }
      if (await leases.isHeld(place.path, token)) return { record, granted: true }
    }
    return { record, granted: false }
  }

  /** A lease cannot be had on a full or read-only disk, but reading goes on: only the lease is refused. */
  const claimOrRead = async (place: Place, wanted: Claim): Promise<Claimed> => {
    try {
      return await claim(place, wanted)
    } catch (error) {
      const fault = faultOf(error)
      if (fault !== 'full' && fault !== 'readonly' && fault !== 'busy') throw error
      noteFault('claim', error)
      if (fault === 'full') noteFull(error)
      const record = await read(place)
      // What is there can be had without a lease; only who needs the lease is refused.
      if (record === undefined || isWanting(record, wanted)) throw error
      return { record, granted: false }
    }
  }

  const commit = async ({ path }: Place, token: string, bytes: Uint8Array, ttl: number): Promise<boolean> => {
    const frame = encodeFrame(clock.wall() + ttl, ttl)
    // Voided by a deletion that the disk refused.
    if (hidden.isDeleted(path)) {
      await leases.release(path, token)
      return false
    }
    try {
      if (!(await hasShard(shardOf(path)))) return false
      const done = await paying(path, diskBytes(FRAME_BYTES + bytes.length), () =>
        leases.commit(path, token, frame, bytes),
      )
      if (!done) return false
      await durability.name(path)
      hidden.forgive(path)
      return true
    } catch (error) {
      const fault = faultOf(error)
      // The directory went, and the lease with it.
      if (fault === 'absent') return false
      if (fault !== 'full') throw error
      await leases.release(path, token)
      throw error
    }
  }

  return {
    read,
    claim: claimOrRead,
    commit,
    set,
    remove,
    roomMade: suspension.roomMade,
  }
}
