import { hash, randomBytes } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { PalierError } from '../../errors.ts'
import type { Clock } from '../../clock.ts'
import type { Decision, Limits, Rate } from '../../guard.ts'
import { type Counters, keptFor, slide } from '../../sliding.ts'
import { isErrno, storeFailed } from './errors.ts'
import { DIR_MODE, type FileIo } from './io.ts'
import type { Leases } from './lease.ts'

/*
 * Rate limits shared by the processes of a directory. The counters of all keys lie in 64 files, `limits/<00..3f>`, by
 * the hash of the key, so however many keys are asked for, there are never more files. A file is changed by
 * compare-and-set: a lease on it, read, decide, commit (lease.ts). So each decision is made from the counters as they
 * stand and is exact for any number of processes, and one that is killed holds the others up for the lease at most.
 * Requests of one process that wait for a file are decided together, in their order, in one such step; a request that
 * is denied by what the file says needs no lease at all.
 *
 * A file holds a line per key: its SHA-256, cut to 128 bits, then when it may be forgotten, and the three counters.
 * What expired is left out when the file is written. At most 512 keys are kept in one; above that the one that took
 * something least recently is forgotten: the lines are in the order of the last taking. The files are not flushed: a power cut may lose counters, which admits at most one more window.
 * Time is the machine's wall clock; turned back, a window begins anew and nobody waits for longer than two.
 */
export interface FileLimitOptions {
  /** The store's directory. */
  readonly dir: string
  readonly clock: Clock
  readonly io: () => FileIo
  readonly leases: Leases
  /** Called first: makes the store's directory, or rejects. */
  readonly begin: () => Promise<unknown> | undefined
  /** Makes the store's directory again. */
  readonly reopen: () => Promise<unknown>
}

interface Kept extends Counters {
  /** Milliseconds since 1970. */
  readonly endsAt: number
}

type Page = Map<string, Kept>

/** A request that waits for its file; `decide` is called again if the step has to be made again. */
interface Waiting {
  decide(page: Page, now: number): boolean
  resolve(): void
  reject(error: unknown): void
}

const FILES = 64
const KEYS_PER_FILE = 512
/** A process killed in the middle of a step holds its file up for as long. */
const LEASE_TTL = 400
/** Steps of others, 1 to 4 ms apart, that a step waits for. */
const ATTEMPTS = 400
const DEBRIS_AGE = 600_000
const NOTHING: Uint8Array = new Uint8Array(0)
const LINE = /^([0-9a-f]{32}) (\d+) (\d+) (\d+) (\d+)$/gm

/** Waiting for another process's system calls: real time, whatever clock the store was given. */
const pause = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms))

