import { hash, randomBytes } from 'node:crypto'
import { promises as fs } from 'node:fs'
import type { Clock } from '../../clock.ts'
import type { Locks } from '../../guard.ts'
import { isErrno, storeFailed } from './errors.ts'
import { CREATE, DIR_MODE, FILE_MODE, flushIfThere } from './io.ts'
import { type Being, createWitness, type Witness } from './owner.ts'

/*
 * Locks between processes. A lock is a directory of generations, `locks/<SHA-256 of the name>/g.<n>`. The highest one
 * is the truth: it says who holds the lock and until when, or that nobody does. Generations are written whole beside it,
 * flushed, and given their name with `link`, which fails when the name is there. So to take, to renew and to release are
 * one and the same step, from n to n + 1, and of all who try it from the same n one succeeds. Nothing is ever changed in
 * place, and a process killed at any call leaves at most a `t.` file that nobody reads.
 *
 * Old generations are removed, lowest first, but for the last 30. Who was stopped between reading n and linking n + 1
 * may find that name free again. It therefore looks whether n is still there after its link: as long as it is, n + 1
 * was never removed, so the link was the first. If n is gone, it was late, and takes its file away.
 *
 * The first generation is made inside a directory of its own that is then renamed to the lock's: the system refuses that
 * when the lock's directory is there. It is numbered by the clock, in microseconds, so that fences go on growing when the
 * directory was deleted, as long as the clock did not go back. Fences are the generation at which a lock was granted.
 *
 * Whether the highest generation still holds:
 * - Its process is dead: no longer. Exact in one container of one machine (same boot, same process numbers).
 * - Its time is over: no longer, alive or not. Exact on one machine: the monotonic clock is one for all processes.
 * - Anything else (another machine, or one that was started anew, or a system without /proc) is watched: it holds until
 *   it has not changed for its whole ttl by the monotonic clock of whoever waits. No two clocks are compared, so this
 *   holds as far as clocks run equally fast and `link` on the shared disk is atomic. It costs the ttl once.
 * The wall clock is asked by none of these.
 */
export interface FileLockOptions {
  /** The store's directory. */
  readonly dir: string
  readonly clock: Clock
  /** Called first: makes the store's directory, or rejects. */
  readonly begin: () => Promise<unknown> | undefined
  /** Makes the store's directory again. */
  readonly reopen: () => Promise<unknown>
}

interface Holding extends Being {
  readonly owner: string
  readonly fence: number
  readonly ttl: number
  /** By the clock that `time` names. */
  readonly until: number
}

interface Top {
  /** Numbers of all generations there are, ascending. */
  readonly numbers: readonly number[]
  readonly n: number
  /** Undefined: nobody holds the lock. */
  readonly holding: Holding | undefined
}

const KEPT = 30
/** Others would have to come first as often as this. */
const ATTEMPTS = 100
/** Leftovers this old belong to nobody alive. */
const DEBRIS_AGE = 600_000
/** A generation that cannot be read counts as held by an unknown process with this ttl. */
const UNREADABLE_TTL = 60_000
/** A lock nobody touched for so long is taken away; one of so many is looked at after a release, once in a while. */
const UNUSED_AGE = 3_600_000
const TIDY_EVERY = 60_000
const TIDY_AT_ONCE = 64
const WATCHED = 1_000

