import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { decodeRecord } from '../../record.ts'
import type { StoredRecord } from '../../store.ts'
import type { Times } from './times.ts'

/*
 * Where things lie in the directory of a file store:
 *
 *   CACHEDIR.TAG             tells backup programs to leave the directory out
 *   v1/ab/<64 hex>           one entry: the SHA-256 of its key; `ab` are the first two digits
 *   v1/ab/<64 hex>.l/        the lease of that entry, a directory with the ticket of its holder (lease.ts)
 *   v1/ab/<64 hex>.<id>.t    an entry being written;  .c a lease being made
 *   state/                   the ledger of the budgets and the sweeper's lease
 *   state/keep               while it is there, nothing alive is taken away for room, whoever sweeps
 *   bus/<channel>/           the journal through which caches hear of each other (journal.ts)
 *
 * An entry file is a frame and the record. The frame keeps what only the store needs, the end of the entry, so that a
 * record is stored byte for byte as it came:
 *
 *   0  'PLF1'      4 bytes
 *   4  crc32       u32, of bytes 8..23
 *   8  expiresAt   f64, milliseconds since 1970
 *  16  ttl         f64, milliseconds: an entry never lives longer from now on than this, whatever the clock did
 */
export const FRAME_BYTES = 24
export const SHARDS = 256

const MAGIC = 0x504c4631
/** The newest that `decodeRecord` knows. */
const RECORD_VERSION = 2
const ENTRY_NAME = /^[0-9a-f]{64}$/
const LEASE_NAME = /^[0-9a-f]{64}\.l$/
const DEBRIS_NAME = /^[0-9a-f]{64}\.[0-9a-z-]+\.([tc])$/

export type NameKind = 'entry' | 'lease' | 'temporary' | 'prepared' | 'foreign'

/** What a name inside a shard stands for; whatever the store would not have written is foreign and left alone. */
export function nameKind(name: string): NameKind {
  if (ENTRY_NAME.test(name)) return 'entry'
  if (LEASE_NAME.test(name)) return 'lease'
  const debris = DEBRIS_NAME.exec(name)
  if (debris === null) return 'foreign'
  return debris[1] === 't' ? 'temporary' : 'prepared'
}

export interface Layout {
  readonly dir: string
  readonly tag: string
  readonly entries: string
  readonly state: string
  readonly ledger: string
  readonly sweeper: string
  readonly keep: string
  readonly bus: string
  /** The directory of a shard, 0 to 255. */
  shard(index: number): string
  entry(key: string): string
  /** A name no other process and no other call uses: `<path>.<unique>.<kind>`. */
  beside(path: string, kind: 't' | 'c'): string
}

export const shardOf = (entryPath: string): string => entryPath.slice(0, -65)

export function createLayout(dir: string): Layout {
  const entries = `${dir}/v1`
  const state = `${dir}/state`
  const unique = `${process.pid.toString(36)}-${randomBytes(5).toString('hex')}`
  let count = 0
  return {
    dir,
    tag: `${dir}/CACHEDIR.TAG`,
    entries,
    state,
    ledger: `${state}/ledger`,
    sweeper: `${state}/sweeper`,
    keep: `${state}/keep`,
    bus: `${dir}/bus`,
    shard: index => `${entries}/${index.toString(16).padStart(2, '0')}`,
    entry(key) {
      const name = hash('sha256', key, 'hex')
      return `${entries}/${name.slice(0, 2)}/${name}`
    },
    beside: (path, kind) => `${path}.${unique}-${(count++).toString(36)}.${kind}`,
  }
}

export function encodeFrame(expiresAt: number, ttl: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_BYTES)
  frame.writeUInt32BE(MAGIC, 0)
  frame.writeDoubleBE(expiresAt, 8)
  frame.writeDoubleBE(ttl, 16)
  frame.writeUInt32BE(crc32(frame.subarray(8, FRAME_BYTES)), 4)
  return frame
}

const isFrame = (view: Buffer): boolean =>
  view.length >= FRAME_BYTES &&
  view.readUInt32BE(0) === MAGIC &&
  view.readUInt32BE(4) === crc32(view.subarray(8, FRAME_BYTES))

/** Milliseconds the entry still has; 0 or less when it expired or `view` does not begin with a frame. */
export function remainingOf(view: Buffer, times: Times): number {
  return isFrame(view) ? times.remaining(view.readDoubleBE(8), view.readDoubleBE(16)) : 0
}

/** A record of a newer version, by its third byte, is not ours to judge: a newer process may have written it. */
const isNewer = (body: Buffer): boolean =>
  body.length > 2 && body[0] === 0x50 && body[1] === 0x4c && (body[2] ?? 0) > RECORD_VERSION

/**
 * The record of `key` in a whole file; undefined when it expired, `damaged` when the file does not verify or is that
 * of another key. `owned` says that `view` may be given away instead of copied.
 */
export function openFrame(
  view: Buffer,
  owned: boolean,
  key: string,
  times: Times,
): StoredRecord | 'damaged' | undefined {
  if (!isFrame(view)) return 'damaged'
  const remaining = times.remaining(view.readDoubleBE(8), view.readDoubleBE(16))
  if (!(remaining > 0)) return undefined
  const body = view.subarray(FRAME_BYTES)
  if (decodeRecord(body)?.key !== key) return isNewer(body) ? undefined : 'damaged'
  if (owned) return { bytes: body, remaining }
  const bytes = Buffer.allocUnsafe(body.length)
  body.copy(bytes)
  return { bytes, remaining }
}

/** Disk usage of a file of `size` bytes: whole blocks. */
export function diskBytes(size: number): number {
  return Math.ceil(size / 4096) * 4096
}