export function createFileLimits({ dir, clock, io, leases, begin, reopen }: FileLimitOptions): Limits {
  const root = `${dir}/limits`
  /** Requests that wait for a file, while one step on it is under way. */
  const queues = new Map<string, Waiting[]>()
  let tidied = false

  const placeOf = (key: string): { readonly path: string; readonly id: string } => {
    const id = hash('sha256', key, 'hex').slice(0, 32)
    const file = Number.parseInt(id.slice(0, 2), 16) % FILES
    return { path: `${root}/${file.toString(16).padStart(2, '0')}`, id }
  }

  const read = async (path: string): Promise<Page> => (await io().read(path, readPage)) ?? new Map<string, Kept>()

  const claim = async (path: string, token: string): Promise<boolean> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await leases.claim(path, token, LEASE_TTL)
      } catch (error) {
        if (attempt === 2 || !isErrno(error, 'ENOENT')) throw error
        if (attempt === 1) await reopen()
        await fs.mkdir(root, DIR_MODE).catch((cause: unknown) => {
          if (!isErrno(cause, 'EEXIST', 'ENOENT')) throw cause
        })
      }
    }
  }

  /** One compare-and-set that decides `waiting`; false when it has to be tried again. */
  const attempt = async (path: string, waiting: readonly Waiting[]): Promise<boolean> => {
    const token = randomBytes(12).toString('hex')
    if (!(await claim(path, token))) return false
    let changed = false
    try {
      const page = await read(path)
      const now = Math.floor(clock.wall())
      for (const each of waiting) changed = each.decide(page, now) || changed
      if (changed) return await leases.commit(path, token, writePage(page, now), NOTHING)
      return true
    } finally {
      if (!changed) await leases.release(path, token)
    }
  }

  const step = async (path: string, waiting: readonly Waiting[]): Promise<void> => {
    for (let tries = 0; tries < ATTEMPTS; tries++) {
      if (await attempt(path, waiting)) return
      await pause(1 + Math.random() * 3)
    }
    throw new PalierError('PALIER_STORE_FAILED', `${path} was busy at each of ${ATTEMPTS} attempts`)
  }

  const run = async (path: string, queue: Waiting[]): Promise<void> => {
    while (queue.length > 0) {
      const waiting = queue.splice(0)
      try {
        await step(path, waiting)
        for (const each of waiting) each.resolve()
      } catch (error) {
        for (const each of waiting) each.reject(error)
      }
    }
    queues.delete(path)
  }

  const inLine = (path: string, decide: Waiting['decide']): Promise<void> =>
    new Promise((resolve, reject) => {
      const waiting = { decide, resolve, reject }
      const queue = queues.get(path)
      if (queue !== undefined) return void queue.push(waiting)
      const mine = [waiting]
      queues.set(path, mine)
      // Handled inside: `run` settles whoever waits and never rejects.
      void run(path, mine)
    })

  /** What killed processes left, once in the life of this one: each leaves a file or two at most. */
  const tidy = async (): Promise<void> => {
    if (tidied) return
    tidied = true
    try {
      for (const name of await fs.readdir(root)) {
        if (!/\.[tc]$/.test(name)) continue
        const { mtimeMs } = await fs.lstat(`${root}/${name}`)
        if (Date.now() - mtimeMs > DEBRIS_AGE) await fs.rm(`${root}/${name}`, { recursive: true, force: true })
      }
    } catch {
      // Nobody reads it.
    }
  }

  const decideOne = async (key: string, rate: Rate, cost: number): Promise<Decision> => {
    await begin()
    await tidy()
    const { path, id } = placeOf(key)
    const seen = slide((await read(path)).get(id), Math.floor(clock.wall()), rate, cost)
    if (seen.kept === undefined) return seen.decision
    let decision = seen.decision
    await inLine(path, (page, now) => {
      const slid = slide(page.get(id), now, rate, cost)
      decision = slid.decision
      if (slid.kept === undefined) return false
      page.delete(id)
      page.set(id, { ...slid.kept, endsAt: slid.kept.start + keptFor(rate) })
      return true
    })
    return decision
  }

  return {
    async take(key, rate, cost) {
      try {
        return await decideOne(key, rate, cost)
      } catch (error) {
        throw storeFailed('take', root, error)
      }
    },
    async reset(key) {
      try {
        await begin()
        const { path, id } = placeOf(key)
        await inLine(path, page => page.delete(id))
      } catch (error) {
        throw storeFailed('reset', root, error)
      }
    },
  }
}

/** A line that is no line is a key nothing was taken under. */
function readPage(view: Buffer): Page {
  const page: Page = new Map()
  for (const [, id = '', ...numbers] of view.toString('latin1').matchAll(LINE)) {
    const [endsAt = 0, start = 0, current = 0, previous = 0] = numbers.map(Number)
    page.set(id, { endsAt, start, current, previous })
  }
  return page
}

function writePage(page: Page, now: number): Buffer {
  const kept = [...page].filter(([, { endsAt }]) => endsAt > now)
  const lines = kept.slice(-KEYS_PER_FILE).map(([id, { endsAt, start, current, previous }]) => {
    return `${id} ${endsAt} ${start} ${current} ${previous}\n`
  })
  return Buffer.from(lines.join(''), 'latin1')
}
