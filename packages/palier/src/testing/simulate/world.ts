import { entryId, entryKey, NAMESPACE as NAMESPACE_STAMP, stampKey, tagStamp, typeStamp } from '../../key.ts'
import type { Receipt } from '../../invalidate.ts'

import { TRUST } from './bus.ts'
import { type Checker, createChecker, type Mutation } from './checker.ts'
import { type Command, GROUPS, KEYS, WINDOW } from './commands.ts'
import {
  endLife,
  type Host,
  invalidate,
  type Life,
  NAMESPACE,
  type Operation,
  type Part,
  read,
  startLife,
} from './node.ts'
import { createRandom, type Random } from './random.ts'
import { createJournals } from './disk.ts'
import { createServer, noData, type Server, SOUND } from './server.ts'
import { createTimeline, type Timeline } from './timeline.ts'
import { LATENCY } from './wire.ts'

export interface WorldOptions {
  readonly seed: number
  readonly nodes: number
  readonly without: ReadonlySet<Part>
  /** Called with what happens, when somebody wants to read it. */
  readonly note: ((at: number, node: number, text: string) => void) | undefined
}

export interface World {
  readonly timeline: Timeline
  readonly checker: Checker
  readonly random: Random
  readonly lives: (Life | undefined)[]
  run(command: Command): void
  /** Ends every fault, lets time pass, and compares what every process gives with the database. */
  settle(): Promise<void>
  /** Closes the caches and looks what they leave behind. */
  close(): Promise<void>
  readonly counts: Record<string, number>
  fail(error: unknown): void
}

/** How long another process may go on with what it has: two ways, and some time to compute. */
const DELTA = 2 * LATENCY + 20
/** After a fault, how long until everything works as if there had been none. */
const RECOVERY = 5_000
/** From the end of all faults until every process must give current data. */
const SETTLE = 10_000
/** How long a process may serve what it had or filled while it was cut off, at the most. */
const OUTAGE = 15_000

/** Budgets of calls, in milliseconds: a few calls to the store, and the search for it at the start. */
const READ_LIMIT = 4_000
const WRITE_LIMIT = 6_000
/** Another process's load is waited for so long. */
const LOAD_LIMIT = 14_000

/** A value on its way into the cache, put there by a caller. */
interface Setting {
  readonly life: Life
  readonly version: number
  /** When the source changed again since its call; infinite if it did not. */
  racedAt: number
}

type Of<D extends Command['do']> = Extract<Command, { do: D }>

