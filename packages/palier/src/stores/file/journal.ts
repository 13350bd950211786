import { hash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { hostname } from 'node:os'
import { crc32 } from 'node:zlib'
import { type Bus, type BusListener, createSequenceTracker } from '../../bus.ts'
import type { Clock } from '../../clock.ts'
import { PalierError } from '../../errors.ts'
import { isErrno, storeFailed } from './errors.ts'
import { DIR_MODE, FILE_MODE } from './io.ts'

/*
 * A bus in a directory: an append-only journal that every cache of the channel reads to its end before it trusts its
 * near tier. Nothing is pushed; a read of the journal's length is a few microseconds, so it is looked at whenever
 * trust is older than `TRUST` milliseconds.
 *
 * `bus/<channel>/<n>.log` are the segments, one line per message:
 *
 *   <crc32 hex> <sender> <sequence> m<JSON string>
 *   <crc32 hex> <sender> 0 r                          the marker: what follows stands in segment n + 1
 *
 * A line is one `write` to a file opened with O_APPEND, so lines of several processes never mix and have one order
 * for all. A line cut short by a full disk fails its checksum, and so does the one glued to it: listeners count that
 * as a loss, and whoever wrote the second does not find it and writes it again.
 *
 * Rotation. Whoever finds the segment long makes n + 1 (O_EXCL), then appends the marker to n. A reader stops at the
 * first marker and goes on at the start of n + 1, so a line behind a marker is read by nobody. Its writer sees that:
 * after each append it reads on itself, and if it meets the marker before its own line, it appends again to n + 1.
 * Segments older than n are removed then; a reader that was left so far behind reports a loss and begins at the end
 * of the newest. A new listener puts a marker into the segment before the one it begins in, in case the one who
 * rotated was killed between its two steps: from then on nobody writes where it does not look.
 *
 * Sequence numbers tell a line that vanished (a directory removed, a disk that lost its end). The first line heard
 * of a sender is taken as it comes: the journal itself vouches for what was said since we attached.
 */
export interface JournalOptions {
  readonly dir: string
  readonly channel: string
  readonly clock: Clock
  readonly segmentBytes: number
  /** Makes the store's directories; tells whether they are on a network. */
  readonly open: () => Promise<{ readonly network: boolean }>
  readonly onFault: (operation: string, cause: unknown) => void
}

/** How old the last look at the journal may be, in milliseconds: the bound of this bus. */
const TRUST = 20
/** NFS shows a file's length from a cache of up to some seconds; no look of ours can be fresher. */
const NETWORK_TRUST = 5_000
const PRESENCE_AGE = 90_000
const PRESENCE_STEP = 30_000
const PEERS_AGE = 1_000
const CHUNK = 64 * 1024
const NEWLINE = 10
const APPEND_ATTEMPTS = 16

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = fs.constants

interface Line {
  readonly sender: string
  readonly seq: number
  /** Undefined: the marker. */
  readonly text: string | undefined
}

function writeLine(sender: string, seq: number, rest: string): Buffer {
  const body = Buffer.from(`${sender} ${seq} ${rest}`)
  const sum = crc32(body).toString(16).padStart(8, '0')
  return Buffer.concat([Buffer.from(`${sum} `), body, Buffer.from([NEWLINE])])
}

function readLine(bytes: Buffer): Line | undefined {
  if (bytes.length < 10 || Number.parseInt(bytes.toString('latin1', 0, 8), 16) !== crc32(bytes.subarray(9)))
    return undefined
  const [, sender, seq, rest] = /^(\S+) (\d+) (.*)$/s.exec(bytes.toString('utf8', 9)) ?? []
  if (sender === undefined || rest === undefined) return undefined
  return { sender, seq: Number(seq), text: rest.startsWith('m') ? (JSON.parse(rest.slice(1)) as string) : undefined }
}

/** Reads one open segment line by line. */
interface Segment {
  readonly index: number
  readonly fd: number
  cursor: number
  /** The beginning of a line whose end was not there yet. */
  carry: Buffer
}

/** Numbers of the segments there are, ascending. */
function segmentsIn(dir: string): number[] {
  const numbers = fs.readdirSync(dir).map(name => Number(/^([1-9]\d{0,14})\.log$/.exec(name)?.[1] ?? 0))
  return numbers.filter(n => n > 0).sort((a, b) => a - b)
}

function openSegment(dir: string, index: number, flags: number = 0): number {
  return fs.openSync(`${dir}/${index}.log`, O_RDWR | O_APPEND | O_NOFOLLOW | flags, FILE_MODE)
}

/** A link in the place of one of the directories leads out of the store's. */
function makeChannel(bus: string, dir: string): void {
  fs.mkdirSync(dir, { recursive: true, mode: DIR_MODE })
  for (const path of [bus, dir]) {
    if (fs.lstatSync(path).isDirectory()) continue
    throw new PalierError('PALIER_STORE_FAILED', `${path} is not a directory: the bus will not write through it`)
  }
}

function append(fd: number, line: Buffer): void {
  if (fs.writeSync(fd, line) !== line.length) {
    // Its checksum will not hold: listeners take it for a loss, the caller for a failure.
    throw new PalierError('PALIER_STORE_FAILED', 'the journal took only a part of a message: no room is left')
  }
}

/** Which caches are on the channel: a file each, named after its process. */
interface Presence {
  show(): void
  count(): number
  hide(): void
}

function createPresence(dir: string, sender: string, clock: Clock): Presence {
  const host = hash('sha256', hostname(), 'hex').slice(0, 12)
  const own = `${sender}.${process.pid}.${host}.peer`
  let shownAt = Number.NEGATIVE_INFINITY
  let countedAt = Number.NEGATIVE_INFINITY
  let counted = 1

  const isAlive = (name: string): boolean => {
    const [, pid, at] = /^[0-9a-f]+\.(\d+)\.([0-9a-f]+)\.peer$/.exec(name) ?? []
    if (pid === undefined || name === own) return name === own
    if (at === host) return processExists(Number(pid))
    const stat = fs.lstatSync(`${dir}/${name}`, { throwIfNoEntry: false })
    return stat !== undefined && Math.abs(Date.now() - stat.mtimeMs) < PRESENCE_AGE
  }

  return {
    show() {
      if (clock.now() - shownAt < PRESENCE_STEP) return
      shownAt = clock.now()
      fs.closeSync(fs.openSync(`${dir}/${own}`, O_RDWR | O_CREAT | O_NOFOLLOW, FILE_MODE))
      fs.utimesSync(`${dir}/${own}`, Date.now() / 1000, Date.now() / 1000)
    },
    count() {
      if (clock.now() - countedAt < PEERS_AGE) return counted
      countedAt = clock.now()
      const peers = fs.readdirSync(dir).filter(name => name.endsWith('.peer'))
      const alive = peers.filter(isAlive)
      for (const name of peers) if (!alive.includes(name)) fs.rmSync(`${dir}/${name}`, { force: true })
      counted = Math.max(1, alive.length)
      return counted
    },
    hide: () => fs.rmSync(`${dir}/${own}`, { force: true }),
  }
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process: it is there.
    return isErrno(error, 'EPERM')
  }
}

