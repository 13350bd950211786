import { setConsent } from '../contacts/consent.ts'
import { forUpdate } from '../database/portable.ts'
import type { CampaignTable, MessageTable } from '../database/schema.ts'
import { halt } from '../campaigns/lifecycle.ts'
import type { Services } from '../services.ts'
import { actionOf, retryDelay } from '../whatsapp/errors.ts'
import type { OutgoingContent, Recipient, Sent, WhatsAppAccount } from '../whatsapp/port.ts'
import { type Work, write } from '../work.ts'
import { applyReport, type MessagePatch, UNKNOWN_OUTCOME } from './states.ts'
import { createTally } from './tally.ts'

/**
 * From a claimed message to what became of it. A claim is a row in state `sending` with an end; within it only who
 * claimed the row sends it, and after it nobody does.
 */
export interface Claimed {
  readonly id: string
  readonly campaignId: string | null
  readonly attempt: number
  readonly to: Recipient
  readonly content: OutgoingContent
}

export interface Result {
  readonly id: string
  readonly campaignId: string | null
  readonly attempt: number
  readonly sent: Sent
}

/** How long a claim holds: several times what the longest request takes. Milliseconds. */
export const CLAIM_MS = 120_000
/** A claim this old is left alone: who was frozen that long may already be taken for dead. */
const LAST_START_MS = 60_000

/** Refused so often in a row, it has failed. Each retry by a person begins a new row of attempts. */
const MOST_ATTEMPTS = 5

/** Sends all of them at once. Those whose claim has become old meanwhile are left to its end. */
export async function sendClaimed(
  { whatsapp, now }: Services,
  account: WhatsAppAccount,
  claimed: readonly Claimed[],
  claimedAt: number,
): Promise<Result[]> {
  const results = await Promise.all(
    claimed.map(async ({ id, campaignId, attempt, to, content }): Promise<Result | undefined> => {
      if (now() - claimedAt > LAST_START_MS) return undefined
      // Without the job's signal: what was begun is finished, for nobody could tell what became of it.
      const sent = await whatsapp.send(account, { messageId: `${id}.${attempt}`, to, content })
      return { id, campaignId, attempt, sent }
    }),
  )
  return results.filter(result => result !== undefined)
}

interface Verdict {
  readonly patch?: MessagePatch | undefined
  readonly stop?: { readonly to: 'paused' | 'failed'; readonly reason: string }
  readonly optOut?: boolean
}

const NO_ERROR: MessagePatch = { error_code: null, error_class: null, error_detail: null }

type Refused = Extract<Sent, { outcome: 'refused' }>

function failedWith(
  message: MessageTable,
  { code, errorClass, detail }: Refused,
  at: number,
): MessagePatch | undefined {
  return applyReport(message, { status: 'failed', at, error: { code, errorClass, detail } })
}

function refusedVerdict(message: MessageTable, sent: Refused, cancelled: boolean, at: number): Verdict {
  const { code, errorClass, detail, retryAfter = 0 } = sent
  const action = actionOf(errorClass, code)
  const reason = `${errorClass} ${code}: ${detail}`
  if (action === 'stop_campaign') return { patch: failedWith(message, sent, at), stop: { to: 'failed', reason } }
  if (action === 'opt_out') return { patch: failedWith(message, sent, at), optOut: true }
  const stop = action === 'pause_campaign' ? { stop: { to: 'paused' as const, reason } } : {}
  if (action === 'fail' || message.attempts % MOST_ATTEMPTS === 0) {
    return { patch: failedWith(message, sent, at), ...stop }
  }
  const error = { error_code: code, error_class: errorClass, error_detail: detail.slice(0, 500) }
  if (cancelled) return { patch: { ...error, status: 'skipped', error_detail: 'cancelled', next_attempt_at: null } }
  const tries = ((message.attempts - 1) % MOST_ATTEMPTS) + 1
  const delay = Math.max(retryAfter, retryDelay(errorClass, tries, Math.random, code))
  return { patch: { ...error, status: 'queued', failed_at: null, next_attempt_at: at + delay }, ...stop }
}