export function createFileLocks({ dir, clock, begin, reopen }: FileLockOptions): Locks {
  const root = `${dir}/locks`
  /** Locks held out of sight: the generation seen, and since when it has not changed. */
  const watched = new Map<string, { readonly n: number; readonly at: number }>()
  let witness: Promise<Witness> | undefined
  let tidiedAt = clock.now()

  const ready = async (): Promise<Witness> => {
    await begin()
    witness ??= createWitness(clock)
    return witness
  }

  const abandoned = (path: string, ttl: number, n: number, now: number): boolean => {
    const seen = watched.get(path)
    if (seen?.n === n) return now - seen.at >= ttl
    if (watched.size >= WATCHED) watched.clear()
    watched.set(path, { n, at: now })
    return false
  }

  const holds = async (path: string, { n, holding }: Top, { self, now, lives }: Witness): Promise<boolean> => {
    if (holding === undefined) return false
    if ((await lives(holding)) === false) return false
    if (holding.time !== '' && holding.time === self.time) return now() < holding.until
    return !abandoned(path, holding.ttl, n, now())
  }

  /** The generation after `top`, if nobody else made it. */
  const push = async (path: string, top: Top, holding: Holding | undefined): Promise<boolean> => {
    const mine = `${path}/t.${unique()}`
    const next = `${path}/g.${top.n + 1}`
    try {
      await write(mine, holding)
      await fs.link(mine, next)
    } catch (error) {
      // The directory was taken away, or somebody was first.
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EEXIST')) return false
      throw error
    } finally {
      await remove(mine)
    }
    if (!(await exists(`${path}/g.${top.n}`))) {
      await remove(next)
      return false
    }
    for (const n of top.numbers) if (n < top.n + 1 - KEPT) await remove(`${path}/g.${n}`)
    return true
  }

  /** Makes the lock's directory with its first generation in it; undefined when another process did. */
  const begun = async (path: string, make: (n: number) => Holding): Promise<number | undefined> => {
    const prepared = `${path}.${unique()}.c`
    const n = Math.floor(clock.wall() * 1000)
    await makeIn(prepared)
    try {
      await write(`${prepared}/g.${n}`, make(n))
      await fs.rename(prepared, path)
      return n
    } catch (error) {
      await fs.rm(prepared, { recursive: true, force: true })
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) return undefined
      throw error
    }
  }

  const makeIn = async (path: string): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        await fs.mkdir(path, DIR_MODE)
        return
      } catch (error) {
        if (attempt === 2 || !isErrno(error, 'ENOENT')) throw error
        if (attempt === 1) await reopen()
        await fs.mkdir(root, DIR_MODE).catch((cause: unknown) => {
          if (!isErrno(cause, 'EEXIST', 'ENOENT')) throw cause
        })
      }
    }
  }

  const take = async (name: string, owner: string, ttl: number): Promise<number | undefined> => {
    const sees = await ready()
    const path = pathOf(name)
    const make = (fence: number): Holding => ({ ...sees.self, owner, fence, ttl, until: sees.now() + ttl })
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const top = await readTop(path)
      if (top === undefined) {
        const fence = await begun(path, make)
        if (fence === undefined) continue
        await flushIfThere(path)
        await flushIfThere(root)
        return fence
      }
      if (await holds(path, top, sees)) return undefined
      if (!(await push(path, top, make(top.n + 1)))) continue
      watched.delete(path)
      // Else a power cut could let the number be granted again.
      await flushIfThere(path)
      return top.n + 1
    }
    return undefined
  }

  /** One step by the owner; false when it is the owner no more. */
  const step = async (name: string, owner: string, make: (top: Holding, sees: Witness) => Holding | undefined) => {
    const sees = await ready()
    const path = pathOf(name)
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const top = await readTop(path)
      if (top?.holding?.owner !== owner || !(await holds(path, top, sees))) return false
      if (await push(path, top, make(top.holding, sees))) return true
    }
    return false
  }

  const pathOf = (name: string): string => `${root}/${hash('sha256', name, 'hex')}`

  const failing = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw storeFailed(operation, root, error)
    }
  }

  /** Never rejects: what is not tidied now is tidied later. */
  const tidySometimes = async (): Promise<void> => {
    if (clock.now() - tidiedAt < TIDY_EVERY) return
    tidiedAt = clock.now()
    try {
      const sees = await ready()
      const names = await fs.readdir(root)
      const from = Math.floor(Math.random() * names.length)
      for (const name of [...names.slice(from), ...names.slice(0, from)].slice(0, TIDY_AT_ONCE)) {
        await tidy(`${root}/${name}`, sees)
      }
    } catch {
      // The next release that finds the time tries again.
    }
  }

  const tidy = async (path: string, sees: Witness): Promise<void> => {
    const age = Date.now() - (await fs.lstat(path)).mtimeMs
    if (path.endsWith('.c')) {
      if (age > DEBRIS_AGE) await fs.rm(path, { recursive: true, force: true })
      return
    }
    const top = age > DEBRIS_AGE ? await readTop(path) : undefined
    if (top === undefined) return
    await removeDebris(path)
    if (age < UNUSED_AGE || (await holds(path, top, sees))) return
    // Taken without an end, so that nobody holds the lock while its directory goes, however long we are stopped here.
    const claim = { ...sees.self, owner: unique(), fence: 0, ttl: UNREADABLE_TTL, until: Number.MAX_SAFE_INTEGER }
    if (!(await push(path, top, claim))) return
    const away = `${path}.${unique()}.c`
    try {
      await fs.rename(path, away)
    } catch (error) {
      const claimed = await readTop(path)
      if (claimed?.holding?.owner === claim.owner) await push(path, claimed, undefined)
      throw error
    }
    await fs.rm(away, { recursive: true, force: true })
  }

  return {
    acquire: (name, owner, ttl) => failing('acquire', () => take(name, owner, ttl)),
    renew: (name, owner, ttl) =>
      failing('renew', () =>
        step(name, owner, ({ fence }, { self, now }) => ({ ...self, owner, fence, ttl, until: now() + ttl })),
      ),
    release: (name, owner) =>
      failing('release', async () => {
        const done = await step(name, owner, () => undefined)
        await tidySometimes()
        return done
      }),
  }
}

