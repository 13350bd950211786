import type { Bus } from '../bus.ts'
import type { Clock } from '../clock.ts'
import { PalierError } from '../errors.ts'
import type { SharedStore } from '../store.ts'

/** What a fault may be put on: the calls of a store, those of the buses it opens, its locks and its limits. `close` never fails. */
export type FaultTarget =
  | 'get'
  | 'getMany'
  | 'claim'
  | 'commit'
  | 'renew'
  | 'release'
  | 'set'
  | 'delete'
  | 'scan'
  | 'usage'
  | 'sweep'
  | 'attach'
  | 'publish'
  | 'locks.acquire'
  | 'locks.renew'
  | 'locks.release'
  | 'limits.take'
  | 'limits.count'
  | 'limits.reset'

/** A fault to begin with. */
export type FaultRule =
  | { readonly fault: 'fail' | 'lose'; readonly on: FaultTarget | '*'; readonly times?: number; readonly error?: Error }
  | { readonly fault: 'hang'; readonly on: FaultTarget | '*' }
  | { readonly fault: 'delay'; readonly on: FaultTarget | '*'; readonly ms: number; readonly clock: Clock }

/**
 * A store whose calls fail when told to. A fault on a method stands before one on `*`, and a new fault on the same
 * target replaces the old one.
 */
export interface FaultyStore extends SharedStore {
  /** Calls are not carried out and reject, the next `times` of them or until `heal`. */
  fail(on: FaultTarget | '*', times?: number, error?: Error): void
  /** Calls are carried out and reject all the same: the answer was lost on its way. */
  lose(on: FaultTarget | '*', times?: number, error?: Error): void
  /** Calls are not carried out and do not settle until `heal`, which makes them reject. */
  hang(on: FaultTarget | '*'): void
  /** Calls are carried out `ms` later, whoever still waits for them. */
  delay(on: FaultTarget | '*', ms: number, clock: Clock): void
  /** Ends every fault. Calls that hang reject now; delayed ones keep their time. */
  heal(): void
  /** How often the target was called, faults included; `*` for all together. */
  calls(on: FaultTarget | '*'): number
  /** Calls that hang at present. */
  hanging(): number
}

type Fault =
  | { readonly kind: 'fail' | 'lose'; left: number; readonly error: Error }
  | { readonly kind: 'hang' }
  | { readonly kind: 'delay'; readonly ms: number; readonly clock: Clock }

type Gate = <T>(on: FaultTarget, call: () => Promise<T>) => Promise<T>

type Controls = Pick<FaultyStore, 'fail' | 'lose' | 'hang' | 'delay' | 'heal' | 'calls' | 'hanging'>

export function faulty(store: SharedStore, script: readonly FaultRule[] = []): FaultyStore {
  const { gate, controls } = createGate()
  for (const rule of script) {
    if (rule.fault === 'hang') controls.hang(rule.on)
    else if (rule.fault === 'delay') controls.delay(rule.on, rule.ms, rule.clock)
    else controls[rule.fault](rule.on, rule.times, rule.error)
  }
  const { sweep } = store
  return {
    ...controls,
    name: store.name,
    get: key => gate('get', () => store.get(key)),
    getMany: keys => gate('getMany', () => store.getMany(keys)),
    claim: (key, claim) => gate('claim', () => store.claim(key, claim)),
    commit: (key, token, bytes, ttl) => gate('commit', () => store.commit(key, token, bytes, ttl)),
    renew: (key, token, ttl) => gate('renew', () => store.renew(key, token, ttl)),
    release: (key, token) => gate('release', () => store.release(key, token)),
    set: (key, bytes, ttl) => gate('set', () => store.set(key, bytes, ttl)),
    delete: keys => gate('delete', () => store.delete(keys)),
    async *scan(prefix) {
      await gate('scan', () => Promise.resolve())
      yield* store.scan(prefix)
    },
    usage: prefix => gate('usage', () => store.usage(prefix)),
    ...(sweep === undefined ? {} : { sweep: () => gate('sweep', () => sweep.call(store)) }),
    openBus: channel => faultyBus(store.openBus(channel), gate),
    locks: {
      acquire: (name, owner, ttl) => gate('locks.acquire', () => store.locks.acquire(name, owner, ttl)),
      renew: (name, owner, ttl) => gate('locks.renew', () => store.locks.renew(name, owner, ttl)),
      release: (name, owner) => gate('locks.release', () => store.locks.release(name, owner)),
    },
    limits: {
      take: (key, rate, cost) => gate('limits.take', () => store.limits.take(key, rate, cost)),
      count: (key, window, cost, penalty) => gate('limits.count', () => store.limits.count(key, window, cost, penalty)),
      reset: key => gate('limits.reset', () => store.limits.reset(key)),
    },
    close: () => store.close(),
  }
}

function faultyBus(bus: Bus, gate: Gate): Bus {
  return {
    get trustedUntil() {
      return bus.trustedUntil
    },
    bound: bus.bound,
    attach: listener => gate('attach', () => bus.attach(listener)),
    publish: text => gate('publish', () => bus.publish(text)),
    poll: () => bus.poll(),
    peers: () => bus.peers(),
    close: () => bus.close(),
  }
}

function refusal(what: string): Error {
  return new PalierError('PALIER_STORE_FAILED', `${what}, as the test asked`)
}

function createGate(): { readonly gate: Gate; readonly controls: Controls } {
  const faults = new Map<FaultTarget | '*', Fault>()
  const counts = new Map<FaultTarget | '*', number>()
  const hung = new Set<() => void>()
  const count = (on: FaultTarget | '*'): void => void counts.set(on, (counts.get(on) ?? 0) + 1)

  /** The fault this call meets; one that was to last a number of calls is used up by it. */
  const meet = (on: FaultTarget): Fault | undefined => {
    const target = faults.has(on) ? on : '*'
    const fault = faults.get(target)
    if (fault !== undefined && 'left' in fault && --fault.left <= 0) faults.delete(target)
    return fault
  }

  const gate: Gate = async (on, call) => {
    count(on)
    count('*')
    const fault = meet(on)
    if (fault === undefined) return call()
    if (fault.kind === 'fail') throw fault.error
    if (fault.kind === 'lose') {
      await call()
      throw fault.error
    }
    if (fault.kind === 'delay') {
      await new Promise<void>(resolve => void fault.clock.after(fault.ms, resolve))
      return call()
    }
    return new Promise((_, reject) => void hung.add(() => reject(refusal(`${on} hung and was let go`))))
  }

  const finite = (kind: 'fail' | 'lose', on: FaultTarget | '*', times: number, error?: Error): void => {
    const what = kind === 'fail' ? `${on} failed` : `the answer of ${on} was lost`
    if (times > 0) faults.set(on, { kind, left: times, error: error ?? refusal(what) })
  }
  const controls: Controls = {
    fail: (on, times = Number.POSITIVE_INFINITY, error) => finite('fail', on, times, error),
    lose: (on, times = Number.POSITIVE_INFINITY, error) => finite('lose', on, times, error),
    hang: on => void faults.set(on, { kind: 'hang' }),
    delay: (on, ms, clock) => void faults.set(on, { kind: 'delay', ms, clock }),
    heal() {
      faults.clear()
      const waiting = [...hung]
      hung.clear()
      for (const letGo of waiting) letGo()
    },
    calls: on => counts.get(on) ?? 0,
    hanging: () => hung.size,
  }
  return { gate, controls }
}
