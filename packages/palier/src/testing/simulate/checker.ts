import type { Receipt } from '../../invalidate.ts'
import { KEYS } from './commands.ts'

/*
 * What must be true. The database is a version number per key, which only grows, so "older than" is a comparison. Each
 * process has a floor per key: the version below which no read that begins there now may fall.
 */
export interface Violation {
  /** The promise of docs/guarantees.md that was broken. */
  readonly promise: 'G1' | 'G2/G3' | 'G4' | 'G6' | 'latency' | 'wrong' | 'unhandled' | 'leak'
  readonly node: number
  readonly key: string | undefined
  /** Milliseconds of virtual time. */
  readonly at: number
  readonly text: string
}

/** A value in the cache: which key it is of, and the version it was. */
export interface Value {
  readonly k: number
  readonly v: number
}

/** An invalidation or a set, from its call on. */
export interface Mutation {
  readonly node: number
  readonly life: number
  readonly calledAt: number
  /** The version of each key concerned when it was called. */
  readonly versions: ReadonlyMap<number, number>
  readonly isSet: boolean
  resolved: boolean
  /** When its effect was certainly at the server, or could have been at the latest; undefined while it may wait. */
  ackedAt: number | undefined
  /** A failover undid it: whether its process has repeated it by now nobody knows. */
  undone: boolean
  /** The last moment at which another process that is gone too may have delivered it. */
  inheritedUntil: number | undefined
  /** A failover undid it after its process was gone: nobody is left to repeat it. */
  excused: boolean
}

export interface Reading {
  readonly node: number
  readonly life: number
  readonly begunAt: number
  /** What the process itself had invalidated by then. */
  readonly own: readonly number[]
  /** What the others had. */
  readonly common: readonly number[]
  /** Failovers until then that took something back. */
  readonly rewinds: number
  readonly atLeast: readonly number[]
}

export interface Checker {
  readonly violations: Violation[]
  /** The present version of a key in the database. */
  version(key: number): number
  change(key: number): number
  beginRead(node: number, life: number, isFresh: boolean): Reading
  endRead(reading: Reading, key: number, value: unknown): void
  beginMutation(node: number, life: number, versions: ReadonlyMap<number, number>, isSet: boolean): Mutation
  endMutation(mutation: Mutation, receipt: Receipt): void
  /** This version may be seen at any time, or may not after all: its application put it there, maybe too late. */
  excuse(key: number, version: number, excused: boolean): void
  /** Every process must see at least this from now on. */
  raise(mutation: Mutation): void
  /** A failover took back what was done after `instant`. */
  rewound(instant: number): void
  /** The process died; `drained`: nothing waited in it; `untoldSince`: what it did from then on it may have told nobody. */
  died(node: number, life: number, drained: boolean, untoldSince: number): void
  /** What a process gives of a key when all is well. */
  settled(node: number, key: number, version: number): void
  fail(promise: Violation['promise'], node: number, key: number | undefined, text: string): void
}

interface Options {
  readonly nodes: number
  /** What waits in a process survives it. */
  readonly journal: boolean
  now(): number
}

/** No process: of those that may not see a loose value. */
const NOBODY = -1

