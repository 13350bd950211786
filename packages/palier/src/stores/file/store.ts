import { resolve } from 'node:path'
import type { Bus } from '../../bus.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { badOption, PalierError } from '../../errors.ts'
import type { SharedStore, StoredRecord, Swept, Usage } from '../../store.ts'
import { isFast, type Opened, openDirectory } from './directory.ts'
import { createEntries } from './entries.ts'
import { createDurability, notDurable } from './durability.ts'
import { type FileFault, faultOf, storeFailed } from './errors.ts'
import { changeAside, createIo, createTurn, type FileIo } from './io.ts'
import { openJournal } from './journal.ts'
import { createLayout } from './layout.ts'
import { createLeases } from './lease.ts'
import { createHidden } from './hidden.ts'
import { createFileLimits } from './limits.ts'
import { createFileLocks } from './lock.ts'
import { createLedger } from './ledger.ts'
import { createOrder } from './order.ts'
import type { Place } from './reader.ts'
import { scanEntries } from './scan.ts'
import { steadyIo } from './steady.ts'
import { createSweeper } from './sweeper.ts'
import { createTimes } from './times.ts'
import { createUpkeep } from './upkeep.ts'

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
  /**
   * False: nothing alive is ever taken away for room. A write for which there is none, even once the dead are gone, is
   * refused; one that takes no more than what it replaces is not. It holds for whoever opens the directory later, too.
   * True unless said.
   */
  readonly evict?: boolean
  /** True: a change is on the disk, directories too, before it is acknowledged. False unless said. */
  readonly durable?: boolean
  /** `auto`: synchronous calls on a fast local disk, asynchronous ones otherwise. */
  readonly io?: 'auto' | 'sync' | 'async'
  readonly clock?: Clock
  readonly onEvent?: (event: FileEvent) => void
}

/** Reads in flight at once where they go through the thread pool. */
const READ_LANES = 16

/**
 * Keeps entries as files in a directory that several processes may share. Never throws for the directory: the first
 * operation rejects if it cannot serve, and so does each later one until it can.
 *
 * Reads of what is there but cannot be read give nothing and report a `fault`. A write that finds no room, in the
 * budgets or on the disk, rejects with PALIER_STORE_REFUSED, and a sweep begins.
 */
