import { PalierError } from '../../errors.ts'
import { recordHead } from '../../record.ts'
import type { Claim, Claimed, StoredRecord, Usage } from '../../store.ts'

/*
 * The simulated server: records with leases, each command atomic, and a log to take commands back by, because a
 * failover is a server that knows less. What it is told to refuse, it refuses as Redis does.
 */
export interface Server {
  /** Another one after each failover and restart. */
  readonly identity: string
  /** Since when it answers nobody, and says so to nobody either; infinite while it is well. */
  silentSince: number
  /** `sets`: out of memory, deletions go on. `writes`: read-only. */
  refuses: 'nothing' | 'sets' | 'writes'
  get(key: string): StoredRecord | undefined
  claim(node: number, key: string, claim: Claim): Claimed
  commit(node: number, key: string, token: string, bytes: Uint8Array, ttl: number): boolean
  renew(key: string, token: string, ttl: number): boolean
  release(key: string, token: string): void
  set(node: number, key: string, bytes: Uint8Array, ttl: number): void
  delete(node: number, keys: readonly string[]): void
  keys(prefix: string): readonly string[]
  usage(prefix: string): Usage
  /** Takes back whatever was done after `instant`. */
  rewind(instant: number): void
  /** Who listens to its messages. */
  readonly subscribers: Set<Subscriber>
  /** The number of the last message of each sender. */
  readonly spoken: Map<string, number>
}

export interface Published {
  readonly from: string
  readonly seq: number
  /** Undefined for a heartbeat. */
  readonly text: string | undefined
}

export interface Subscriber {
  send(message: Published): void
}

interface Stored {
  readonly bytes: Uint8Array
  readonly deadAt: number
}

interface Lease {
  readonly token: string
  readonly deadAt: number
}

interface Undo {
  readonly at: number
  readonly key: string
  readonly record: Stored | undefined
  readonly lease: Lease | undefined
}

/** It answers nobody. */
export function isSilent(server: Server): boolean {
  return server.silentSince < Number.POSITIVE_INFINITY
}

/** What of a server may be switched off, to show that the checker finds it. */
export interface ServerFlaws {
  /** Leases fence nothing. */
  readonly lease: boolean
  /** A stamp that is there is never replaced. */
  readonly stamps: boolean
}

export const SOUND: ServerFlaws = { lease: false, stamps: false }

/** What a server knows, and can hand on to the next. */
export interface Data {
  readonly records: Map<string, Stored>
  readonly leases: Map<string, Lease>
  readonly log: Undo[]
}

export function noData(): Data {
  return { records: new Map(), leases: new Map(), log: [] }
}

/** The same data for a server of its own. */
export function copyData({ records, leases, log }: Data): Data {
  return { records: new Map(records), leases: new Map(leases), log: [...log] }
}

function refusal(text: string): PalierError {
  return new PalierError('PALIER_STORE_REFUSED', text)
}

interface Surroundings {
  readonly flaws: ServerFlaws
  now(): number
  /** Told of every write and deletion that was carried out. */
  wrote(node: number, key: string): void
}

export function createServer(identity: string, { records, leases, log }: Data, around: Surroundings): Server {
  const { now, flaws } = around

  const record = (key: string): Stored | undefined => {
    const stored = records.get(key)
    return stored !== undefined && stored.deadAt > now() ? stored : undefined
  }
  const lease = (key: string): Lease | undefined => {
    const held = leases.get(key)
    return held !== undefined && held.deadAt > now() ? held : undefined
  }
  const put = (key: string, stored: Stored | undefined, held: Lease | undefined): void => {
    log.push({ at: now(), key, record: records.get(key), lease: leases.get(key) })
    restore(key, stored, held)
  }
  const restore = (key: string, stored: Stored | undefined, held: Lease | undefined): void => {
    if (stored === undefined) records.delete(key)
    else records.set(key, stored)
    if (held === undefined) leases.delete(key)
    else leases.set(key, held)
  }
  const owns = (key: string, token: string): boolean => flaws.lease || lease(key)?.token === token
  const write = (node: number, key: string, bytes: Uint8Array, ttl: number): void => {
    around.wrote(node, key)
    if (flaws.stamps && key.includes(':s:') && record(key) !== undefined) return
    put(key, { bytes: new Uint8Array(bytes), deadAt: now() + ttl }, undefined)
  }
  const mayWrite = (): void => {
    if (server.refuses === 'writes') throw refusal('READONLY You can not write against a read only replica.')
  }
  const maySet = (): void => {
    mayWrite()
    if (server.refuses === 'sets') throw refusal('OOM command not allowed')
  }
  const read = (key: string): StoredRecord | undefined => {
    const stored = record(key)
    return stored && { bytes: new Uint8Array(stored.bytes), remaining: stored.deadAt - now() }
  }

  const server: Server = {
    identity,
    silentSince: Number.POSITIVE_INFINITY,
    refuses: 'nothing',
    subscribers: new Set(),
    spoken: new Map(),
    get: read,
    claim(_node, key, { token, ttl, seen, steal }) {
      const stored = record(key)
      const wanting =
        stored === undefined || (seen !== undefined && Buffer.compare(recordHead(stored.bytes), seen) === 0)
      const free = flaws.lease || lease(key) === undefined
      const granted = steal === true || (wanting && free)
      if (granted) {
        maySet()
        put(key, records.get(key), { token, deadAt: now() + ttl })
      }
      return { record: read(key), granted }
    },
    commit(node, key, token, bytes, ttl) {
      maySet()
      if (!owns(key, token)) return false
      write(node, key, bytes, ttl)
      return true
    },
    renew(key, token, ttl) {
      maySet()
      if (lease(key)?.token !== token) return false
      put(key, records.get(key), { token, deadAt: now() + ttl })
      return true
    },
    release(key, token) {
      mayWrite()
      if (lease(key)?.token === token) put(key, records.get(key), undefined)
    },
    set(node, key, bytes, ttl) {
      maySet()
      write(node, key, bytes, ttl)
    },
    delete(node, keys) {
      mayWrite()
      for (const key of keys) {
        around.wrote(node, key)
        put(key, undefined, undefined)
      }
    },
    keys: prefix => [...records.keys()].filter(key => key.startsWith(prefix) && record(key) !== undefined),
    usage(prefix) {
      const keys = server.keys(prefix)
      return { entries: keys.length, bytes: keys.reduce((sum, key) => sum + (record(key)?.bytes.length ?? 0), 0) }
    },
    rewind(instant) {
      for (let last = log.at(-1); last !== undefined && last.at > instant; last = log.at(-1)) {
        log.pop()
        restore(last.key, last.record, last.lease)
      }
    },
  }
  return server
}