export function createWorld({ seed, nodes, without, note }: WorldOptions): World {
  const random = createRandom(seed, 2)
  const counts: Record<string, number> = {}
  const timeline = createTimeline(error => fail(error))
  const now = (): number => timeline.now()
  /** All processes on one host, each on its own, or without a directory at all. */
  const hosting = random.pick(['one host', 'own hosts', 'no directory'])
  const checker = createChecker({ nodes, now, journal: hosting !== 'no directory' })
  const lives: (Life | undefined)[] = []
  const numbers = Array.from({ length: nodes }, () => 0)
  /** Faults that go on, each with what ends it. */
  const faults = new Set<() => void>()
  /** When the last fault of each process ended; infinite while one goes on. */
  const troubled = Array.from({ length: nodes }, () => Number.NEGATIVE_INFINITY)
  const troubles = Array.from({ length: nodes }, () => 0)
  let rewoundAt = Number.NEGATIVE_INFINITY
  const wroteAt = new Map<string, number>()
  /** Sets under way, one per key at the most. */
  const setting = new Map<number, Setting>()

  const server = (number: number, data = noData()): Server =>
    createServer(`run ${number}`, data, {
      flaws: { lease: without.has('lease'), stamps: without.has('stamps') },
      now,
      wrote: (node, key) => void wroteAt.set(`${node} ${key}`, now()),
    })
  let data = noData()
  let servers = 1
  let primary = server(servers, data)

  function fail(error: unknown): void {
    checker.fail('unhandled', -1, undefined, error instanceof Error ? (error.stack ?? error.message) : String(error))
  }

  const say = note && ((node: number, text: () => string): void => note(now(), node, text()))
  const host = (number: number): Host => ({
    disk: createServer(`disk ${number}`, noData(), { flaws: SOUND, now, wrote: () => undefined }),
    journals: createJournals(timeline, random.fork(5000 + number)),
  })
  const hosts =
    hosting === 'no directory' ? [] : Array.from({ length: hosting === 'one host' ? 1 : nodes }, (_none, i) => host(i))
  const outage = {
    ttl: random.pick([10_000, 10_000, 2000, 0]),
    serveFor: random.pick([0, 0, 4000]),
    maxPending: random.pick([10_000, 10_000, 3]),
  }
  const hostOf = (node: number): Host | undefined => hosts[node % Math.max(1, hosts.length)]
  const parts = { timeline, random, checker, without, outage, note: say, hostOf, primary: () => primary }

  const start = (node: number): void => {
    const number = numbers[node] ?? 0
    numbers[node] = number + 1
    lives[node] = startLife(parts, node, number)
  }

  /** Begins a fault that ends by itself after `ms`, or when everything is made well. */
  const fault = (concerned: readonly number[], ms: number, end: () => void): void => {
    const finish = (): void => {
      if (!faults.delete(finish)) return
      cancel()
      end()
      for (const node of concerned) {
        troubles[node] = (troubles[node] ?? 0) - 1
        troubled[node] = troubles[node] === 0 ? now() : Number.POSITIVE_INFINITY
      }
    }
    faults.add(finish)
    for (const node of concerned) {
      troubles[node] = (troubles[node] ?? 0) + 1
      troubled[node] = Number.POSITIVE_INFINITY
    }
    const cancel = timeline.after(ms, finish)
  }
  const everybody = numbers.map((_number, node) => node)
  const calmSince = (node: number, instant: number): boolean => (troubled[node] ?? 0) + RECOVERY <= instant

  /** Counts what is owed to others by an acknowledged invalidation, once it is owed. */
  const owe = (mutation: Mutation): void => {
    const { calledAt, node } = mutation
    const stands = (): boolean => rewoundAt < calledAt
    timeline.after(DELTA, () => {
      if (!calmSince(node, calledAt) || !stands()) return
      if (everybody.every(one => calmSince(one, calledAt))) checker.raise(mutation)
      else
        timeline.after(TRUST + OUTAGE + DELTA, () => {
          if (stands()) checker.raise(mutation)
        })
    })
  }

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
    const over = (): boolean => {
      const took = now() - operation.begunAt
      if (!life.open.delete(operation) || life.dead) return true
      counts['slowest'] = Math.max(counts['slowest'] ?? 0, took / limit)
      if (took > limit) checker.fail('latency', life.node, undefined, `${shown(command)} took ${took.toFixed(0)} ms`)
      return false
    }
    call().then(
      result => {
        if (!over()) done(result)
      },
      (error: unknown) => {
        if (!over()) fail(error)
      },
    )
  }

  function runRead(life: Life, command: Of<'read'>): void {
    const reading = checker.beginRead(life.node, life.number, command.how === 'fresh')
    const loads = command.how === 'getOrSet' || command.how === 'fresh' || command.how === 'getOrSetMany'
    follow(
      life,
      command,
      loads ? LOAD_LIMIT + command.load : READ_LIMIT,
      () => read(life, checker, command),
      found => {
        say?.(
          life.node,
          () =>
            `got ${found.map(([key, value]) => `${KEYS[key]?.key}=${(value as { v?: number })?.v ?? '-'}`).join(' ')} for the ${command.how} of ${reading.begunAt.toFixed(1)}`,
        )
        for (const [key, value] of found) checker.endRead(reading, key, value)
      },
    )
  }

  /** Where an invalidation must have left its trace at the server before it may be called acknowledged. */
  const tracesOf = (group: number): readonly string[] => {
    const { by, name, keys } = GROUPS[group] ?? { by: 'all', name: '', keys: [] }
    const stamp = (text: string): string => stampKey(NAMESPACE, text)
    if (by === 'key' || by === 'keys') return keys.map(fullKey)
    if (by === 'tag' || by === 'tags') return name.split(' ').map(tag => stamp(tagStamp(tag)))
    return [stamp(by === 'type' ? typeStamp(name) : NAMESPACE_STAMP)]
  }

  function mutate(
    life: Life,
    command: Command,
    keys: readonly number[],
    traces: readonly string[],
    isSet: boolean,
    call: () => Promise<Receipt>,
  ): void {
    const versions = new Map(keys.map(key => [key, checker.version(key)]))
    const mutation = checker.beginMutation(life.node, life.number, versions, isSet)
    follow(life, command, WRITE_LIMIT, call, receipt => {
      say?.(life.node, () => `receipt ${receipt.shared} for ${shown(command)} of ${mutation.calledAt.toFixed(1)}`)
      counts[receipt.shared] = (counts[receipt.shared] ?? 0) + 1
      checker.endMutation(mutation, receipt)
      if (receipt.shared !== 'acked') return
      for (const trace of traces) {
        if ((wroteAt.get(`${life.node} ${trace}`) ?? -1) >= mutation.calledAt) continue
        checker.fail('G6', life.node, undefined, `${shown(command)} is said to be acked; the server never did ${trace}`)
      }
      owe(mutation)
    })
  }

  function runSet(life: Life, command: Of<'set' | 'add' | 'touch' | 'expire'>): void {
    const { key: index } = command
    const { type, key, tags } = KEYS[index] ?? KEYS[0]
    const typed = life.cache.type(type)
    if (command.do === 'touch' || command.do === 'expire') {
      const verb = command.do
      return follow(
        life,
        command,
        WRITE_LIMIT,
        () => typed[verb](key),
        () => undefined,
      )
    }
    if (setting.has(index)) return undefined
    const isSet = command.do === 'set'
    const value = { k: index, v: isSet ? checker.change(index) : checker.version(index) }
    const own: Setting = { life, version: value.v, racedAt: Number.POSITIVE_INFINITY }
    setting.set(index, own)
    /** A value put there after the source had changed again is the application's own mistake, not the cache's. */
    const settled = (done: boolean): void => {
      setting.delete(index)
      if (own.racedAt === Number.POSITIVE_INFINITY) return
      const doneAt = done ? (wroteAt.get(`${life.node} ${fullKey(index)}`) ?? 0) : Number.POSITIVE_INFINITY
      checker.excuse(index, value.v, doneAt >= own.racedAt)
    }
    if (isSet) {
      return mutate(life, command, [index], [fullKey(index)], true, async () => {
        const receipt = await typed.set(key, value, { tags })
        if (!life.dead) settled(receipt.shared === 'acked')
        return receipt
      })
    }
    return follow(life, command, WRITE_LIMIT, () => typed.add(key, value, { tags }), settled)
  }

  function runInvalidation(life: Life, command: Of<'invalidate'>): void {
    const { keys } = GROUPS[command.group] ?? { keys: [] }
    keys.forEach((key, i) => {
      if ((command.changes & (1 << i)) === 0) return
      checker.change(key)
      const under = setting.get(key)
      if (under === undefined) return
      under.racedAt = Math.min(under.racedAt, now())
      checker.excuse(key, under.version, true)
    })
    mutate(life, command, keys, tracesOf(command.group), false, () => invalidate(life, command.group))
  }

  function breakWay(life: Life, command: Of<'cut' | 'hold'>): void {
    const { what, ms } = command
    const { wire, subscription } = life
    const commands = what === 'all' || what === 'commands'
    const messages = what === 'all' || what === 'messages'
    if (command.do === 'cut') {
      if (commands) wire.blocked = true
      if (messages) subscription.blocked = true
      if (commands) wire.cut('the connection broke')
      if (messages) subscription.cut('the connection broke')
      fault([life.node], ms, () => {
        wire.blocked = subscription.blocked = false
        wire.wake()
        subscription.wake()
      })
      return
    }
    if (commands) wire.hold(true, true)
    else if (what === 'answers') wire.hold(false, true)
    if (messages) subscription.hold()
    fault([life.node], ms, () => {
      if (command.breaks && what !== 'messages') wire.cut('the connection was dead')
      if (command.breaks && messages) subscription.cut('the connection was dead')
      wire.release()
      subscription.release()
    })
  }

  function failOver({ lag, down, silent }: Of<'failover'>): void {
    if (primary.silentSince < Number.POSITIVE_INFINITY) return
    const old = primary
    const takenBack = now() - Math.min(lag, lag > WINDOW ? lag : WINDOW)
    old.silentSince = now()
    if (!silent) {
      for (const life of lives) {
        life?.wire.cut('the server is gone')
        life?.subscription.cut('the server is gone')
      }
    }
    const promote = (): void => {
      primary = server(++servers, data)
      primary.rewind(takenBack)
      rewoundAt = now()
      checker.rewound(takenBack)
      say?.(-1, () => `another server, as of ${takenBack.toFixed(1)}`)
      for (const life of lives) {
        if (life === undefined) continue
        const { wire, subscription } = life
        // The first thing sent on an old connection comes back as an error.
        timeline.after(silent ? random.below(2000) : 0, () => {
          wire.stale(old)
          subscription.stale(old)
        })
        wire.wake()
        subscription.wake()
      }
    }
    fault(everybody, down, promote)
  }

  function crash({ node, down }: Of<'crash'>): void {
    const life = lives[node]
    if (life === undefined) return
    for (const [key, one] of setting) {
      if (one.life !== life) continue
      // Whether it arrived, and when, nobody knows.
      checker.excuse(key, one.version, true)
      setting.delete(key)
    }
    checker.died(node, life.number, life.cache.status().outbox.pending === 0, life.subscription.untoldSince())
    endLife(life)
    hostOf(node)?.journals.bury(life.name)
    lives[node] = undefined
    fault([node], down, () => start(node))
  }

  function run(command: Command): void {
    const node = 'node' in command ? command.node : -1
    say?.(node, () => `-- ${shown(command)}`)
    counts[command.do] = (counts[command.do] ?? 0) + 1
    if (command.do === 'failover') return failOver(command)
    if (command.do === 'crash') return crash(command)
    if (command.do === 'refuse') {
      primary.refuses = command.what
      return fault(everybody, command.ms, () => {
        primary.refuses = 'nothing'
      })
    }
    const life = lives[node]
    if (life === undefined || command.do === 'settle') return undefined
    switch (command.do) {
      case 'read':
        return runRead(life, command)
      case 'set':
      case 'add':
      case 'touch':
      case 'expire':
        return runSet(life, command)
      case 'invalidate':
        return runInvalidation(life, command)
      case 'cut':
      case 'hold':
        return breakWay(life, command)
      case 'slow':
        life.wire.slow = life.subscription.slow = command.by
        return fault([node], command.ms, () => {
          life.wire.slow = life.subscription.slow = 0
        })
      case 'lose':
        life.wire.lose(command.how, command.calls)
        return fault([node], 2000, () => life.wire.lose(command.how, 0))
      case 'drop':
        life.subscription.drop(command.messages)
        return fault([node], 2000, () => life.subscription.drop(0))
    }
  }

  const failed = (): boolean => checker.violations.length > 0

  /** What every process gives of every key, which must be what the database has. */
  async function compare(): Promise<void> {
    const jobs = lives.flatMap(life => (life === undefined ? [] : KEYS.map((_key, i) => ({ life, key: i }))))
    for (const how of ['getOrSet', 'get'] as const) {
      for (const { life, key } of jobs) {
        const command: Of<'read'> = { gap: 0, do: 'read', node: life.node, how, keys: [key], load: 1, fails: false }
        follow(
          life,
          command,
          2000,
          () => read(life, checker, command),
          ([found]) => {
            const version = (found?.[1] as { v?: number } | undefined)?.v
            if (version !== undefined) checker.settled(life.node, key, version)
          },
        )
      }
      await timeline.run(now() + 2500, failed)
    }
  }

  async function settle(): Promise<void> {
    say?.(-1, () => 'everything is made well')
    for (const finish of [...faults]) finish()
    await timeline.run(now() + SETTLE, failed)
    for (const life of lives) {
      if (life === undefined || failed()) continue
      const { pending } = life.cache.status().outbox
      if (pending > 0) checker.fail('G4', life.node, undefined, `${pending} invalidations still wait when all is well`)
    }
    if (!failed()) await compare()
    for (const life of lives) {
      if (failed() || life === undefined) continue
      for (const { command, begunAt, limit } of life.open) {
        if (begunAt + limit < now())
          checker.fail('latency', life.node, undefined, `${shown(command)} of ${begunAt.toFixed(1)} never settled`)
      }
    }
  }

  async function close(): Promise<void> {
    const closing = lives.map(async life => life?.cache.close())
    await timeline.run(now() + 3000)
    let open = closing.length
    for (const one of closing) one.then(() => open--, fail)
    await timeline.run(now() + 1)
    if (open > 0) checker.fail('latency', -1, undefined, `${open} caches do not close`)
    for (const life of lives) {
      const pending = life?.process.pending() ?? 0
      if (pending > 0) checker.fail('leak', life?.node ?? -1, undefined, `${pending} timers are left after close`)
    }
  }

  everybody.forEach(start)
  return { timeline, checker, random, lives, run, settle, close, counts, fail }
}

function fullKey(index: number): string {
  const { type, key } = KEYS[index] ?? KEYS[0]
  return entryKey(NAMESPACE, type, entryId(key))
}

/** A command as it is printed. */
export function shown(command: Command): string {
  const { gap: _gap, do: what, ...rest } = command
  const group = command.do === 'invalidate' ? GROUPS[command.group] : undefined
  return `${what} ${JSON.stringify(group === undefined ? rest : { node: command.do === 'invalidate' ? command.node : 0, by: group.by, name: group.name })}`
}
