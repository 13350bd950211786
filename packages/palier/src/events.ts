import { channel } from 'node:diagnostics_channel'
import { badOption, type ErrorCode } from './errors.ts'

/** Why a read found nothing to give. */
export type MissReason = 'absent' | 'expired' | 'invalidated' | 'damaged' | 'store' | 'disabled' | 'forced'

/** What a cache reports, by event name. Also published on `node:diagnostics_channel` as `palier:<name>`. */
export interface CacheEvents {
  hit: { readonly type: string; readonly key: string; readonly tier: string }
  stale: { readonly type: string; readonly key: string; readonly reason: 'timeout' | 'error' | 'refreshing' }
  miss: { readonly type: string; readonly key: string; readonly reason: MissReason }
  load: { readonly type: string; readonly key: string; readonly ms: number; readonly stored: boolean }
  set: { readonly type: string; readonly key: string }
  delete: { readonly target: 'key' | 'tag' | 'type' | 'pattern' | 'all'; readonly names: readonly string[] }
  /** Another cache of the namespace told this one what it deleted. Keys are not told, nor what a `flush` covers. */
  heard: { readonly target: 'tag' | 'type' | 'all'; readonly names: readonly string[] }
  /** Messages may have been missed: the near tier was emptied, and stamps are asked for anew. */
  flush: { readonly reason: string }
  evict: { readonly type: string; readonly key: string }
  error: {
    readonly operation: string
    readonly code: ErrorCode | 'FACTORY'
    readonly message: string
    readonly key?: string
    readonly cause?: unknown
  }
  state: { readonly state: HealthState; readonly reason: string }
  /** The link to a shared store changed: `up`, `suspect` (in use, but a call just failed), `open` (left alone), `draining` (told what it missed before it is read). */
  link: { readonly store: string; readonly state: 'up' | 'suspect' | 'open' | 'draining'; readonly reason: string }
  /** Entries of the type live so long from now on, in milliseconds: an operator said so, here or in another process. */
  policy: { readonly type: string; readonly ttl: number; readonly grace: number }
  /** Reads and writes go to another store from now on. */
  failover: { readonly from: string; readonly to: string; readonly reason: string }
}

export type HealthState = 'HEALTHY' | 'WARMING' | 'DEGRADED' | 'DOWN'
export type EventName = keyof CacheEvents
export type Listener<N extends EventName> = (event: CacheEvents[N] & { readonly namespace: string }) => void

export interface Events {
  /** True when somebody listens: ask before building an event on a hot path. */
  wants(name: EventName): boolean
  emit<N extends EventName>(name: N, event: CacheEvents[N]): void
  /** Returns what takes the listener off again. A listener that throws is reported as an `error` event, and goes on. */
  on<N extends EventName>(name: N, listener: Listener<N>): () => void
}

const NAMES: readonly EventName[] = [
  'hit',
  'stale',
  'miss',
  'load',
  'set',
  'delete',
  'heard',
  'flush',
  'evict',
  'error',
  'state',
  'link',
  'failover',
  'policy',
]

type AnyListener = (event: unknown) => unknown

export function createEvents(namespace: string): Events {
  const sinks = new Map(
    NAMES.map(name => [name, { listeners: new Set<AnyListener>(), channel: channel(`palier:${name}`) }]),
  )
  const sinkOf = (name: EventName) => {
    const sink = sinks.get(name)
    if (sink === undefined) throw badOption('event', NAMES.join(', '), name)
    return sink
  }
  const report = (name: EventName, cause: unknown): void => {
    // A throwing error listener must not call itself for ever.
    if (name === 'error') return
    const message = `a listener of "${name}" threw: ${cause instanceof Error ? cause.message : String(cause)}`
    events.emit('error', { operation: 'listener', code: 'FACTORY', message, cause })
  }
  const events: Events = {
    wants(name) {
      const sink = sinkOf(name)
      return sink.listeners.size > 0 || sink.channel.hasSubscribers
    },
    emit(name, event) {
      const sink = sinkOf(name)
      if (sink.listeners.size === 0 && !sink.channel.hasSubscribers) return
      const told = { ...event, namespace }
      if (sink.channel.hasSubscribers) sink.channel.publish(told)
      for (const listener of sink.listeners) {
        try {
          const result = listener(told)
          // A listener may be an async function, whatever its type says.
          if (result instanceof Promise) result.catch((cause: unknown) => report(name, cause))
        } catch (cause) {
          report(name, cause)
        }
      }
    },
    on(name, listener) {
      const { listeners } = sinkOf(name)
      // One wrapper per call, so that the same function added twice is taken off once.
      const entry: AnyListener = event => (listener as AnyListener)(event)
      listeners.add(entry)
      return () => void listeners.delete(entry)
    },
  }
  return events
}
