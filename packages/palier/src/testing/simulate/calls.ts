import type { Receipt } from '../../invalidate.ts'
import { entryId, entryKey, NAMESPACE as NAMESPACE_STAMP, stampKey, tagStamp, typeStamp } from '../../key.ts'
import { TRUST } from './bus.ts'
import type { Mutation } from './checker.ts'
import { type Command, GROUPS, KEYS, type Of, shown } from './commands.ts'
import type { Faults } from './faults.ts'
import { invalidate, type Life, NAMESPACE, type Operation, read } from './node.ts'
import { LATENCY } from './wire.ts'
import type { World } from './world.ts'

/** What callers do, and what they are owed for it. */
export interface Calls {
  run(command: Command): void
  /** A read whose result is looked at by the caller too. */
  read(life: Life, command: Of<'read'>, limit: number, found?: (key: number, version: number) => void): void
  /** The process is about to be killed: what it was doing is over, whatever came of it. */
  forget(life: Life): void
}

/** How long another process may go on with what it has: two ways, and some time to compute. */
const DELTA = 2 * LATENCY + 20
/** How long a process may serve what it had or filled while it was cut off, at the most. */
const OUTAGE = 15_000
/** Budgets of calls, in milliseconds: a few calls to the store, and the search for it at the start. */
const READ_LIMIT = 4_000
const WRITE_LIMIT = 6_000
/** Another process's load is waited for so long, and then there may be the longest load in this one. */
const LOAD_LIMIT = 24_000

/** A value on its way into the cache, put there by a caller. */
interface Setting {
  readonly life: Life
  readonly version: number
  readonly calledAt: number
  /** When the source changed again since its call; infinite if it did not. */
  racedAt: number
}

