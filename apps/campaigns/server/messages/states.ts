import type { CampaignTable, MessageStatus, MessageTable } from '../database/schema.ts'

/**
 * The life of an outbound message: queued, sending, accepted, sent, delivered, read; or failed, skipped, no_interaction.
 * News of it arrives late, twice and in any order, so nothing here depends on the order of delivery: the status only
 * rises by rank, and each time is the earliest that any news implies (who has read a message was delivered it before).
 */
export type ReportedStatus = 'accepted' | 'sent' | 'delivered' | 'read' | 'failed'

export interface StatusReport {
  readonly status: ReportedStatus
  /** When it happened, in milliseconds since 1970. */
  readonly at: number
  readonly error?: { readonly code: number | null; readonly errorClass: string; readonly detail: string }
  readonly pricing?: {
    readonly category: string | null
    readonly type: string | null
    readonly billable: boolean | null
  }
}

/** The columns that change; only those. */
export type MessagePatch = Partial<Omit<MessageTable, 'id'>>

export const RANKS: Readonly<Record<'accepted' | 'sent' | 'delivered' | 'read', number>> = {
  accepted: 1,
  sent: 2,
  delivered: 3,
  read: 4,
}
const BY_RANK: readonly MessageStatus[] = ['queued', 'accepted', 'sent', 'delivered', 'read']

/** It was being sent when its sender died: it may have left. Never sent again by itself, but news of it is believed. */
export const UNKNOWN_OUTCOME = 'unknown'

const earliest = (known: number | null, at: number): number => (known === null ? at : Math.min(known, at))

function timesAfter(message: MessageTable, rank: number, at: number): MessagePatch {
  return {
    ...(rank >= 1 ? { accepted_at: earliest(message.accepted_at, at) } : {}),
    ...(rank >= 2 ? { sent_at: earliest(message.sent_at, at) } : {}),
    ...(rank >= 3 ? { delivered_at: earliest(message.delivered_at, at) } : {}),
    ...(rank >= 4 ? { read_at: earliest(message.read_at, at) } : {}),
  }
}

function changed(message: MessageTable, patch: MessagePatch): MessagePatch | undefined {
  const entries = Object.entries(patch).filter(([name, value]) => message[name as keyof MessageTable] !== value)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** What the report changes of the message; undefined when it is no news. */
export function applyReport(message: MessageTable, report: StatusReport): MessagePatch | undefined {
  const pricing =
    report.pricing === undefined
      ? {}
      : {
          pricing_category: report.pricing.category ?? message.pricing_category,
          pricing_type: report.pricing.type ?? message.pricing_type,
          billable: report.pricing.billable === null ? message.billable : Number(report.pricing.billable),
        }
  if (report.status === 'failed') return changed(message, { ...pricing, ...failure(message, report) })
  const rank = RANKS[report.status]
  const times = timesAfter(message, rank, report.at)
  const status_rank = Math.max(message.status_rank, rank)
  const doubtful = message.status === 'failed' && message.error_class === UNKNOWN_OUTCOME
  // A final state keeps its name; only what really happened and when is filled in.
  const final = ['failed', 'skipped', 'no_interaction'].includes(message.status) && !doubtful
  const status = final ? message.status : (BY_RANK[status_rank] ?? message.status)
  const cleared = doubtful ? { error_class: null, error_detail: null, error_code: null, failed_at: null } : {}
  const free = final ? {} : { next_attempt_at: null }
  return changed(message, { ...pricing, ...times, ...cleared, ...free, status, status_rank })
}

/** A failure counts for whatever was not read; what has failed already keeps its first reason, unless that was a guess. */
function failure(message: MessageTable, { at, error }: StatusReport): MessagePatch {
  const { status, status_rank, error_class } = message
  if (status_rank >= RANKS.read || status === 'skipped') return {}
  if (status === 'failed' && error_class !== UNKNOWN_OUTCOME) return {}
  return {
    status: 'failed',
    failed_at: at,
    next_attempt_at: null,
    error_code: error?.code ?? null,
    error_class: error?.errorClass ?? 'transient',
    error_detail: error?.detail.slice(0, 500) ?? null,
  }
}

/** Puts a failed message back at its beginning. Only people do that. The next attempt has a name of its own, so news of the old one is not taken for news of the new. */
export function resetForRetry(message: MessageTable, at: number): MessagePatch | undefined {
  if (message.status !== 'failed') return undefined
  return {
    status: 'queued',
    status_rank: 0,
    wamid: null,
    error_code: null,
    error_class: null,
    error_detail: null,
    next_attempt_at: at,
    queued_at: at,
    accepted_at: null,
    sent_at: null,
    delivered_at: null,
    read_at: null,
    failed_at: null,
  }
}

export interface Interaction {
  readonly patch: MessagePatch
  /** Message 2 is due: this reply, and no other, releases it. */
  readonly releases: boolean
}

const HOUR = 3_600_000

/** Whether a reply written at that time is one of those that the campaign waits for. */
export function answeredInTime(
  { sent_at, accepted_at }: Pick<MessageTable, 'sent_at' | 'accepted_at'>,
  { interaction_timeout_h }: Pick<CampaignTable, 'interaction_timeout_h'>,
  at: number,
): boolean {
  const left = sent_at ?? accepted_at
  return left !== null && at <= left + interaction_timeout_h * HOUR
}

/** What a reply does to the Message 1 it answers; undefined when that was answered before, or never left. */
export function applyInteraction(
  message: MessageTable,
  campaign: Pick<CampaignTable, 'accept_late' | 'interaction_timeout_h' | 'message2_kind'>,
  at: number,
): Interaction | undefined {
  if (message.interacted_at !== null) return undefined
  if (message.status === 'no_interaction') {
    const status = BY_RANK[Math.max(message.status_rank, RANKS.accepted)] ?? 'accepted'
    const releases = campaign.message2_kind !== 'none'
    // Written in time and delivered late, as after an outage: the person did answer, and is not to pay for that.
    if (answeredInTime(message, campaign, at)) return { patch: { interacted_at: at, status }, releases }
    if (message.late_interaction_at !== null) return undefined
    if (campaign.accept_late === 0) return { patch: { late_interaction_at: at }, releases: false }
    return { patch: { late_interaction_at: at, interacted_at: at, status }, releases }
  }
  const doubtful = message.status === 'failed' && message.error_class === UNKNOWN_OUTCOME
  if (['failed', 'skipped', 'queued'].includes(message.status) && !doubtful) return undefined
  // Who answers has been sent it: the answer may overtake the news of that.
  const proof = applyReport(message, { status: 'sent', at }) ?? {}
  return { patch: { ...proof, interacted_at: at }, releases: campaign.message2_kind !== 'none' }
}
