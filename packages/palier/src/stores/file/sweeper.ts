import { randomBytes } from 'node:crypto'
import type { Dirent, Stats } from 'node:fs'
import type { Clock } from '../../clock.ts'
import type { Swept } from '../../store.ts'
import { faultOf, isErrno } from './errors.ts'
import type { FileIo, Turn } from './io.ts'
import { diskBytes, FRAME_BYTES, type Layout, nameKind, remainingOf, SHARDS } from './layout.ts'
import type { Leases } from './lease.ts'
import { type Budget, type Count, type Ledger, SWEEP_TO } from './ledger.ts'
import type { Times } from './times.ts'

/*
 * One process at a time, elected by a lease, walks the shards one by one and lets the event loop go round in between.
 *
 * The first walk removes what expired and what killed processes left, counts the rest into the ledger, and notes in a
 * histogram how much was last used how long ago. If the totals are above the mark, the histogram gives the age from
 * which on entries must go, and a second walk removes those. Neither keeps a list of the entries.
 *
 * A store that may not evict ends with the first walk, and takes what is dead away under its lease, so that nothing
 * written in the same instant goes with it.
 *
 * An entry's access stamp is its mtime: set when it is written, and by reads at most once a minute. Ages are taken
 * against the system's own time, as the stamps are.
 */
export interface Sweeper {
  /**
   * `pressed`: the disk itself is full, so room must be made even within the budget. Calls meanwhile share one sweep.
   * Undefined: another process sweeps.
   */
  sweep(pressed: boolean): Promise<Swept | undefined>
}

export interface SweeperOptions {
  readonly io: () => FileIo
  readonly layout: Layout
  readonly leases: Leases
  readonly ledger: Ledger
  readonly clock: Clock
  readonly times: Times
  readonly budget: Budget
  /** False: nothing alive is taken away. So it is too where `state/keep` is there. */
  readonly evict: () => boolean
  readonly turn: Turn
  /** True once the store is closed: the walk ends at the next shard. */
  readonly stopped: () => boolean
}

/** Long enough for the slowest write or claim; younger leftovers may still be somebody's. A time so far ahead is one of before the clock was turned back. */
const DEBRIS_AGE = 600_000

const ELECTION_TTL = 15_000
const RENEW_EVERY = 3_000

/** 64 steps each time the age doubles, from a millisecond to more than a hundred years. */
const STEPS = 64
const AGES = STEPS * 42

const ageStep = (age: number): number => Math.min(AGES - 1, Math.floor(Math.log2(Math.max(0, age) + 1) * STEPS))

interface Walk {
  readonly startedAt: number
  readonly keeps: boolean
  readonly measured: Count
  readonly bytesByAge: Float64Array
  readonly filesByAge: Float64Array
  expired: number
  evicted: number
  debris: number
  entries: number
  bytes: number
}

/** The age step from which on entries go, so that at least so much is freed. */
function cutOff(walk: Walk, bytes: number, files: number): number {
  let step = AGES
  for (let freed = 0, count = 0; step > 0 && (freed < bytes || count < files); ) {
    step--
    freed += walk.bytesByAge[step] ?? 0
    count += walk.filesByAge[step] ?? 0
  }
  return step
}