const unique = (): string => `${process.pid.toString(36)}-${randomBytes(8).toString('hex')}`

/** The highest generation; undefined when there is no lock of that name. */
async function readTop(path: string): Promise<Top | undefined> {
  for (;;) {
    const numbers = await numbersIn(path)
    const n = numbers.at(-1)
    if (n === undefined) return undefined
    try {
      return { numbers, n, holding: parse(await fs.readFile(`${path}/g.${n}`, 'utf8')) }
    } catch (error) {
      // Overtaken by thirty generations since the list was made.
      if (!isErrno(error, 'ENOENT')) throw error
    }
  }
}

async function numbersIn(path: string): Promise<number[]> {
  try {
    const numbers = (await fs.readdir(path)).map(name => Number(/^g\.([1-9]\d{0,15})$/.exec(name)?.[1] ?? 0))
    return numbers.filter(n => n > 0).sort((a, b) => a - b)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}

const UNKNOWN: Holding = {
  boot: '',
  space: '',
  time: '',
  pid: 0,
  born: '',
  owner: '',
  fence: 0,
  ttl: UNREADABLE_TTL,
  until: 0,
}

function parse(text: string): Holding | undefined {
  try {
    const page = JSON.parse(text) as { readonly v?: unknown; readonly held?: Partial<Holding> | null }
    if (page.v !== 1) return UNKNOWN
    return page.held === null ? undefined : { ...UNKNOWN, ...page.held }
  } catch {
    return UNKNOWN
  }
}

async function write(path: string, holding: Holding | undefined): Promise<void> {
  const handle = await fs.open(path, CREATE, FILE_MODE)
  try {
    await handle.writeFile(JSON.stringify({ v: 1, held: holding ?? null }))
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await fs.lstat(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

async function remove(path: string): Promise<void> {
  try {
    await fs.unlink(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  }
}

async function removeDebris(path: string): Promise<void> {
  for (const name of await fs.readdir(path)) {
    if (!name.startsWith('t.')) continue
    const { mtimeMs } = await fs.lstat(`${path}/${name}`)
    if (Date.now() - mtimeMs > DEBRIS_AGE) await remove(`${path}/${name}`)
  }
}
