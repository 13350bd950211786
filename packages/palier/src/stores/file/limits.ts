import { hash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Clock } from '../../clock.ts'
import { PalierError } from '../../errors.ts'
import type { Counted, Decision, Limits, Penalty, Rate } from '../../guard.ts'
import { type Counters, keptFor, slide, type Tallied, tally } from '../../sliding.ts'
import { isErrno, storeFailed } from './errors.ts'
import { DIR_MODE, FILE_MODE } from './io.ts'

/*
 * Rate limits shared by the processes of a directory, exact and without locks. The keys are spread over 32 logs by their
 * hash, `limits/<00..1f>.<n>`, so there are never more files, however many keys are asked for. A line is
 *
 *   <crc32> t <key> <at> <limit> <window> <cost> <tag>    a request, made at <at>, milliseconds since 1970
 *   <crc32> c <key> <at> <window> <cost> <above> <growth> <tag>   a count, likewise; a growth of 0: without a penalty
 *   <crc32> r <key> <tag>                                 the key is forgotten
 *   <crc32> h <at>                                        the time of the last request before this log
 *   <crc32> s <key> <ends> <start> <current> <previous>   the counters of a key when this log began
 *   <crc32> m                                             the marker: what follows stands in log n + 1
 *
 * with the SHA-256 of the key, cut to 128 bits, and for a count a `c` behind it: its counters are the start of its window,
 * what was counted in it and 0. Lines are written with O_APPEND, so those of several processes have one
 * order for all, and the decision on each request follows from the lines before it: whoever reads the log comes to the
 * same one. So a process appends its request, reads on to its own line, and knows. What is denied by the log as it
 * stands is not even written. A process killed at any call holds nobody up.
 *
 * A log that has grown long is ended with a marker; a request behind it is read by nobody, and its process, which meets
 * the marker before its own line, writes it again to log n + 1. That one begins with the counters as they stood at the
 * marker. Anybody who meets the marker makes it, whole and by `link`, so one is first; the logs below the newest are
 * removed. A line cut short by a full disk fails its checksum, and so does the one glued to it, which is written again.
 *
 * Nothing is flushed: a power cut may lose counters, which admits at most one more window. On a network file system
 * appends of several machines are not atomic, and the limit is exact for each machine only.
 */
export interface FileLimitOptions {
  /** The store's directory. */
  readonly dir: string
  readonly clock: Clock
  /** Disk usage the logs keep to, roughly. */
  readonly maxBytes: number
  /** Called first: makes the store's directory, or rejects. */
  readonly begin: () => Promise<unknown> | undefined
  /** Makes the store's directory again. */
  readonly reopen: () => Promise<unknown>
}

export interface FileLimits extends Limits {
  close(): void
}

interface Kept extends Counters {
  /** Milliseconds since 1970. */
  readonly endsAt: number
}

/** An open log, read up to `cursor`. */
interface Log {
  readonly n: number
  readonly fd: number
  cursor: number
  /** The beginning of a line whose end was not there yet. */
  carry: Buffer
  /** In the order of the last request admitted. */
  readonly page: Map<string, Kept>
  /** The time of the last request. */
  at: number
  isEnded: boolean
}

interface Request {
  readonly id: string
  readonly rate: Rate
  readonly cost: number
}

interface Count {
  readonly id: string
  readonly window: number
  readonly cost: number
  readonly penalty: Penalty | undefined
}

/** What became of a line that was read: of a request, of a count, of any other. */
type Outcome = Decision | Counted | 'done'

const LOGS = 32
/** Of the longest line that holds the counters of a key. */
const LINE_BYTES = 112
/** Bounds of the share of one log, half of which is for the counters it begins with and half for requests. */
const SMALLEST = 8 * 1024
const LARGEST = 192 * 1024
const CHUNK = 64 * 1024
const NEWLINE = 10
const ATTEMPTS = 50
const DEBRIS_AGE = 600_000
/** Requests may arrive in another order than they were dated in; what is older than this shows a clock turned back. */
const DISORDER = 10_000

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_WRONLY } = fs.constants

