import { resolve } from 'node:path'
import type { Bus } from '../../bus.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { badOption, PalierError } from '../../errors.ts'
import { recordHead } from '../../record.ts'
import type { Claim, Claimed, SharedStore, StoredRecord, Swept, Usage } from '../../store.ts'
import { isFast, type Opened, openDirectory } from './directory.ts'
import { BudgetError, faultOf, type FileFault, isErrno, storeFailed } from './errors.ts'
import { CREATE, createIo, createTurn, type FileIo, type Maybe } from './io.ts'
import { openJournal } from './journal.ts'
import { createLayout, diskBytes, encodeFrame, FRAME_BYTES, openFrame, shardOf } from './layout.ts'
import { createLeases } from './lease.ts'
import { createLedger, SWEEP_AT } from './ledger.ts'
import { scanEntries } from './scan.ts'
import { createSweeper } from './sweeper.ts'

/** What a file store reports beside its results. */
export type FileEvent =
  | { readonly kind: 'fault'; readonly operation: string; readonly fault: FileFault; readonly cause: unknown }
  | { readonly kind: 'io'; readonly mode: 'sync' | 'async'; readonly reason: string }
  | { readonly kind: 'swept'; readonly swept: Swept }

export interface FileStoreOptions {
  /** Made if missing (0700). Several stores, in several processes, may share it. */
  readonly dir: string
  /** Disk usage the store keeps to, all processes together; 256 MiB unless said. */
  readonly maxBytes?: number
  /** Files (inodes) the store keeps to; 50,000 unless said. */
  readonly maxFiles?: number
  /** `auto`: synchronous calls on a fast local disk, asynchronous ones otherwise. */
  readonly io?: 'auto' | 'sync' | 'async'
  readonly clock?: Clock
  readonly onEvent?: (event: FileEvent) => void
}

const TICK = 60_000
/** A count this old is made again, whoever made it: what expired is removed then. */
const COUNT_AGE = 300_000
/** No write is tried for this long after the disk was full, unless a sweep made room before. */
const FULL_PAUSE = 1_000
/** Between two sweeps that refused writes ask for. */
const SWEEP_PAUSE = 100
/** A set overwritten in the same instant so often is simply older than what overwrote it. */
const SET_ATTEMPTS = 32
const CLAIM_ATTEMPTS = 8
/** Reads in flight at once where they go through the thread pool. */
const READ_LANES = 16
/** How exactly access stamps are kept, in minutes of the entry's age: see `stampNow`. */
const STAMP_SLOTS = 8192

interface Place {
  readonly key: string
  readonly path: string
}

/**
 * Keeps entries as files in a directory that several processes may share. Never throws for the directory: the first
 * operation rejects if it cannot serve, and so does each later one until it can.
 *
 * Reads of what is there but cannot be read give nothing and report a `fault`. A write that finds no room, in the
 * budgets or on the disk, rejects (`commit` says false), and a sweep begins.
 */
