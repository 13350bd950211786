import type { Clock } from '../../clock.ts'
import { PalierError } from '../../errors.ts'
import { recordHead } from '../../record.ts'
import type { Claim, Claimed, StoredRecord } from '../../store.ts'
import { BudgetError, faultOf, isErrno } from './errors.ts'
import { CREATE, type FileIo, type Maybe, type Parse } from './io.ts'
import { diskBytes, encodeFrame, FRAME_BYTES, type Layout, openFrame, shardOf } from './layout.ts'
import type { Leases } from './lease.ts'
import type { Budget, Ledger } from './ledger.ts'

/** Where an entry is kept. */
export interface Place {
  readonly key: string
  readonly path: string
}

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
  /** The directory was made again. */
  forgetShards(): void
  /** A sweep made room: writes are tried again at once. */
  roomMade(): void
}

export interface EntriesOptions {
  readonly io: () => FileIo
  readonly layout: Layout
  readonly leases: Leases
  readonly ledger: Pick<Ledger, 'take' | 'give'>
  readonly clock: Clock
  readonly budget: Budget
  /** Makes the directories of the store again. */
  readonly reopen: () => Promise<unknown>
  readonly noteFault: (operation: string, cause: unknown) => void
  /** The disk itself is full. */
  readonly makeRoom: () => void
}

/** No write is tried for this long after the disk was full, unless a sweep made room before. */
const FULL_PAUSE = 1_000
/** Beyond this many meetings with other writers in the very same instant, the others are simply the newer ones. */
const ATTEMPTS = 32
const CLAIM_ATTEMPTS = 8
/** Entries whose access stamp is remembered as fresh; two of one slot are stamped more often than need be. */
const STAMP_SLOTS = 8192

/** The system's time, in seconds, when the stamp of `path` may be older than a minute; else undefined. */
function createStamps(): (path: string) => number | undefined {
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

export function createEntries(options: EntriesOptions): Entries {
  const { io, layout, leases, ledger, clock, budget, noteFault } = options
  const knownShards = new Set<string>()
  const stampNow = createStamps()
  let fullUntil = Number.NEGATIVE_INFINITY

  const unreadable = (error: unknown): undefined => {
    noteFault('get', error)
    return undefined
  }

  const read = ({ key, path }: Place): Maybe<StoredRecord | undefined> => {
    const parse: Parse<StoredRecord> = (view, owned) => openFrame(view, owned, key, clock.wall())
    try {
      const found = io().read(path, parse, stampNow(path))
      return found instanceof Promise ? found.catch(unreadable) : found
    } catch (error) {
      return unreadable(error)
    }
  }

  const makeShard = async (shard: string): Promise<void> => {
    try {
      await io().mkdir(shard)
      ledger.give(-4096, -1)
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      if ((await io().stat(shard))?.isDirectory() !== true) {
        throw new PalierError('PALIER_STORE_FAILED', `${shard} is not a directory: the store will not write through it`)
      }
    }
    knownShards.add(shard)
  }

  /** Runs a change that makes files; a directory that vanished is made again, once. */
  const withShard = async <T>(path: string, change: () => Promise<T>): Promise<T> => {
    const shard = shardOf(path)
    for (let again = false; ; again = true) {
      try {
        if (!knownShards.has(shard)) await makeShard(shard)
        return await change()
      } catch (error) {
        if (again || !isErrno(error, 'ENOENT')) throw error
        knownShards.delete(shard)
        await options.reopen()
      }
    }
  }

  const pay = async (bytes: number): Promise<void> => {
    if (clock.now() < fullUntil) throw new BudgetError('the disk was full a moment ago')
    if (!(await ledger.take(bytes, 1))) {
      throw new BudgetError(`the budget of ${budget.bytes} bytes and ${budget.files} files is used up`)
    }
  }

  /** Pays for `bytes` around a write; `write` says whether it was done, and what it replaced is credited. */
  const paying = async (path: string, bytes: number, write: () => Promise<boolean>): Promise<boolean> => {
    await pay(bytes)
    let done = false
    try {
      const old = await io().stat(path)
      done = await write()
      if (done && old?.isFile() === true) ledger.give(diskBytes(old.size), 1)
      return done
    } catch (error) {
      if (faultOf(error) === 'full') {
        fullUntil = clock.now() + FULL_PAUSE
        options.makeRoom()
      }
      throw error
    } finally {
      if (!done) ledger.give(bytes, 1)
    }
  }

  /** Steps 1 to 3 of `set` as told in lease.ts; false: overwritten meanwhile, perhaps by a commit that must not stand. */
  const replace = async (path: string, frame: Uint8Array, bytes: Uint8Array): Promise<boolean> => {
    const temporary = layout.beside(path, 't')
    const fd = await io().open(temporary, CREATE)
    try {
      try {
        await io().write(fd, frame, bytes)
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
    await withShard(path, () => paying(path, diskBytes(FRAME_BYTES + bytes.length), change))
  }

  const remove = async ({ path }: Place): Promise<void> => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stat = await io().stat(path)
      if (stat !== undefined) {
        try {
          await io().unlink(path)
          ledger.give(diskBytes(stat.size), 1)
        } catch (error) {
          if (!isErrno(error, 'ENOENT')) throw error
        }
      }
      if ((await io().stat(`${path}.l`)) !== undefined) await leases.void(path)
      if ((await io().stat(path)) === undefined) return
    }
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
      if (steal === true) await leases.void(place.path)
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
      if (fault === 'full') options.makeRoom()
      const record = await read(place)
      // What is there can be had without a lease; only who needs the lease is refused.
      if (record === undefined || isWanting(record, wanted)) throw error
      return { record, granted: false }
    }
  }

  const commit = async ({ path }: Place, token: string, bytes: Uint8Array, ttl: number): Promise<boolean> => {
    const frame = encodeFrame(clock.wall() + ttl, ttl)
    try {
      return await paying(path, diskBytes(FRAME_BYTES + bytes.length), () => leases.commit(path, token, frame, bytes))
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
    forgetShards: () => knownShards.clear(),
    roomMade() {
      fullUntil = Number.NEGATIVE_INFINITY
    },
  }
}
