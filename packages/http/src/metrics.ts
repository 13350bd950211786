import {
  badOption,
  type Clock,
  type Duration,
  type Limited,
  type Limiter,
  type MetricSource,
  systemClock,
  toMilliseconds,
} from 'palier'

/** A limiter that counts its decisions, and what tells the counts to `createMonitor(cache, { extra })`. */
export interface CountedLimiter extends Limiter {
  /** `palier_ratelimit_decisions_total`, by limiter, decision and who decided. Never by key. */
  readonly metrics: MetricSource
}

/** Counts what a limiter decides in this process. A look (cost 0) is no decision. */
export function countDecisions(limiter: Limiter): CountedLimiter {
  const counts = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>()

  const count = ({ allowed, source }: Limited): void => {
    const decision = allowed ? 'allowed' : 'denied'
    const name = `${decision} ${source}`
    const known = counts.get(name) ?? { labels: { limiter: limiter.name, decision, source }, value: 0 }
    known.value++
    counts.set(name, known)
  }

  return {
    ...limiter,
    async take(key, cost) {
      const decision = await limiter.take(key, cost)
      if (cost !== 0) count(decision)
      return decision
    },
    metrics: () => [
      {
        name: 'palier_ratelimit_decisions_total',
        help: 'Decisions of rate limiters, and who decided.',
        type: 'counter',
        points: [...counts.values()].map(({ labels, value }) => ({ labels, value })),
      },
    ],
  }
}

export interface SessionMetricsOptions {
  /** How often they are counted, which walks all of them. Default 1 minute. */
  readonly every?: Duration
  readonly clock?: Clock
}

/** Tells `createMonitor(cache, { extra })` how many sessions there are: `palier_sessions_active`, of all processes that share them. */
export function sessionMetrics(
  store: { length(): Promise<number> },
  options: SessionMetricsOptions = {},
): MetricSource {
  if (typeof store.length !== 'function') throw badOption('store', 'a session store', store)
  const every = toMilliseconds('every', options.every ?? '1m')
  const { clock = systemClock } = options
  let counted: { readonly at: number; readonly sessions: number } | undefined
  return async () => {
    if (counted === undefined || clock.now() - counted.at >= every) {
      counted = { at: clock.now(), sessions: await store.length() }
    }
    const points = [{ value: counted.sessions }]
    const help = 'Sessions that are not over, in all processes.'
    return [{ name: 'palier_sessions_active', help, type: 'gauge', fleet: 'max', points }]
  }
}
