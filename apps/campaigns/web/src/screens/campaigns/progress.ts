import type { Campaign, CampaignStats } from '../../data/campaigns.ts'
import type { CampaignStatus } from '../../data/statuses.ts'

/** What a campaign is doing, finer than its status: sending and waiting for answers are not the same. */
export type Phase = 'before' | 'planning' | 'sending' | 'awaiting' | 'halted' | 'over'

const PHASES: Readonly<Record<Exclude<CampaignStatus, 'running'>, Phase>> = {
  draft: 'before',
  scheduled: 'before',
  paused: 'halted',
  failed: 'halted',
  completed: 'over',
  cancelled: 'over',
}

export function phaseOf({ status, planned_at, queued }: Pick<Campaign, 'status' | 'planned_at' | 'queued'>): Phase {
  if (status !== 'running') return PHASES[status]
  if (planned_at === null) return 'planning'
  return queued > 0 ? 'sending' : 'awaiting'
}

type Counted = Pick<Campaign, 'total' | 'queued'>

/** Recipients with whom Message 1 is done: sent, failed or skipped. */
export const handledOf = ({ total, queued }: Counted): number => Math.max(0, total - queued)

export const shareOf = (part: number, whole: number): number => (whole <= 0 ? 0 : part / whole)

/** How many were handled at a moment of the server. */
export interface Sample {
  readonly at: number
  readonly handled: number
}

const WINDOW_MS = 60_000
/** Over less, a speed is noise. */
const LEAST_MS = 3000

/** The samples that the speed is taken from, with one more: those of the last minute, in order. */
export function withSample(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1)
  if (last !== undefined && next.at <= last.at) return samples
  // Fewer than before: failed messages were put back. What was measured until then says nothing any more.
  if (last !== undefined && next.handled < last.handled) return [next]
  return [...samples.filter(one => one.at >= next.at - WINDOW_MS), next]
}

/** Recipients a minute, measured; undefined while there is too little to tell. */
export function speedOf(samples: readonly Sample[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined || last.at - first.at < LEAST_MS) return undefined
  return ((last.handled - first.handled) / (last.at - first.at)) * 60_000
}

/** Milliseconds until all are handled at that speed; undefined when it cannot be told. */
export function timeLeft(queued: number, perMinute: number | undefined): number | undefined {
  if (queued === 0) return 0
  return perMinute === undefined || perMinute <= 0 ? undefined : (queued / perMinute) * 60_000
}

/** Never faster than two seconds, and only where nothing else tells. */
const POLL_MS = 4000

/** How often a running campaign is asked for: not at all while the server tells of each change by itself. */
export function pollEvery(status: CampaignStatus | undefined, isTold: boolean): number | false {
  return status === 'running' && !isTold ? POLL_MS : false
}

export interface FunnelStep {
  readonly key: 'audience' | 'sent' | 'delivered' | 'read' | 'interacted' | 'message2'
  readonly count: number
  /** Of those sent; of the audience for what was sent. Undefined where nothing was sent. */
  readonly share: number | undefined
}

/** From the audience to Message 2, each step with its share. */
export function funnelOf(
  { total, funnel }: Pick<CampaignStats, 'total' | 'funnel'>,
  hasMessage2: boolean,
): readonly FunnelStep[] {
  const { sent, delivered, read, interacted, message2_sent } = funnel
  const ofSent = (count: number): number | undefined => (sent === 0 ? undefined : count / sent)
  return [
    { key: 'audience', count: total, share: undefined },
    { key: 'sent', count: sent, share: total === 0 ? undefined : sent / total },
    { key: 'delivered', count: delivered, share: ofSent(delivered) },
    { key: 'read', count: read, share: ofSent(read) },
    { key: 'interacted', count: interacted, share: ofSent(interacted) },
    ...(hasMessage2 ? [{ key: 'message2' as const, count: message2_sent, share: ofSent(message2_sent) }] : []),
  ]
}

/** Who is shown first: what needs eyes now. */
export const UNDER_WAY: readonly CampaignStatus[] = ['running', 'paused']