function lineOf(body: string): Buffer {
  const sum = crc32(body).toString(16).padStart(8, '0')
  return Buffer.from(`${sum} ${body}\n`, 'latin1')
}

/** The fields of a line; undefined when its checksum does not hold. */
function fieldsOf(line: string): readonly string[] | undefined {
  const body = line.slice(9)
  return Number.parseInt(line.slice(0, 8), 16) === crc32(body) ? body.split(' ') : undefined
}

function append(fd: number, line: Buffer): void {
  if (fs.writeSync(fd, line) === line.length) return
  throw new PalierError('PALIER_STORE_REFUSED', 'a rate limit took only a part of a line: no room is left')
}

const countIdOf = (id: string): string => `${id}c`

/** Takes the time of a request: never before the last one, unless the clock was turned back. */
function settled(at: number, last: number): number {
  return at >= last || last - at > DISORDER ? at : last
}

/** Decides on a request as of `at`, and keeps what follows from it. */
function apply(page: Map<string, Kept>, { id, rate, cost }: Request, at: number): Decision {
  const { decision, kept } = slide(page.get(id), at, rate, cost)
  if (kept !== undefined) {
    page.delete(id)
    page.set(id, { ...kept, endsAt: kept.start + keptFor(rate) })
  }
  return decision
}

function countUp(page: ReadonlyMap<string, Kept>, { id, window, cost, penalty }: Count, at: number): Tallied {
  const kept = page.get(id)
  const known = kept && { startAt: kept.start, endsAt: kept.endsAt, count: kept.current }
  return tally(known, at, window, cost, penalty)
}

/** Counts as of `at`, and keeps what follows from it. */
function applyCount(page: Map<string, Kept>, count: Count, at: number): Counted {
  const { counted, kept } = countUp(page, count, at)
  if (kept !== undefined) {
    page.delete(count.id)
    page.set(count.id, { start: kept.startAt, endsAt: kept.endsAt, current: kept.count, previous: 0 })
  }
  return counted
}

/** The penalty that a line tells of. */
function penaltyOf(above: number, growth: number): Penalty | undefined {
  return growth === 1 || growth === 2 ? { above, growth } : undefined
}

/** Takes a line into account, and gives what became of it. */
function take(log: Log, fields: readonly string[]): Outcome {
  const [kind, id = '', ...rest] = fields
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = rest.map(Number)
  if (kind === 't') {
    log.at = settled(a, log.at)
    return apply(log.page, { id, rate: { limit: b, window: c }, cost: d }, log.at)
  }
  if (kind === 'c') {
    log.at = settled(a, log.at)
    return applyCount(log.page, { id, window: b, cost: c, penalty: penaltyOf(d, e) }, log.at)
  }
  if (kind === 'r') for (const one of [id, countIdOf(id)]) log.page.delete(one)
  else if (kind === 'h') log.at = Number(id)
  else if (kind === 's') log.page.set(id, { endsAt: a, start: b, current: c, previous: d })
  else if (kind === 'm') log.isEnded = true
  return 'done'
}