export function createChecker({ nodes, journal, now }: Options): Checker {
  const violations: Violation[] = []
  const versions = KEYS.map(() => 1)
  let latest = 1
  const zeros = (): number[] => KEYS.map(() => 0)
  /** What a process has itself invalidated; ends with it. */
  const own = Array.from({ length: nodes }, zeros)
  /** What the others have, once it is owed to everybody. */
  let common: readonly number[] = zeros()
  let rewinds = 0
  const mutations: Mutation[] = []
  const gone = new Map<Mutation, number>()
  /** Values a set put there that may have failed: its process alone knows whether. Or any process may see them. */
  const loose = new Map<string, number>()

  const fail: Checker['fail'] = (promise, node, key, text) => {
    const named = key === undefined ? undefined : KEYS[key]
    violations.push({ promise, node, key: named && `${named.type}:${named.key}`, at: now(), text })
  }

  const counts = (mutation: Mutation): boolean => {
    if (!mutation.resolved || mutation.excused) return false
    return !gone.has(mutation) || mutation.ackedAt !== undefined || journal
  }

  return {
    violations,
    fail,
    version: key => versions[key] ?? 0,
    change(key) {
      versions[key] = ++latest
      return latest
    },
    beginRead: (node, life, isFresh) => ({
      node,
      life,
      begunAt: now(),
      own: [...(own[node] ?? [])],
      common,
      rewinds,
      atLeast: isFresh ? [...versions] : zeros(),
    }),
    endRead(reading, key, value) {
      if (value === undefined) return
      const { node, begunAt, atLeast } = reading
      const { k, v } = value as Value
      const mine = reading.own[key] ?? 0
      // Between a failover and the return of whoever deleted, the others may see what it took back.
      const floor = Math.max(mine, rewinds === reading.rewinds ? (reading.common[key] ?? 0) : 0)
      const current = versions[key] ?? 0
      const what = `a read begun at ${begunAt.toFixed(1)} gave version ${v}`
      if (k !== key || v > current) return fail('wrong', node, key, `${what} of k${k}; the database has ${current}`)
      const setter = loose.get(`${key} ${v}`)
      if (setter !== undefined && setter !== node) return undefined
      if (v < (atLeast[key] ?? 0))
        return fail('wrong', node, key, `${what}, asked for anew when ${atLeast[key]} was there`)
      if (v >= floor) return undefined
      const promise = v < mine ? 'G1' : 'G2/G3'
      return fail(promise, node, key, `${what}; ${floor} was invalidated before`)
    },
    beginMutation(node, life, concerned, isSet) {
      const mutation = { node, life, calledAt: now(), versions: concerned, isSet }
      const begun: Mutation = {
        ...mutation,
        resolved: false,
        ackedAt: undefined,
        undone: false,
        inheritedUntil: undefined,
        excused: false,
      }
      mutations.push(begun)
      return begun
    },
    endMutation(mutation, { shared }) {
      mutation.resolved = true
      if (shared === 'acked') mutation.ackedAt = now()
      for (const [key, version] of mutation.versions) {
        const floors = own[mutation.node]
        if (floors !== undefined) floors[key] = Math.max(floors[key] ?? 0, version)
        const name = `${key} ${version}`
        if (mutation.isSet && shared !== 'acked' && !loose.has(name)) loose.set(name, mutation.node)
      }
    },
    excuse(key, version, excused) {
      if (excused) loose.set(`${key} ${version}`, NOBODY)
      else loose.delete(`${key} ${version}`)
    },
    raise(mutation) {
      common = common.map((floor, key) => Math.max(floor, mutation.versions.get(key) ?? 0))
    },
    rewound(instant) {
      common = zeros()
      rewinds++
      for (const one of mutations) if (!gone.has(one) && (one.ackedAt ?? now()) > instant) one.undone = true
      for (const [mutation, diedAt] of gone) {
        if ((mutation.ackedAt ?? mutation.inheritedUntil ?? diedAt) > instant) mutation.excused = true
      }
    },
    died(node, life, drained, untoldSince) {
      own[node] = zeros()
      // It may have delivered what others left behind, and nobody knows that now.
      for (const mutation of gone.keys()) mutation.inheritedUntil = now()
      for (const mutation of mutations) {
        if (mutation.node !== node || mutation.life !== life) continue
        if (drained && mutation.resolved) mutation.ackedAt ??= now()
        if (mutation.undone || (mutation.ackedAt ?? now()) >= untoldSince) mutation.excused = true
        gone.set(mutation, now())
      }
    },
    settled(node, key, version) {
      if (loose.get(`${key} ${version}`) === NOBODY) return
      const owed = mutations.filter(one => counts(one) && (one.versions.get(key) ?? 0) > version)
      const [first] = owed
      if (first === undefined) return
      const { calledAt, ackedAt } = first
      const who = `n${first.node}.${first.life} at ${calledAt.toFixed(1)}, ${ackedAt === undefined ? 'pending' : `acked at ${ackedAt.toFixed(1)}`}`
      fail('G4', node, key, `version ${version} when all is well; ${first.versions.get(key)} was invalidated by ${who}`)
    },
  }
}
