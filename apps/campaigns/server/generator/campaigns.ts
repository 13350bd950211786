import type { CampaignStatus, MessageStatus } from '../database/schema.ts'
import { uuidv7 } from '../ids.ts'
import type { Random } from './random.ts'

/**
 * Campaigns and their messages. A message's times follow from its outcome, nothing happens after `now`, and each
 * campaign's counters are those of the messages made for it.
 */
export interface CampaignPlan {
  readonly id: string
  readonly name: string
  readonly status: CampaignStatus
  readonly createdAt: number
  readonly startedAt: number | null
  readonly counters: Counters
}

interface Counters {
  total: number
  queued: number
  sent: number
  delivered: number
  read: number
  interacted: number
  message2_sent: number
  failed_count: number
  no_interaction_count: number
  skipped: number
}

const CAMPAIGN_COUNT = 60
const DAY = 86_400_000
const HOUR = 3_600_000
const TOPICS = [
  'Spring offer',
  'New arrivals',
  'Survey',
  'Event invitation',
  'Back in stock',
  'Thank you',
  'Last days',
] as const
const UNSTARTED: readonly CampaignStatus[] = ['draft', 'draft', 'draft', 'scheduled', 'scheduled']

/** The last five have not begun; the rest began within 120 days, half of them within the last 30. */
export function makeCampaigns(random: Random, now: number): CampaignPlan[] {
  const begun = CAMPAIGN_COUNT - UNSTARTED.length
  return Array.from({ length: CAMPAIGN_COUNT }, (_, index) => {
    const unstarted = UNSTARTED[index - begun]
    const age = unstarted === undefined ? ((begun - index) / begun) ** 2 * 120 * DAY : 0
    const startedAt = unstarted === undefined ? Math.floor(now - age - 30 * HOUR * random.next()) : null
    const createdAt = (startedAt ?? now) - 2 * DAY - random.below(DAY)
    const running = index >= begun - 3
    const ended: CampaignStatus = random.pick([
      'completed',
      'completed',
      'completed',
      'completed',
      'completed',
      'cancelled',
      'paused',
    ])
    return {
      id: uuidv7(createdAt, index, random.hex16()),
      name: `${random.pick(TOPICS)} ${index + 1}`,
      status: unstarted ?? (running ? 'running' : ended),
      createdAt,
      startedAt,
      counters: {
        total: 0,
        queued: 0,
        sent: 0,
        delivered: 0,
        read: 0,
        interacted: 0,
        message2_sent: 0,
        failed_count: 0,
        no_interaction_count: 0,
        skipped: 0,
      },
    }
  })
}

/** Columns as in CAMPAIGN_COLUMNS. */
export function campaignRow({
  id,
  name,
  status,
  createdAt,
  startedAt,
  counters: c,
}: CampaignPlan): (string | number | null)[] {
  const completedAt = status === 'completed' && startedAt !== null ? startedAt + 26 * HOUR : null
  const counted = [c.total, c.queued, c.sent, c.delivered, c.read, c.interacted, c.message2_sent]
  const ended = [c.failed_count, c.no_interaction_count, c.skipped]
  return [id, name, status, startedAt, completedAt, ...counted, ...ended, createdAt, startedAt ?? createdAt]
}

export const CAMPAIGN_COLUMNS: readonly string[] = [
  ...['id', 'name', 'status', 'started_at', 'completed_at'],
  ...['total', 'queued', 'sent', 'delivered', 'read', 'interacted', 'message2_sent'],
  ...['failed_count', 'no_interaction_count', 'skipped', 'created_at', 'updated_at'],
]

export const MESSAGE_COLUMNS: readonly string[] = [
  ...['id', 'direction', 'campaign_id', 'contact_id', 'step', 'wamid', 'type', 'status', 'status_rank', 'body'],
  ...[
    'error_code',
    'attempts',
    'queued_at',
    'sent_at',
    'delivered_at',
    'read_at',
    'failed_at',
    'interacted_at',
    'created_at',
  ],
]

const RANKS: Readonly<Partial<Record<MessageStatus, number>>> = {
  accepted: 1,
  sent: 2,
  delivered: 3,
  read: 4,
  no_interaction: 3,
}
const ERRORS = [131026, 131026, 131026, 131049, 131049, 131047, 130472, 131050, 131000, 132001, 131051] as const