export function openJournal(options: JournalOptions): Bus {
  const { clock, segmentBytes, onFault } = options
  const dir = `${options.dir}/${hash('sha256', options.channel, 'hex').slice(0, 24)}`
  const sender = randomBytes(8).toString('hex')
  const tracker = createSequenceTracker()
  const heard = new Set<string>()
  const presence = createPresence(dir, sender, clock)
  const pool = Buffer.allocUnsafeSlow(CHUNK)
  let listener: BusListener | undefined
  let segment: Segment | undefined
  let spoken = 0
  /** The last message of ours that stands where everybody reads it. */
  let confirmed = 0
  let trust = TRUST
  let closed = false

  const marker = (): Buffer => writeLine(sender, 0, 'r')

  const enter = (index: number, cursor: number | 'end', flags: number = 0): Segment => {
    const fd = openSegment(dir, index, flags)
    const left = segment
    segment = { index, fd, cursor: cursor === 'end' ? fs.fstatSync(fd).size : cursor, carry: Buffer.alloc(0) }
    if (left !== undefined) fs.closeSync(left.fd)
    return segment
  }

  /** Begins at the end of the newest segment; the first one is made if there is none. */
  const enterNewest = (): Segment => {
    for (;;) {
      makeChannel(options.dir, dir)
      const numbers = segmentsIn(dir)
      const newest = numbers.at(-1)
      try {
        if (newest === undefined) return enter(1, 0, O_CREAT)
        if (numbers.includes(newest - 1)) {
          const before = openSegment(dir, newest - 1)
          try {
            append(before, marker())
          } finally {
            fs.closeSync(before)
          }
        }
        return enter(newest, 'end')
      } catch (error) {
        // Rotated on, or removed, between the listing and the opening.
        if (!isErrno(error, 'ENOENT')) throw error
      }
    }
  }

  const lose = (reason: string): void => listener?.lost(reason)

  const restart = (reason: string): Segment => {
    const begun = enterNewest()
    lose(reason)
    return begun
  }

  const hear = (line: Line): void => {
    if (line.sender === sender) {
      confirmed = Math.max(confirmed, line.seq)
      return
    }
    if (!heard.has(line.sender)) {
      heard.add(line.sender)
      tracker.judge(line.sender, line.seq - 1, clock.now())
    }
    const verdict = tracker.judge(line.sender, line.seq, clock.now())
    if (verdict === 'gap') lose('a message is missing from the journal')
    if (verdict !== 'repeat' && line.text !== undefined) listener?.message(line.text)
  }

  const follow = (from: Segment): Segment => {
    try {
      return enter(from.index + 1, 0)
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      return restart('the next part of the journal is gone')
    }
  }

  /** Takes the lines of one chunk; true when a marker ended the segment. */
  const takeChunk = (from: Segment, length: number): boolean => {
    const bytes =
      from.carry.length === 0 ? pool.subarray(0, length) : Buffer.concat([from.carry, pool.subarray(0, length)])
    let at = 0
    from.cursor += length
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      const line = readLine(bytes.subarray(at, end))
      at = end + 1
      if (line === undefined) lose('a damaged line in the journal')
      else if (line.seq === 0) return true
      else deliver(line)
    }
    from.carry = Buffer.from(bytes.subarray(at))
    return false
  }

  const deliver = (line: Line): void => {
    try {
      hear(line)
    } catch (error) {
      // A listener that throws has not applied what it heard, and the lines behind must still be read.
      onFault('bus', error)
    }
  }

  /** Reads to the end of the journal. */
  const pull = (): void => {
    let current = segment ?? enterNewest()
    for (;;) {
      const { size, nlink } = fs.fstatSync(current.fd)
      if (size < current.cursor) current = restart('the journal became shorter')
      if (size > current.cursor) {
        const length = fs.readSync(current.fd, pool, 0, Math.min(CHUNK, size - current.cursor), current.cursor)
        if (length === 0) return
        if (takeChunk(current, length)) current = follow(current)
        continue
      }
      if (nlink > 0) return
      // Removed without a marker: by no rotation of ours.
      current = restart('the journal was removed')
    }
  }

  const rotate = (from: Segment): void => {
    try {
      fs.closeSync(openSegment(dir, from.index + 1, O_CREAT | O_EXCL))
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
    }
    append(from.fd, marker())
    pull()
    for (const index of segmentsIn(dir)) if (index < from.index) fs.rmSync(`${dir}/${index}.log`, { force: true })
  }

  const say = (text: string): void => {
    const line = writeLine(sender, ++spoken, `m${JSON.stringify(text)}`)
    const mine = spoken
    for (let attempt = 0; confirmed < mine; attempt++) {
      if (attempt === APPEND_ATTEMPTS)
        throw new PalierError('PALIER_STORE_FAILED', 'the journal was rotated at each attempt')
      append((segment ?? enterNewest()).fd, line)
      pull()
    }
    bus.trustedUntil = listener === undefined ? 0 : clock.now() + trust
    if (segment !== undefined && segment.cursor >= segmentBytes) rotate(segment)
  }

  const start = async (): Promise<void> => {
    if (closed) throw new PalierError('PALIER_CLOSED', 'the bus is closed')
    const { network } = await options.open()
    if (network) bus.bound = trust = NETWORK_TRUST
  }

  const bus = {
    trustedUntil: 0,
    bound: TRUST,
    async attach(hearing: BusListener) {
      try {
        await start()
        if (segment === undefined) enterNewest()
        else pull()
        presence.show()
        listener = hearing
        bus.trustedUntil = clock.now() + trust
      } catch (error) {
        throw storeFailed('attach', dir, error)
      }
    },
    async publish(text: string) {
      try {
        await start()
        say(text)
      } catch (error) {
        throw storeFailed('publish', dir, error)
      }
    },
    poll() {
      if (closed || listener === undefined) return false
      try {
        pull()
        presence.show()
        bus.trustedUntil = clock.now() + trust
        return true
      } catch (error) {
        onFault('bus', error)
        return false
      }
    },
    peers() {
      try {
        return presence.count()
      } catch {
        // Without its directory a channel has only us.
        return 1
      }
    },
    async close() {
      if (closed) return
      closed = true
      bus.trustedUntil = 0
      listener = undefined
      if (segment !== undefined) fs.closeSync(segment.fd)
      segment = undefined
      try {
        presence.hide()
      } catch (error) {
        onFault('bus', error)
      }
    },
  }
  return bus
}