export function createSweeper({
  io,
  layout,
  leases,
  ledger,
  clock,
  times,
  budget,
  evict: mayEvict,
  turn,
  stopped,
}: SweeperOptions): Sweeper {
  let running: Promise<Swept | undefined> | undefined

  const list = async (dir: string): Promise<Dirent[]> => {
    try {
      return await io().list(dir)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
      throw error
    }
  }

  /** Everything but the entries: whole trees, links not followed. */
  const measureTree = async (dir: string, into: Count): Promise<void> => {
    for (const item of await list(dir)) {
      const path = `${dir}/${item.name}`
      if (path === layout.entries) continue
      const stat = await io().stat(path)
      if (stat === undefined) continue
      into.bytes += stat.blocks * 512
      into.files++
      if (stat.isDirectory()) await measureTree(path, into)
    }
  }

  const isSame = async (path: string, seen: Stats): Promise<boolean> => {
    const now = await io().stat(path)
    return now !== undefined && now.ino === seen.ino && now.mtimeMs === seen.mtimeMs
  }

  /** Not if somebody wrote or read the entry since `seen`. A write in the very same instant is lost: it was evicted. */
  const remove = async (path: string, seen: Stats): Promise<boolean> => {
    if (!(await isSame(path, seen))) return false
    try {
      await io().unlink(path)
      return true
    } catch (error) {
      if (isErrno(error, 'ENOENT') || faultOf(error) === 'damaged') return false
      throw error
    }
  }

  /** One file that the disk cannot read must not keep the others from being swept. */
  const isDead = async (walk: Walk, path: string): Promise<boolean> => {
    try {
      const head = await io().head(path, FRAME_BYTES)
      return head === undefined || remainingOf(head, times) <= 0
    } catch (error) {
      if (faultOf(error) !== 'damaged') throw error
      return !walk.keeps
    }
  }

  const removeDebris = async (path: string, stat: Stats): Promise<void> => {
    if (!stat.isDirectory()) return void (await remove(path, stat))
    await leases.clear(path)
  }

  const visitEntry = async (walk: Walk, path: string, stat: Stats): Promise<void> => {
    const takeAway = (): Promise<boolean> =>
      walk.keeps ? leases.takeAway(path, () => isSame(path, stat)) : remove(path, stat)
    if ((await isDead(walk, path)) && (await takeAway())) {
      walk.expired++
      return
    }
    const bytes = diskBytes(stat.size)
    const step = ageStep(walk.startedAt - stat.mtimeMs)
    walk.bytesByAge[step] = (walk.bytesByAge[step] ?? 0) + bytes
    walk.filesByAge[step] = (walk.filesByAge[step] ?? 0) + 1
    walk.measured.bytes += bytes
    walk.measured.files++
    walk.entries++
    walk.bytes += bytes
  }

  const visit = async (walk: Walk, path: string, name: string): Promise<void> => {
    const stat = await io().stat(path)
    if (stat === undefined) return
    const kind = nameKind(name)
    if (kind === 'entry' && stat.isFile()) return visitEntry(walk, path, stat)
    if (kind === 'lease' && stat.isDirectory()) {
      if (await leases.tidy(path.slice(0, -2))) walk.debris++
      return
    }
    if ((kind === 'temporary' || kind === 'prepared') && Math.abs(walk.startedAt - stat.mtimeMs) > DEBRIS_AGE) {
      await removeDebris(path, stat)
      walk.debris++
      return
    }
    walk.measured.bytes += stat.blocks * 512
    walk.measured.files++
  }

  /** Runs `each` on every name of every shard; stops early when the election is lost or `enough`. */
  const walkShards = async (
    token: string | undefined,
    each: (path: string, name: string) => Promise<void>,
    after: (shard: string) => Promise<boolean>,
  ): Promise<boolean> => {
    let renewedAt = clock.now()
    const first = randomBytes(1)[0] ?? 0
    // A link put in the place of a directory leads out of ours.
    if ((await io().stat(layout.entries))?.isDirectory() !== true) return true
    for (let i = 0; i < SHARDS; i++) {
      const shard = layout.shard((first + i) % SHARDS)
      const stat = await io().stat(shard)
      if (stat?.isDirectory() !== true) continue
      for (const { name } of await list(shard)) {
        await each(`${shard}/${name}`, name)
        if (turn.tired()) await turn.rest()
      }
      if (!(await after(shard))) return true
      await turn.rest()
      if (stopped()) return false
      if (token === undefined || clock.now() - renewedAt < RENEW_EVERY) continue
      renewedAt = clock.now()
      if (!(await leases.renew(layout.sweeper, token, ELECTION_TTL))) return false
    }
    return true
  }

  const evict = async (walk: Walk, token: string | undefined, bytes: number, files: number): Promise<void> => {
    const step = cutOff(walk, bytes, files)
    const freed: Count = { bytes: 0, files: 0 }
    const told: Count = { bytes: 0, files: 0 }
    const enough = (): boolean => freed.bytes >= bytes && freed.files >= files
    const tell = async (): Promise<void> => {
      const [moreBytes, moreFiles] = [freed.bytes - told.bytes, freed.files - told.files]
      if (moreFiles === 0) return
      await ledger.free(moreBytes, moreFiles)
      told.bytes += moreBytes
      told.files += moreFiles
    }
    let shards = 0
    await walkShards(
      token,
      async (path, name) => {
        if (enough() || nameKind(name) !== 'entry') return
        const stat = await io().stat(path)
        if (stat?.isFile() !== true || ageStep(walk.startedAt - stat.mtimeMs) < step) return
        if (!(await remove(path, stat))) return
        freed.bytes += diskBytes(stat.size)
        freed.files++
      },
      async () => {
        // Waiting writers get their room while the walk goes on.
        if (++shards % 16 === 0) await tell()
        return !enough()
      },
    )
    await tell()
    walk.evicted += freed.files
    walk.entries -= freed.files
    walk.bytes -= freed.bytes
  }

  const run = async (pressed: boolean, token: string | undefined): Promise<Swept> => {
    const walk: Walk = {
      startedAt: Date.now(),
      keeps: !mayEvict() || (await io().stat(layout.keep)) !== undefined,
      measured: { bytes: 0, files: 0 },
      bytesByAge: new Float64Array(AGES),
      filesByAge: new Float64Array(AGES),
      expired: 0,
      evicted: 0,
      debris: 0,
      entries: 0,
      bytes: 0,
    }
    const since = (await ledger.totals()) ?? { bytes: 0, files: 0 }
    await measureTree(layout.dir, walk.measured)
    const whole = await walkShards(
      token,
      (path, name) => visit(walk, path, name),
      async shard => {
        const stat = await io().stat(shard)
        walk.measured.bytes += (stat?.blocks ?? 0) * 512
        walk.measured.files++
        return true
      },
    )
    if (!whole) return walk
    const totals = (await settle(walk, since)) ?? walk.measured
    if (walk.keeps) return walk
    const mark = (limit: number, measured: number): number =>
      pressed ? Math.min(limit * SWEEP_TO, measured * SWEEP_TO) : limit * SWEEP_TO
    const bytes = totals.bytes - mark(budget.bytes, walk.measured.bytes)
    const files = totals.files - mark(budget.files, walk.measured.files)
    if (bytes > 0 || files > 0) await evict(walk, token, bytes, files)
    return walk
  }

  /** On a full disk the ledger may be impossible to write before the eviction it would ask for. */
  const settle = async (walk: Walk, since: Count): Promise<Count | undefined> => {
    try {
      return await ledger.settle(walk.measured, since)
    } catch (error) {
      if (faultOf(error) === 'full') return undefined
      throw error
    }
  }

  /** The token of the election won; undefined when the disk is too full even for that, which must not stop a sweep. */
  const elect = async (): Promise<{ token: string | undefined } | undefined> => {
    const token = randomBytes(12).toString('hex')
    try {
      return (await leases.claim(layout.sweeper, token, ELECTION_TTL)) ? { token } : undefined
    } catch (error) {
      if (faultOf(error) === 'full') return { token: undefined }
      throw error
    }
  }

  const sweepOnce = async (pressed: boolean): Promise<Swept | undefined> => {
    const elected = await elect()
    if (elected === undefined) return undefined
    try {
      const { expired, evicted, debris, entries, bytes } = await run(pressed, elected.token)
      return { expired, evicted, debris, entries, bytes }
    } finally {
      if (elected.token !== undefined) await leases.release(layout.sweeper, elected.token)
    }
  }

  return {
    sweep(pressed) {
      running ??= sweepOnce(pressed).finally(() => {
        running = undefined
      })
      return running
    },
  }
}