export function createFileLimits({ dir, clock, maxBytes, begin, reopen }: FileLimitOptions): FileLimits {
  const root = `${dir}/limits`
  const share = Math.floor(Math.min(LARGEST, Math.max(SMALLEST, maxBytes / LOGS)) / 2)
  const logs = new Map<string, Log>()
  const pool = Buffer.allocUnsafeSlow(CHUNK)
  const self = randomBytes(6).toString('hex')
  let spoken = 0
  let tidied = false
  let closed = false

  const pathOf = (name: string, n: number): string => `${root}/${name}.${n}`

  /** Numbers of the logs of that name, ascending. */
  const numbersOf = (name: string): number[] => {
    const found = fs.readdirSync(root).map(each => {
      return each.startsWith(`${name}.`) && /^[1-9]\d{0,14}$/.test(each.slice(3)) ? Number(each.slice(3)) : 0
    })
    return found.filter(n => n > 0).sort((a, b) => a - b)
  }

  const leave = (name: string): void => {
    const log = logs.get(name)
    if (log === undefined) return
    logs.delete(name)
    fs.closeSync(log.fd)
  }

  const openLog = (name: string, n: number, flags: number): Log | undefined => {
    try {
      const fd = fs.openSync(pathOf(name, n), O_RDWR | O_APPEND | O_NOFOLLOW | flags, FILE_MODE)
      return { n, fd, cursor: 0, carry: Buffer.alloc(0), page: new Map(), at: 0, isEnded: false }
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  /** The newest log. Who made the first must look again: it may have been removed as an old one just before. */
  const enter = (name: string): Log => {
    leave(name)
    tidy()
    for (;;) {
      const newest = numbersOf(name).at(-1)
      const log = openLog(name, newest ?? 1, newest === undefined ? O_CREAT : 0)
      if (log === undefined) {
        if (newest === undefined) throw Object.assign(new Error(`${root} is gone`), { code: 'ENOENT' })
        continue
      }
      const numbers = numbersOf(name)
      if (numbers.at(-1) === log.n) {
        for (const n of numbers) if (n < log.n) fs.rmSync(pathOf(name, n), { force: true })
        logs.set(name, log)
        return log
      }
      fs.closeSync(log.fd)
    }
  }

  /** The log after one that was ended. */
  const follow = (name: string, ended: Log): Log => {
    const newest = numbersOf(name).at(-1) ?? 0
    if (newest <= ended.n) {
      const prepared = `${root}/${name}.t.${self}`
      const fd = fs.openSync(prepared, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE)
      try {
        append(fd, beginning(ended))
        fs.linkSync(prepared, pathOf(name, ended.n + 1))
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error
      } finally {
        fs.closeSync(fd)
        fs.rmSync(prepared, { force: true })
      }
    }
    return enter(name)
  }

  const beginning = ({ page, at }: Log): Buffer => {
    const kept = [...page].filter(([, { endsAt }]) => endsAt > at).slice(-Math.floor(share / LINE_BYTES))
    const lines = kept.map(([id, { endsAt, start, current, previous }]) => {
      return lineOf(`s ${id} ${endsAt} ${start} ${current} ${previous}`)
    })
    return Buffer.concat([lineOf(`h ${at}`), ...lines])
  }

  /** Reads a log to its end, or to its marker. Gives what became of the line with the tag; undefined: it was not met. */
  const read = (log: Log, tag: string | undefined): Outcome | undefined => {
    let found: Outcome | undefined
    while (!log.isEnded) {
      const length = fs.readSync(log.fd, pool, 0, CHUNK, log.cursor)
      if (length === 0) break
      log.cursor += length
      const bytes = Buffer.concat([log.carry, pool.subarray(0, length)])
      let from = 0
      for (let end = bytes.indexOf(NEWLINE); end >= 0 && !log.isEnded; end = bytes.indexOf(NEWLINE, from)) {
        const fields = fieldsOf(bytes.toString('latin1', from, end))
        from = end + 1
        const what = fields && take(log, fields)
        if (tag !== undefined && fields?.at(-1) === tag) found = what
      }
      log.carry = bytes.subarray(from)
    }
    return found
  }

  /** The newest log, read to its end. */
  const current = (name: string): Log => {
    let log = logs.get(name) ?? enter(name)
    for (let step = 0; step < ATTEMPTS; step++) {
      const { nlink, size } = fs.fstatSync(log.fd)
      read(log, undefined)
      if (log.isEnded) log = follow(name, log)
      // Removed without a marker, or cut: by no process of ours.
      else if (nlink === 0 || size < log.cursor) log = enter(name)
      else return log
    }
    throw busy(name)
  }

  /** Appends a line and reads it back, until it stands where everybody reads it. */
  const say = (name: string, body: string): Outcome => {
    const tag = `${self}-${(++spoken).toString(36)}`
    const line = lineOf(`${body} ${tag}`)
    for (let step = 0; step < ATTEMPTS; step++) {
      const log = current(name)
      append(log.fd, line)
      const found = read(log, tag)
      if (!log.isEnded && log.cursor >= 2 * share) append(log.fd, lineOf('m'))
      if (found !== undefined) return found
    }
    throw busy(name)
  }

  const busy = (name: string): PalierError =>
    new PalierError('PALIER_STORE_FAILED', `${root}/${name} was ended at each of ${ATTEMPTS} attempts`)

  /** What killed processes left, once in the life of this one. */
  const tidy = (): void => {
    if (tidied) return
    tidied = true
    for (const name of fs.readdirSync(root)) {
      if (!/^[0-9a-f]{2}\.t\./.test(name)) continue
      const stat = fs.lstatSync(`${root}/${name}`, { throwIfNoEntry: false })
      if (stat !== undefined && Date.now() - stat.mtimeMs > DEBRIS_AGE) fs.rmSync(`${root}/${name}`, { force: true })
    }
  }

  const placeOf = (key: string): { readonly name: string; readonly id: string } => {
    const id = hash('sha256', key, 'hex').slice(0, 32)
    const name = (Number.parseInt(id.slice(0, 2), 16) % LOGS).toString(16).padStart(2, '0')
    return { name, id }
  }

  const decide = (name: string, request: Request): Decision => {
    const log = current(name)
    const now = Math.floor(clock.wall())
    const seen = slide(log.page.get(request.id), settled(now, log.at), request.rate, request.cost)
    if (seen.kept === undefined) return seen.decision
    const { id, rate, cost } = request
    const outcome = say(name, `t ${id} ${now} ${rate.limit} ${rate.window} ${cost}`)
    return typeof outcome === 'object' && 'allowed' in outcome ? outcome : seen.decision
  }

  const add = (name: string, count: Count): Counted => {
    const log = current(name)
    const now = Math.floor(clock.wall())
    const seen = countUp(log.page, count, settled(now, log.at))
    if (seen.kept === undefined) return seen.counted
    const { id, window, cost, penalty } = count
    const { above = 0, growth = 0 } = penalty ?? {}
    const outcome = say(name, `c ${id} ${now} ${window} ${cost} ${above} ${growth}`)
    return typeof outcome === 'object' && 'count' in outcome ? outcome : seen.counted
  }

  /** Runs `work`; makes the directories that are missing and runs it again. */
  const withDirectory = async <T>(operation: string, work: () => T): Promise<T> => {
    try {
      await begin()
      for (let attempt = 0; ; attempt++) {
        if (closed) throw new PalierError('PALIER_CLOSED', 'the file store is closed')
        try {
          return work()
        } catch (error) {
          if (attempt === 2 || !isErrno(error, 'ENOENT')) throw error
          if (attempt === 1) await reopen()
          makeRoot()
        }
      }
    } catch (error) {
      throw storeFailed(operation, root, error)
    }
  }

  const makeRoot = (): void => {
    try {
      fs.mkdirSync(root, DIR_MODE)
    } catch (error) {
      if (!isErrno(error, 'EEXIST', 'ENOENT')) throw error
    }
  }

  return {
    take: (key, rate, cost) =>
      withDirectory('take', () => {
        const { name, id } = placeOf(key)
        return decide(name, { id, rate, cost })
      }),
    count: (key, window, cost, penalty) =>
      withDirectory('count', () => {
        const { name, id } = placeOf(key)
        return add(name, { id: countIdOf(id), window, cost, penalty })
      }),
    reset: key =>
      withDirectory('reset', () => {
        const { name, id } = placeOf(key)
        const { page } = current(name)
        if (page.has(id) || page.has(countIdOf(id))) say(name, `r ${id}`)
      }),
    close() {
      closed = true
      for (const name of logs.keys()) leave(name)
    },
  }
}