export function fileStore(options: FileStoreOptions): SharedStore {
  const { maxBytes = 256 * 1024 * 1024, maxFiles = 50_000, clock = systemClock, onEvent } = options
  if (typeof options.dir !== 'string' || options.dir === '')
    throw badOption('dir', 'the path of a directory', options.dir)
  const evict = checkedFlag('evict', options.evict, true)
  const durable = checkedFlag('durable', options.durable, false)
  const budget = { bytes: checked('maxBytes', maxBytes, 1024 * 1024), files: checked('maxFiles', maxFiles, 500) }
  const layout = createLayout(resolve(options.dir))
  const turn = createTurn()
  const times = createTimes(clock)
  let fileIo: FileIo = createIo('async', () => undefined)
  let opened: Opened | undefined
  let opening: Promise<Opened> | undefined
  let closed = false
  const io = (): FileIo => fileIo
  const report = (event: FileEvent): void => onEvent?.(event)
  const mayEvict = (): boolean => evict && opened?.keeps !== true
  const durability = durable ? createDurability(io, layout) : notDurable
  const leaseOptions = { io, layout, clock, times, coarse: () => opened?.coarse ?? false }
  // Those of the ledger and of the sweeper's election, which may be lost.
  const leases = createLeases(leaseOptions)
  const entryLeases = createLeases({ ...leaseOptions, durability })
  const ledger = createLedger({ io, layout, leases, clock, budget, wantSweep: () => upkeep.sweepSoon(false) })
  const sweeper = createSweeper({
    io,
    layout,
    leases,
    ledger,
    clock,
    times,
    budget,
    evict: mayEvict,
    turn,
    stopped: () => closed,
  })
  const entries = createEntries({
    io,
    layout,
    leases: entryLeases,
    ledger,
    clock,
    times,
    hidden: createHidden(clock),
    budget,
    evict: mayEvict,
    durability,
    reopen: () => reopen(),
    noteFault: (operation, cause) => noteFault(operation, cause),
    makeRoom: () => upkeep.sweepSoon(true),
    clearDead: () => upkeep.clearDead(),
  })
  /** Changes of one entry by this process keep the order of their calls. */
  const order = createOrder()

  const noteFault = (operation: string, cause: unknown): void => {
    report({ kind: 'fault', operation, fault: faultOf(cause), cause })
  }

  const useIo = (mode: 'sync' | 'async', reason: string): void => {
    const made = createIo(mode, () => useIo('async', 'synchronous calls took more than 2 ms on average'))
    fileIo = steadyIo(durable ? changeAside(made) : made)
    report({ kind: 'io', mode, reason })
  }

  const openNow = async (): Promise<Opened> => {
    const found = await openDirectory(layout, { io: options.io ?? 'auto', evict })
    // Opened again after the directory vanished: what was measured before still holds.
    if (opened === undefined) useIo(found.mode, found.network ? 'a network file system' : 'measured')
    opened = found
    if (found.fresh) await ledger.begin()
    durability.forget()
    upkeep.start()
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

  const reopen = (): Promise<Opened> => {
    opening = undefined
    return open()
  }

  const getReady = async (): Promise<void> => {
    if (closed || opened === undefined) await open()
    while (turn.tired()) await turn.rest()
  }

  /** Before each operation: what to wait for, the first time and after a burst; mostly nothing. */
  const begin = (): Promise<void> | undefined =>
    closed || opened === undefined || turn.tired() ? getReady() : undefined

  const limits = createFileLimits({ dir: layout.dir, clock, maxBytes: budget.bytes / 16, begin, reopen })

  const upkeep = createUpkeep({
    clock,
    budget,
    evict: mayEvict,
    ledger,
    sweeper,
    look() {
      times.observe()
      // The disk may have been slow for a while only, under somebody else's load.
      if (opened?.mode === 'sync' && fileIo.mode === 'async' && isFast(layout)) useIo('sync', 'the disk is fast again')
    },
    swept(swept) {
      if (swept.evicted + swept.expired > 0) entries.roomMade()
      report({ kind: 'swept', swept })
    },
    noteFault: (operation, cause) => noteFault(operation, cause),
  })

  const placeOf = (key: string): Place => ({ key, path: layout.entry(key) })

  /** Every operation on one key that changes something: in its turn, and with the one error callers see. */
  const change = async <T>(operation: string, key: string, run: (place: Place) => Promise<T>): Promise<T> => {
    const place = placeOf(key)
    try {
      return await order.inOrder(place.path, async () => {
        const waiting = begin()
        if (waiting !== undefined) await waiting
        return twiceIfStale(() => run(place))
      })
    } catch (error) {
      if (!closed) noteFault(operation, error)
      throw storeFailed(operation, layout.dir, error, key)
    }
  }

  const get = async (key: string): Promise<StoredRecord | undefined> => {
    const place = placeOf(key)
    const before = order.before(place.path)
    if (before !== undefined) await before
    const waiting = begin()
    if (waiting !== undefined) await waiting
    const found = entries.read(place)
    // Awaiting what is no promise, or returning one unawaited, would cost a good part of the read itself.
    return found instanceof Promise ? await found : found
  }

  const scan = async function* (prefix: string): AsyncGenerator<readonly string[]> {
    await begin()
    for await (const found of scanEntries({ io, layout, times, turn }, prefix)) yield found.map(({ key }) => key)
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
    claim: (key, wanted) => change('claim', key, place => entries.claim(place, wanted)),
    commit: (key, token, bytes, ttl) => change('commit', key, place => entries.commit(place, token, bytes, ttl)),
    renew: (key, token, ttl) => change('renew', key, ({ path }) => leases.renew(path, token, ttl)),
    release: (key, token) => change('release', key, ({ path }) => leases.release(path, token)),
    set: (key, bytes, ttl) => change('set', key, place => entries.set(place, bytes, ttl)),
    async delete(keys) {
      const done = await Promise.allSettled(keys.map(key => change('delete', key, entries.remove)))
      const failed = done.find(result => result.status === 'rejected')
      if (failed !== undefined) throw storeFailed('delete', layout.dir, failed.reason)
    },
    scan,
    async usage(prefix): Promise<Usage> {
      await begin()
      let entries = 0
      let bytes = 0
      for await (const found of scanEntries({ io, layout, times, turn }, prefix)) {
        entries += found.length
        for (const entry of found) bytes += entry.bytes
      }
      return { entries, bytes }
    },
    async sweep() {
      await begin()
      return upkeep.sweep(false)
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
    locks: createFileLocks({ dir: layout.dir, clock, begin, reopen }),
    limits,
    async close() {
      if (closed) return
      closed = true
      limits.close()
      await Promise.allSettled([order.settled(), upkeep.stop()])
      // An allowance that cannot be given back is found by the next count.
      if (opened !== undefined) await ledger.close().catch(() => undefined)
    },
  }
}

/** A network file system lost the handle of a file under the call: once more, from the beginning. */
async function twiceIfStale<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (faultOf(error) !== 'stale') throw error
    return run()
  }
}

function checkedFlag(name: string, value: unknown, unlessSaid: boolean): boolean {
  if (value === undefined) return unlessSaid
  if (typeof value === 'boolean') return value
  throw badOption(name, 'true or false', value)
}

function checked(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw badOption(name, `an integer of at least ${least}`, value)
}
