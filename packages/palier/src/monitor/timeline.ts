import type { Clock } from '../clock.ts'
import type { CacheEvents } from '../events.ts'
import type { MonitoredCache } from './sampler.ts'

/** Something that happened to a cache, as people look at it afterwards. */
export interface TimelineEvent {
  /** One more than that of the event before it. */
  readonly sequence: number
  /** In milliseconds since 1970. */
  readonly at: number
  readonly kind: 'start' | 'state' | 'health' | 'link' | 'failover' | 'clear' | 'policy' | 'alert'
  readonly text: string
}

export interface Timeline {
  add(kind: TimelineEvent['kind'], text: string): void
  /** The number of the newest event. */
  readonly sequence: number
  /** Those after `since` that are still kept, oldest first. */
  after(since: number): readonly TimelineEvent[]
  close(): void
}

const KEPT = 300

const clearText = ({ target, names }: CacheEvents['delete']): string =>
  target === 'all' ? 'everything was cleared' : `the ${target} ${names.join(', ')} was cleared`

/** Listens to a cache and keeps the last 300 events. Deletions of single keys are none. */
export function createTimeline(cache: MonitoredCache, clock: Clock): Timeline {
  let events: readonly TimelineEvent[] = []
  let sequence = 0
  const add = (kind: TimelineEvent['kind'], text: string): void => {
    events = [...events.slice(1 - KEPT), { sequence: ++sequence, at: clock.wall(), kind, text }]
  }
  const offs = [
    cache.on('state', ({ state, reason }) => add('state', `${state}: ${reason}`)),
    cache.on('link', ({ store, state, reason }) => add('link', `${store} is ${state}: ${reason}`)),
    cache.on('failover', ({ from, to, reason }) => add('failover', `from ${from} to ${to}: ${reason}`)),
    cache.on('policy', ({ type, ttl, grace }) => add('policy', `${type}: ttl ${ttl} ms, grace ${grace} ms`)),
    cache.on('delete', event => {
      if (event.target !== 'key') add('clear', clearText(event))
    }),
  ]
  add('start', 'the monitor began')
  return {
    add,
    get sequence() {
      return sequence
    },
    after: since => events.filter(event => event.sequence > since),
    close() {
      for (const off of offs) off()
    },
  }
}