export function createCalls(world: World, faults: Faults): Calls {
  const { timeline, checker, lives, say, now } = world
  /** Sets under way, one per key at the most: an application that sets values must agree with itself on their order. */
  const setting = new Map<number, Setting>()

  /** Follows a call until it settles. */
  function follow<T>(
    life: Life,
    command: Command,
    limit: number,
    call: () => Promise<T>,
    done: (result: T) => void,
  ): void {
    const operation: Operation = { command, begunAt: now(), limit }
    life.open.add(operation)
    const isOver = (): boolean => {
      const took = now() - operation.begunAt
      if (!life.open.delete(operation) || life.dead) return false
      if (took > limit) checker.fail('latency', life.node, undefined, `${shown(command)} took ${took.toFixed(0)} ms`)
      return true
    }
    call().then(
      result => {
        if (isOver()) done(result)
      },
      (error: unknown) => {
        if (isOver()) world.fail(error)
      },
    )
  }

  const readNow: Calls['read'] = (life, command, limit, told) => {
    const reading = checker.beginRead(life.node, life.number, command.how === 'fresh')
    const call = (): Promise<readonly [number, unknown][]> => read(life, checker, command)
    follow(life, command, limit, call, found => {
      say?.(life.node, () => `${command.how} of ${reading.begunAt.toFixed(1)} got ${found.map(shownValue).join(' ')}`)
      for (const [key, value] of found) {
        checker.endRead(reading, key, value)
        if (value !== undefined) told?.(key, (value as { v: number }).v)
      }
    })
  }

  /** Counts what is owed to others by an acknowledged invalidation, once it is owed. */
  function owe(mutation: Mutation): void {
    const { calledAt, node } = mutation
    timeline.after(DELTA, () => {
      // Whoever could not tell the others owes it to them when all is well.
      if (!faults.wasCalm(node, calledAt) || !faults.isKept(calledAt)) return
      if (lives.every((_life, one) => faults.wasCalm(one, calledAt))) return checker.raise(mutation)
      timeline.after(TRUST + OUTAGE + DELTA, () => {
        if (faults.isKept(calledAt)) checker.raise(mutation)
      })
    })
  }

  /** Begins what a receipt is given for; `traces` are the keys at the server that an acknowledgement vouches for. */
  function mutate(
    life: Life,
    command: Command,
    keys: readonly number[],
    traces: readonly string[],
    call: () => Promise<Receipt>,
  ): void {
    const versions = new Map(keys.map(key => [key, checker.version(key)]))
    const mutation = checker.beginMutation(life.node, life.number, versions, command.do === 'set')
    const { calledAt } = mutation
    follow(life, command, WRITE_LIMIT, call, receipt => {
      say?.(life.node, () => `receipt ${receipt.shared} for ${shown(command)} of ${calledAt.toFixed(1)}`)
      world.count(receipt.shared)
      checker.endMutation(mutation, receipt)
      if (receipt.shared !== 'acked') return
      for (const trace of traces) {
        if (world.wroteAt(life.node, trace, 'server') >= calledAt) continue
        checker.fail('G6', life.node, undefined, `${shown(command)} was acked, and the server never did ${trace}`)
      }
      owe(mutation)
    })
  }

  /** A value put there after the source had changed again is the application's own mistake, not the cache's. */
  function settleSet(index: number, own: Setting, done: boolean): void {
    setting.delete(index)
    if (own.racedAt === Number.POSITIVE_INFINITY) return
    const doneAt = world.wroteAt(own.life.node, fullKey(index), 'anywhere')
    const wasInTime = done && doneAt >= own.calledAt && doneAt < own.racedAt
    checker.excuse(index, own.version, !wasInTime)
  }

  function set(life: Life, command: Of<'set' | 'add'>): void {
    const { key: index } = command
    if (setting.has(index)) return
    const { type, key, tags } = KEYS[index] ?? KEYS[0]
    const typed = life.cache.type(type)
    const isSet = command.do === 'set'
    const version = isSet ? checker.change(index) : checker.version(index)
    const value = { k: index, v: version }
    const own: Setting = { life, version, calledAt: now(), racedAt: Number.POSITIVE_INFINITY }
    setting.set(index, own)
    if (!isSet) {
      const call = (): Promise<boolean> => typed.add(key, value, { tags })
      return follow(life, command, WRITE_LIMIT, call, added => settleSet(index, own, added))
    }
    return mutate(life, command, [index], [fullKey(index)], async () => {
      const receipt = await typed.set(key, value, { tags })
      if (!life.dead) settleSet(index, own, receipt.shared === 'acked')
      return receipt
    })
  }

  function renew(life: Life, command: Of<'touch' | 'expire'>): void {
    const { type, key } = KEYS[command.key] ?? KEYS[0]
    const typed = life.cache.type(type)
    const call = (): Promise<boolean> => (command.do === 'touch' ? typed.touch(key) : typed.expire(key))
    follow(life, command, WRITE_LIMIT, call, () => undefined)
  }

  function drop(life: Life, command: Of<'invalidate'>): void {
    const { keys } = GROUPS[command.group] ?? GROUPS[0]
    keys.forEach((key, i) => {
      if ((command.changes & (1 << i)) === 0) return
      checker.change(key)
      const under = setting.get(key)
      if (under === undefined) return
      under.racedAt = Math.min(under.racedAt, now())
      checker.excuse(key, under.version, true)
    })
    mutate(life, command, keys, tracesOf(command.group), () => invalidate(life, command.group))
  }

  return {
    run(command) {
      const life = 'node' in command ? lives[command.node] : undefined
      if (life === undefined) return undefined
      switch (command.do) {
        case 'read':
          return readNow(life, command, LOADS.has(command.how) ? LOAD_LIMIT + command.load : READ_LIMIT)
        case 'set':
        case 'add':
          return set(life, command)
        case 'touch':
        case 'expire':
          return renew(life, command)
        case 'invalidate':
          return drop(life, command)
        default:
          return undefined
      }
    },
    read: readNow,
    forget(life) {
      for (const [key, own] of setting) {
        if (own.life !== life) continue
        // Whether it arrived, and when, nobody knows.
        checker.excuse(key, own.version, true)
        setting.delete(key)
      }
    },
  }
}

const LOADS: ReadonlySet<string> = new Set(['getOrSet', 'fresh', 'getOrSetMany'])

function fullKey(index: number): string {
  const { type, key } = KEYS[index] ?? KEYS[0]
  return entryKey(NAMESPACE, type, entryId(key))
}

/** Where an invalidation must have left its trace at the server before it may be called acknowledged. */
function tracesOf(group: number): readonly string[] {
  const { by, name, keys } = GROUPS[group] ?? GROUPS[0]
  const stamp = (text: string): string => stampKey(NAMESPACE, text)
  if (by === 'key' || by === 'keys') return keys.map(fullKey)
  if (by === 'tag' || by === 'tags') return name.split(' ').map(tag => stamp(tagStamp(tag)))
  return [stamp(by === 'type' ? typeStamp(name) : NAMESPACE_STAMP)]
}

function shownValue([key, value]: [number, unknown]): string {
  return `${KEYS[key]?.key}=${value === undefined ? 'nothing' : (value as { v: number }).v}`
}