export function fileStore(options: FileStoreOptions): SharedStore {
  const { maxBytes = 256 * 1024 * 1024, maxFiles = 50_000, clock = systemClock, onEvent } = options
  if (typeof options.dir !== 'string' || options.dir === '')
    throw badOption('dir', 'the path of a directory', options.dir)
  const budget = { bytes: checked('maxBytes', maxBytes, 1024 * 1024), files: checked('maxFiles', maxFiles, 500) }
  const layout = createLayout(resolve(options.dir))
  const turn = createTurn()
  let fileIo: FileIo = createIo('async', () => undefined)
  let opened: Opened | undefined
  let opening: Promise<Opened> | undefined
  let closed = false
  let fullUntil = Number.NEGATIVE_INFINITY
  let sweptAt = Number.NEGATIVE_INFINITY
  let sweeping: Promise<unknown> | undefined
  let cancelTick: (() => void) | undefined
  const io = (): FileIo => fileIo
  const report = (event: FileEvent): void => onEvent?.(event)
  const leases = createLeases({ io, layout, clock, coarse: () => opened?.coarse ?? false })
  const ledger = createLedger({ io, layout, leases, clock, budget, wantSweep: () => sweepSoon(false) })
  const sweeper = createSweeper({ io, layout, leases, ledger, clock, budget, turn, stopped: () => closed })
  /** The last change of an entry by this process: changes of one entry keep the order of their calls. */
  const tails = new Map<string, Promise<unknown>>()
  const knownShards = new Set<string>()
  const stamps = new Int32Array(STAMP_SLOTS)

  const noteFault = (operation: string, cause: unknown): void => {
    report({ kind: 'fault', operation, fault: faultOf(cause), cause })
  }

  const useIo = (mode: 'sync' | 'async', reason: string): void => {
    fileIo = createIo(mode, () => useIo('async', 'synchronous calls took more than 2 ms on average'))
    report({ kind: 'io', mode, reason })
  }

  const openNow = async (): Promise<Opened> => {
    const found = await openDirectory(layout, options.io ?? 'auto')
    // Opened again after the directory vanished: what was measured before still holds.
    if (opened === undefined) useIo(found.mode, found.network ? 'a network file system' : 'measured')
    opened = found
    knownShards.clear()
    if (found.fresh) await ledger.begin()
    cancelTick ??= clock.after(TICK, tick)
    return found
  }

  const open = async (): Promise<Opened> => {
    if (closed) throw new PalierError('PALIER_CLOSED', 'the file store is closed')
    opening ??= openNow().catch((error: unknown) => {
      opening = undefined
      throw storeFailed('open', layout.dir, error)
    })
    return opening
  }

  /** Before each operation; resolves at once but for the first, and after a burst. */
  const begin = async (): Promise<void> => {
    if (closed || opened === undefined) await open()
    while (turn.tired()) await turn.rest()
  }

  const sweep = async (pressed: boolean): Promise<Swept> => {
    const running = sweeper.sweep(pressed)
    sweeping = running
    const swept = await running
    sweptAt = clock.now()
    if (swept !== undefined) {
      fullUntil = Number.NEGATIVE_INFINITY
      report({ kind: 'swept', swept })
      return swept
    }
    const totals = await ledger.totals()
    return { expired: 0, evicted: 0, debris: 0, entries: totals?.files ?? 0, bytes: totals?.bytes ?? 0 }
  }

  /** Each refused write asks for a sweep; while one runs, here or elsewhere, that is no reason for another. */
  const sweepSoon = (pressed: boolean): void => {
    if (closed || clock.now() - sweptAt < SWEEP_PAUSE) return
    sweptAt = clock.now()
    sweep(pressed).catch((error: unknown) => noteFault('sweep', error))
  }

  const tickNow = async (): Promise<void> => {
    // The disk may have been slow for a while only, under somebody else's load.
    if (opened?.mode === 'sync' && fileIo.mode === 'async' && isFast(layout)) useIo('sync', 'the disk is fast again')
    await ledger.tick()
    const totals = await ledger.totals()
    const crowded =
      totals === undefined || totals.bytes > budget.bytes * SWEEP_AT || totals.files > budget.files * SWEEP_AT
    if (crowded || clock.wall() - totals.countedAt > COUNT_AGE) await sweep(false)
  }

  const tick = (): void => {
    if (closed) return
    tickNow()
      .catch((error: unknown) => noteFault('tick', error))
      .finally(() => {
        if (!closed) cancelTick = clock.after(TICK, tick)
      })
  }

  /** The system's time, in seconds, when the entry's stamp is older than a minute as far as we know; else undefined. */
  const stampNow = (path: string): number | undefined => {
    const now = Date.now()
    const minute = Math.floor(now / 60_000) & 0xfff
    const slot = Number.parseInt(path.slice(-4), 16) & (STAMP_SLOTS - 1)
    const mark = (Number.parseInt(path.slice(-9, -4), 16) << 12) | minute
    if (stamps[slot] === mark) return undefined
    stamps[slot] = mark
    return now / 1000
  }

  const read = ({ key, path }: Place): Maybe<StoredRecord | undefined> =>
    fileIo.read(path, (view, owned) => openFrame(view, owned, key, clock.wall()), stampNow(path))

  const readOrNothing = async (place: Place): Promise<StoredRecord | undefined> => {
    try {
      return await read(place)
    } catch (error) {
      noteFault('get', error)
      return undefined
    }
  }

  const placeOf = (key: string): Place => ({ key, path: layout.entry(key) })

  const inOrder = <T>({ path }: Place, change: () => Promise<T>): Promise<T> => {
    const before = tails.get(path)
    const mine = before === undefined ? change() : before.then(change, change)
    tails.set(path, mine)
    const forget = (): void => {
      if (tails.get(path) === mine) tails.delete(path)
    }
    mine.then(forget, forget)
    return mine
  }

  const makeShard = async (shard: string): Promise<void> => {
    try {
      await fileIo.mkdir(shard)
      ledger.give(-4096, -1)
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      if ((await fileIo.stat(shard))?.isDirectory() !== true) {
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
        opening = undefined
        await open()
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
      const old = await fileIo.stat(path)
      done = await write()
      if (done && old?.isFile() === true) ledger.give(diskBytes(old.size), 1)
      return done
    } catch (error) {
      if (faultOf(error) === 'full') {
        fullUntil = clock.now() + FULL_PAUSE
        sweepSoon(true)
      }
      throw error
    } finally {
      if (!done) ledger.give(bytes, 1)
    }
  }

  /** Steps 1 to 3 of `set` as told in lease.ts; false: overwritten meanwhile, perhaps by a commit that must not stand. */
  const replace = async (path: string, frame: Uint8Array, bytes: Uint8Array): Promise<boolean> => {
    if ((await fileIo.stat(`${path}.l`)) !== undefined) await leases.void(path)
    const temporary = layout.beside(path, 't')
    const fd = await fileIo.open(temporary, CREATE)
    try {
      try {
        await fileIo.write(fd, frame, bytes)
        await fileIo.rename(temporary, path)
      } catch (error) {
        await Promise.resolve(fileIo.unlink(temporary)).catch(() => undefined)
        throw error
      }
      if ((await fileIo.stat(`${path}.l`)) !== undefined) await leases.void(path)
      return (await fileIo.fstat(fd)).nlink > 0
    } finally {
      await fileIo.close(fd)
    }
  }

  const set = async ({ path }: Place, bytes: Uint8Array, ttl: number): Promise<void> => {
    const frame = encodeFrame(clock.wall() + ttl, ttl)
    stampNow(path)
    const change = async (): Promise<boolean> => {
      for (let attempt = 1; !(await replace(path, frame, bytes)); attempt++) if (attempt === SET_ATTEMPTS) break
      return true
    }
    await withShard(path, () => paying(path, diskBytes(FRAME_BYTES + bytes.length), change))
  }

  const remove = async ({ path }: Place): Promise<void> => {
    for (let attempt = 0; attempt < SET_ATTEMPTS; attempt++) {
      const stat = await fileIo.stat(path)
      if (stat !== undefined) {
        try {
          await fileIo.unlink(path)
          ledger.give(diskBytes(stat.size), 1)
        } catch (error) {
          if (!isErrno(error, 'ENOENT')) throw error
        }
      }
      if ((await fileIo.stat(`${path}.l`)) !== undefined) await leases.void(path)
      if ((await fileIo.stat(path)) === undefined) return
    }
  }

  const claim = async (place: Place, { token, ttl, seen, steal }: Claim): Promise<Claimed> => {
    const wanting = (record: StoredRecord | undefined): boolean =>
      steal === true ||
      record === undefined ||
      (seen !== undefined && Buffer.compare(recordHead(record.bytes), seen) === 0)
    let record = await readOrNothing(place)
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS && wanting(record); attempt++) {
      if (steal === true) await leases.void(place.path)
      const granted = await withShard(place.path, () => leases.claim(place.path, token, ttl))
      if (!granted && steal !== true) break
      if (!granted) continue
      // Only now does the answer count: what was read before may be older than somebody's commit.
      record = await readOrNothing(place)
      if (!wanting(record)) {
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
      if (fault === 'full') sweepSoon(true)
      return { record: await readOrNothing(place), granted: false }
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
      noteFault('commit', error)
      await leases.release(path, token)
      return false
    }
  }

  /** Every operation on one key that changes something: in its turn, and with the one error callers see. */
  const change = async <T>(operation: string, key: string, run: (place: Place) => Promise<T>): Promise<T> => {
    const place = placeOf(key)
    try {
      return await inOrder(place, async () => {
        await begin()
        return run(place)
      })
    } catch (error) {
      noteFault(operation, error)
      throw storeFailed(operation, layout.dir, error, key)
    }
  }

  const get = async (key: string): Promise<StoredRecord | undefined> => {
    const place = placeOf(key)
    if (tails.size > 0) await tails.get(place.path)?.catch(() => undefined)
    await begin()
    return readOrNothing(place)
  }

  const scan = async function* (prefix: string): AsyncGenerator<readonly string[]> {
    await begin()
    for await (const found of scanEntries({ io, layout, clock, turn }, prefix)) yield found.map(({ key }) => key)
  }

  return {
    name: 'filesystem',
    get,
    async getMany(keys) {
      await begin()
      if (fileIo.mode === 'sync') {
        const found: (StoredRecord | undefined)[] = []
        for (const key of keys) found.push(await get(key))
        return found
      }
      const found = new Array<StoredRecord | undefined>(keys.length)
      let next = 0
      const lane = async (): Promise<void> => {
        for (let i = next++; i < keys.length; i = next++) found[i] = await get(keys[i] ?? '')
      }
      await Promise.all(Array.from({ length: Math.min(READ_LANES, keys.length) }, lane))
      return found
    },
    claim: (key, wanted) => change('claim', key, place => claimOrRead(place, wanted)),
    commit: (key, token, bytes, ttl) => change('commit', key, place => commit(place, token, bytes, ttl)),
    renew: (key, token, ttl) => change('renew', key, ({ path }) => leases.renew(path, token, ttl)),
    release: (key, token) => change('release', key, ({ path }) => leases.release(path, token)),
    set: (key, bytes, ttl) => change('set', key, place => set(place, bytes, ttl)),
    async delete(keys) {
      const done = await Promise.allSettled(keys.map(key => change('delete', key, remove)))
      const failed = done.find(result => result.status === 'rejected')
      if (failed !== undefined) throw storeFailed('delete', layout.dir, failed.reason)
    },
    scan,
    async usage(prefix): Promise<Usage> {
      await begin()
      let entries = 0
      let bytes = 0
      for await (const found of scanEntries({ io, layout, clock, turn }, prefix)) {
        entries += found.length
        for (const entry of found) bytes += entry.bytes
      }
      return { entries, bytes }
    },
    async sweep() {
      await begin()
      return sweep(false)
    },
    openBus: (channel): Bus =>
      openJournal({
        dir: layout.bus,
        channel,
        clock,
        segmentBytes: Math.min(1024 * 1024, Math.max(16_384, Math.floor(budget.bytes / 128))),
        open,
        onFault: noteFault,
      }),
    async close() {
      if (closed) return
      closed = true
      cancelTick?.()
      await Promise.allSettled([...tails.values(), sweeping])
      // An allowance that cannot be given back is found by the next count.
      if (opened !== undefined) await ledger.close().catch(() => undefined)
    },
  }
}

function checked(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw badOption(name, `an integer of at least ${least}`, value)
}
