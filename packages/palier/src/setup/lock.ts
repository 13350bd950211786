import { randomBytes } from 'node:crypto'
import { readFile, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { PalierError } from '../errors.ts'
import { isErrno } from '../stores/file/errors.ts'
import { readIfThere, writeNew } from './files.ts'

interface Holder {
  readonly pid: number
  readonly host: string
  /** Milliseconds since 1970. */
  readonly until: number
  readonly what: string
}

const POLL = 15

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, host, until, what } = JSON.parse(text) as Partial<Holder>
    if (typeof pid !== 'number' || typeof host !== 'string' || typeof until !== 'number') return undefined
    return { pid, host, until, what: String(what) }
  } catch {
    // A lock whose writer was killed before its first byte.
    return undefined
  }
}

function isDead({ pid, host, until }: Holder): boolean {
  if (until < Date.now()) return true
  if (host !== hostname()) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return isErrno(error, 'ESRCH')
  }
}

/** Takes a dead lock away; two that see it dead at once must not both take away what came after it. */
async function bury(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    throw error
  }
  const taken = await readFile(aside, 'utf8')
  if (taken !== text) await rename(aside, path)
  else await rm(aside, { force: true })
}

/** What a living process holds the lock for; undefined: nobody does. */
export async function lockedFor(path: string): Promise<string | undefined> {
  const text = await readIfThere(path)
  const holder = text === undefined ? undefined : holderOf(text)
  return holder === undefined || isDead(holder) ? undefined : holder.what
}

export interface LockTimes {
  /** Milliseconds after which the lock counts as left behind. */
  readonly lasts: number
  /** Milliseconds it is waited for. */
  readonly wait: number
}

/** One process at a time, by a file that is made exclusively. Rejects with PALIER_LOCKED when another one goes on holding it. */
export async function withLock<T>(path: string, what: string, times: LockTimes, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + times.wait
  let text = ''
  for (;;) {
    text = JSON.stringify({
      pid: process.pid,
      host: hostname(),
      until: Date.now() + times.lasts,
      what,
      nonce: randomBytes(6).toString('hex'),
    })
    try {
      await writeNew(path, text)
      break
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
    }
    const held = (await readIfThere(path)) ?? ''
    const holder = holderOf(held)
    // An empty lock is being written, unless it stays so.
    if (holder === undefined ? performance.now() > end : isDead(holder)) await bury(path, held)
    else if (performance.now() > end) {
      throw new PalierError(
        'PALIER_LOCKED',
        `the installation is busy: ${holder?.what ?? 'another process'} (process ${holder?.pid ?? 0})`,
      )
    } else await new Promise(resolve => setTimeout(resolve, POLL))
  }
  try {
    return await work()
  } finally {
    if ((await readIfThere(path)) === text) await rm(path, { force: true })
  }
}