/** What an answer changes of the message as it stands now: news of it may have come first, or its claim may have ended. */
function judge(message: MessageTable, { attempt, sent }: Result, cancelled: boolean, at: number): Verdict {
  if (sent.outcome === 'accepted') {
    const patch = applyReport(message, { status: 'accepted', at }) ?? {}
    const wamid = message.wamid === null ? { wamid: sent.wamid } : {}
    const cleared = patch.status === 'accepted' ? NO_ERROR : {}
    return { patch: { ...patch, ...cleared, ...wamid } }
  }
  const doubtful = message.status === 'failed' && message.error_class === UNKNOWN_OUTCOME
  if (message.attempts !== attempt || (message.status !== 'sending' && !doubtful)) return {}
  if (sent.outcome === 'refused') return refusedVerdict(message, sent, cancelled, at)
  const error = { code: null, errorClass: UNKNOWN_OUTCOME, detail: sent.detail }
  return { patch: applyReport(message, { status: 'failed', at, error }) }
}

async function optOut(work: Work, contactIds: readonly (string | null)[]): Promise<void> {
  const ids = contactIds.filter(id => id !== null)
  if (ids.length === 0) return
  const rows = await work.trx
    .selectFrom('contacts')
    .select(['id', 'opt_in_at', 'opt_out_at', 'updated_at'])
    .where('id', 'in', ids)
    .orderBy('id')
    .$call(forUpdate(work.engine))
    .execute()
  for (const row of rows) await setConsent(work, row, 'opt_out')
}

/** Stores the answers in one transaction, with the counters; stops or pauses campaigns that cannot go on. */
export async function storeResults(services: Services, results: readonly Result[]): Promise<void> {
  if (results.length === 0) return
  const byId = new Map(results.map(result => [result.id, result]))
  const store = async (work: Work): Promise<void> => {
    const tally = createTally(work)
    const campaigns = await tally.lock(results.map(result => result.campaignId))
    const messages = await work.trx
      .selectFrom('messages')
      .selectAll()
      .where('id', 'in', [...byId.keys()])
      .orderBy('id')
      .$call(forUpdate(work.engine))
      .execute()
    const stops = new Map<string, NonNullable<Verdict['stop']>>()
    const leaving: (string | null)[] = []
    for (const message of messages) {
      const result = byId.get(message.id)
      if (result === undefined) continue
      const cancelled = campaigns.get(message.campaign_id ?? '')?.status === 'cancelled'
      const verdict = judge(message, result, cancelled, work.at)
      if (verdict.patch !== undefined && Object.keys(verdict.patch).length > 0)
        await tally.change(message, verdict.patch)
      if (verdict.stop !== undefined && message.campaign_id !== null) stops.set(message.campaign_id, verdict.stop)
      if (verdict.optOut === true) leaving.push(message.contact_id)
    }
    await stopCampaigns(work, campaigns, stops)
    await optOut(work, leaving)
    await tally.apply()
  }
  await write(services, store, { pace: 'soon' })
}

async function stopCampaigns(
  work: Work,
  campaigns: ReadonlyMap<string, CampaignTable>,
  stops: ReadonlyMap<string, NonNullable<Verdict['stop']>>,
): Promise<void> {
  for (const [id, { to, reason }] of stops) {
    const campaign = campaigns.get(id)
    if (campaign?.status === 'running') await halt(work, campaign, to, reason)
  }
}

const EXPIRED_PART = 200

/**
 * Claims whose end has passed: their sender is dead, and nobody knows whether the message left. Returns how many there
 * were, of a bounded part.
 */
export async function expireClaims(services: Services): Promise<number> {
  const { database, now } = services
  const found = await database.writer
    .selectFrom('messages')
    .select(['id', 'campaign_id'])
    .where('status', '=', 'sending')
    .where('next_attempt_at', '<=', now())
    .orderBy('next_attempt_at')
    .limit(EXPIRED_PART)
    .execute()
  if (found.length === 0) return 0
  const detail = 'Its sender stopped before the answer was stored: it may have been sent.'
  const error = { code: null, errorClass: UNKNOWN_OUTCOME, detail }
  return write(services, async work => {
    const tally = createTally(work)
    await tally.lock(found.map(row => row.campaign_id))
    const messages = await work.trx
      .selectFrom('messages')
      .selectAll()
      .where(
        'id',
        'in',
        found.map(row => row.id),
      )
      .where('status', '=', 'sending')
      .where('next_attempt_at', '<=', work.at)
      .orderBy('id')
      .$call(forUpdate(work.engine))
      .execute()
    for (const message of messages) {
      const patch = applyReport(message, { status: 'failed', at: work.at, error })
      if (patch !== undefined) await tally.change(message, patch)
    }
    await tally.apply()
    return messages.length
  })
}