export interface MessageSpec {
  readonly sequence: number
  readonly createdAt: number
  readonly contactId: string
  readonly campaign?: { readonly plan: CampaignPlan; readonly step: 1 | 2 }
  readonly inbound?: boolean
}

interface Times {
  status: MessageStatus
  error: number | null
  sentAt: number | null
  deliveredAt: number | null
  readAt: number | null
  failedAt: number | null
  interactedAt: number | null
}

const NOTHING: Omit<Times, 'status'> = {
  error: null,
  sentAt: null,
  deliveredAt: null,
  readAt: null,
  failedAt: null,
  interactedAt: null,
}

/** What becomes of a message created then. Events that would lie after `now` have not happened yet. */
function unfold(random: Random, createdAt: number, now: number, step: 1 | 2 | undefined): Times {
  const fate = random.next()
  const sentAt = createdAt + 200 + random.delay(1500)
  if (sentAt > now) return { ...NOTHING, status: 'queued' }
  if (fate < 0.035) return { ...NOTHING, status: 'failed', error: random.pick(ERRORS), failedAt: sentAt }
  if (fate < 0.045) return { ...NOTHING, status: 'skipped' }
  const deliveredAt = sentAt + 400 + random.delay(4000)
  const readAt = deliveredAt + 1000 + random.delay(45 * 60_000)
  const interactedAt = readAt + 2000 + random.delay(20 * 60_000)
  const times: Times = { ...NOTHING, status: 'sent', sentAt }
  if (fate >= 0.09 && deliveredAt <= now) Object.assign(times, { status: 'delivered', deliveredAt })
  if (fate >= 0.3 && readAt <= now) Object.assign(times, { status: 'read', readAt })
  if (step === 1 && fate >= 0.62 && interactedAt <= now) times.interactedAt = interactedAt
  const silent = step === 1 && times.interactedAt === null && sentAt <= now - 24 * HOUR
  return silent ? { ...times, status: 'no_interaction' } : times
}

function countMessage({ counters }: CampaignPlan, step: 1 | 2, times: Times): void {
  if (step === 2) {
    if (times.sentAt !== null) counters.message2_sent++
    return
  }
  counters.total++
  if (times.status === 'queued') counters.queued++
  if (times.status === 'skipped') counters.skipped++
  if (times.sentAt !== null) counters.sent++
  if (times.deliveredAt !== null) counters.delivered++
  if (times.readAt !== null) counters.read++
  if (times.interactedAt !== null) counters.interacted++
  if (times.status === 'no_interaction') counters.no_interaction_count++
  if (times.status === 'failed' || times.status === 'no_interaction') counters.failed_count++
}

/** One row, columns as in MESSAGE_COLUMNS; also moves the counters of its campaign. */
export function messageRow(random: Random, spec: MessageSpec, now: number): (string | number | null)[] {
  const { sequence, createdAt, contactId, campaign, inbound = false } = spec
  const id = uuidv7(createdAt, sequence % 0x1000, random.hex16())
  const wamid = `wamid.HBg${sequence.toString(36).padStart(7, '0')}${random.hex16().slice(0, 8)}`
  if (inbound) {
    const body = random.pick(['Yes', 'Thank you', 'Tell me more', 'Stop', 'How much is it?', 'Oui, merci'])
    const times = [null, null, null, null, null, null, createdAt]
    return [id, 'in', null, contactId, null, wamid, 'text', 'received', 0, body, null, 0, ...times]
  }
  const step = campaign?.step
  const times = unfold(random, createdAt, now, step)
  if (campaign !== undefined) countMessage(campaign.plan, campaign.step, times)
  const { status, error, sentAt, deliveredAt, readAt, failedAt, interactedAt } = times
  const known = sentAt === null ? null : wamid
  const head = [id, 'out', campaign?.plan.id ?? null, contactId, step ?? null, known, step === 1 ? 'template' : 'text']
  const attempts = status === 'queued' || status === 'skipped' ? 0 : 1
  const tail = [createdAt, sentAt, deliveredAt, readAt, failedAt, interactedAt, createdAt]
  return [...head, status, RANKS[status] ?? 0, null, error, attempts, ...tail]
}
