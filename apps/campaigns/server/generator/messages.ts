import type { ContactTable, MessageStatus, MessageTable } from '../database/schema.ts'
import { uuidv7 } from '../ids.ts'
import { freeFormContent, type Rendered, templateContent } from '../messages/content.ts'
import { contributionOf, COUNTERS } from '../messages/counters.ts'
import { RANKS } from '../messages/states.ts'
import { classify } from '../whatsapp/errors.ts'
import type { Account } from './account.ts'
import { type CampaignPlan, message2Of, SENDING_SPAN } from './campaigns.ts'
import { type DataSet, DAY, HOUR, STREAMS } from './data-set.ts'
import { countAt, FIRST_NAMES, type People } from './people.ts'
import { createRandom, type Random } from './random.ts'

/**
 * The messages, as many as asked for. What a campaign wrote, what came back and what that released belong together; the
 * rest is conversation. A message's times follow from its outcome, and nothing happens after `now`.
 */
export interface Written {
  readonly people: People
  readonly plans: readonly CampaignPlan[]
  readonly account: Account
  /** Whether these rows move the counters of their campaigns, which they may do once. */
  readonly counting: boolean
}

interface Fate {
  readonly status: MessageStatus
  readonly acceptedAt?: number
  readonly sentAt?: number
  readonly deliveredAt?: number
  readonly readAt?: number
  readonly failedAt?: number
  readonly interactedAt?: number
  readonly lateAt?: number
  readonly error?: number
  readonly skipped?: string
}

const ERRORS = [131026, 131026, 131026, 131049, 131049, 131047, 130472, 131050, 131000, 132001, 131051] as const
const TIMEOUT = 24 * HOUR

/** How a message that leaves at that time gets there. Half of the failures are told at once, half by a webhook. */
function travel(random: Random, createdAt: number, now: number): Fate {
  const fate = random.next()
  const acceptedAt = Math.min(now, createdAt + 100 + random.delay(300))
  const sentAt = Math.min(now, acceptedAt + 100 + random.delay(1500))
  if (fate < 0.035) {
    const failure = { status: 'failed', error: random.pick(ERRORS), failedAt: sentAt } as const
    return fate < 0.0175 ? failure : { ...failure, acceptedAt }
  }
  const deliveredAt = sentAt + 400 + random.delay(4000)
  const readAt = deliveredAt + 1000 + random.delay(45 * 60_000)
  if (fate < 0.09 || deliveredAt > now) return { status: 'sent', acceptedAt, sentAt }
  if (fate < 0.3 || readAt > now) return { status: 'delivered', acceptedAt, sentAt, deliveredAt }
  return { status: 'read', acceptedAt, sentAt, deliveredAt, readAt }
}

/** Message 1: about half of those who read it answer; the others become `no_interaction` a day after it was sent. */
function openingFate(random: Random, plan: CampaignPlan, createdAt: number, now: number, place: number): Fate {
  if (plan.status === 'paused' && place > 0.6) return { status: 'queued' }
  if (plan.status === 'cancelled' && place > 0.6) return { status: 'skipped', skipped: 'cancelled' }
  if (random.next() < 0.01) return { status: 'skipped', skipped: 'opted_out' }
  const fate = travel(random, createdAt, now)
  const { sentAt, readAt } = fate
  if (sentAt === undefined) return fate
  const answeredAt = (readAt ?? now) + 2000 + random.delay(20 * 60_000)
  const answers = readAt !== undefined && random.next() < 0.54
  if (answers && answeredAt < sentAt + TIMEOUT && answeredAt <= now) return { ...fate, interactedAt: answeredAt }
  if (sentAt > now - TIMEOUT) return fate
  const lateAt = sentAt + TIMEOUT + random.delay(3 * HOUR)
  const late = random.next() < 0.01 && lateAt <= now && !plan.acceptLate
  return late ? { ...fate, status: 'no_interaction', lateAt } : { ...fate, status: 'no_interaction' }
}

/** Reported: from this day service messages are charged, too. */
const ALL_CHARGED_FROM = Date.UTC(2026, 9, 1)

function pricingOf({ sentAt }: Fate, category: string) {
  if (sentAt === undefined) return { pricingType: null, billable: null }
  const free = category === 'service' && sentAt < ALL_CHARGED_FROM
  return { pricingType: free ? 'free_customer_service' : 'regular', billable: free ? 0 : 1 }
}

function rankOf({ acceptedAt, sentAt, deliveredAt, readAt }: Fate): number {
  if (readAt !== undefined) return RANKS.read
  if (deliveredAt !== undefined) return RANKS.delivered
  if (sentAt !== undefined) return RANKS.sent
  return acceptedAt === undefined ? 0 : RANKS.accepted
}

type Name = Pick<MessageTable, 'id' | 'wamid'>

interface Text {
  readonly type: string
  readonly params: string
  readonly body: string
}

interface Out {
  readonly name: Name
  readonly contactId: string
  readonly accountId: string
  readonly createdAt: number
  readonly fate: Fate
  readonly text: Text
  /** For the price. */
  readonly category: string
  readonly campaignId: string | null
  readonly step: 1 | 2 | null
}

/** One literal with every column: rows put together from parts take several times as long to make and to read. */
function outRow({ name, contactId, accountId, createdAt, fate, text, category, campaignId, step }: Out): MessageTable {
  const { status, error } = fate
  const waiting = status === 'queued'
  const { billable, pricingType } = pricingOf(fate, category)
  return {
    id: name.id,
    direction: 'out',
    campaign_id: campaignId,
    contact_id: contactId,
    step,
    account_id: accountId,
    wamid: fate.acceptedAt === undefined ? null : name.wamid,
    type: text.type,
    status,
    status_rank: rankOf(fate),
    params: text.params,
    body: text.body,
    context_wamid: null,
    error_code: error ?? null,
    error_class: error === undefined ? null : classify(error),
    error_detail: error === undefined ? (fate.skipped ?? null) : `(#${error}) as the sample says`,
    attempts: waiting || status === 'skipped' ? 0 : 1,
    next_attempt_at: waiting ? createdAt : null,
    queued_at: createdAt,
    accepted_at: fate.acceptedAt ?? null,
    sent_at: fate.sentAt ?? null,
    delivered_at: fate.deliveredAt ?? null,
    read_at: fate.readAt ?? null,
    failed_at: fate.failedAt ?? null,
    interacted_at: fate.interactedAt ?? null,
    late_interaction_at: fate.lateAt ?? null,
    pricing_category: pricingType === null ? null : category,
    pricing_type: pricingType,
    billable,
    created_by: null,
    created_at: createdAt,
  }
}

interface In {
  readonly name: Name
  readonly contactId: string
  readonly accountId: string
  readonly at: number
  readonly body: string
  /** The message it answers with a tap on a button. */
  readonly context: string | null
}

function inRow({ name, contactId, accountId, at, body, context }: In): MessageTable {
  return {
    id: name.id,
    direction: 'in',
    campaign_id: null,
    contact_id: contactId,
    step: null,
    account_id: accountId,
    wamid: name.wamid,
    type: context === null ? 'text' : 'button',
    status: 'received',
    status_rank: 0,
    params: null,
    body,
    context_wamid: context,
    error_code: null,
    error_class: null,
    error_detail: null,
    attempts: 0,
    next_attempt_at: null,
    queued_at: null,
    accepted_at: null,
    sent_at: null,
    delivered_at: null,
    read_at: null,
    failed_at: null,
    interacted_at: null,
    late_interaction_at: null,
    pricing_category: null,
    pricing_type: null,
    billable: null,
    created_by: null,
    created_at: at,
  }
}

const ANSWERS = ['Yes', 'Thank you', 'Tell me more', 'How much is it?', 'Oui, merci', '👍'] as const
const QUESTIONS = ['We are open until seven.', 'Your parcel has left.', 'See you on Friday!'] as const
const NO_TEXT: Text = { type: 'text', params: '', body: '' }

/** A contact as far as texts depend on it: so each text is made once for each first name. */
function addressee(first: number): ContactTable {
  const none = { phone_e164: null, email: null, username: null, attributes: null }
  return { name: FIRST_NAMES[first] ?? '', ...none } as unknown as ContactTable
}

const textOf = ({ content, body }: Rendered): Text => ({ type: content.type, params: JSON.stringify(content), body })

function perName(make: (contact: ContactTable) => Rendered | undefined): readonly Text[] {
  return FIRST_NAMES.map((_, first) =>
    textOf(make(addressee(first)) ?? { content: { type: 'text', body: '' }, body: '' }),
  )
}

interface Texts {
  /** By the index of the first name. */
  readonly first: readonly Text[]
  readonly second: readonly Text[]
  readonly secondCategory: string
}

function textsOf(plan: CampaignPlan, { templates }: Account): Texts {
  const reminder = templates.find(template => template.name === 'reminder')
  const second = message2Of(plan, reminder)
  const asTemplate = plan.kind === 'template' && reminder !== undefined
  return {
    first: perName(contact => templateContent(plan.template, plan.params, contact)),
    second: perName(contact =>
      asTemplate
        ? templateContent(reminder, JSON.parse(second.message2_params ?? '{}'), contact)
        : freeFormContent(second, contact),
    ),
    secondCategory: asTemplate ? reminder.category.toLowerCase() : 'service',
  }
}

interface Pen {
  readonly random: Random
  readonly now: number
  readonly accountId: string
  readonly people: People
  readonly counting: boolean
  made: number
}

function nameOf({ random, made }: Pen, at: number): Name {
  const wamid = `wamid.HBg${made.toString(36).padStart(7, '0')}${random.hex16().slice(0, 8)}`
  return { id: uuidv7(at, made % 0x1000, random.hex16()), wamid }
}

/** Notes that something went to or came from the contact. */
function see({ people }: Pen, index: number, at: number, inbound = false): void {
  people.lastSeen[index] = Math.max(people.lastSeen[index] ?? 0, at)
  if (inbound) people.lastInbound[index] = Math.max(people.lastInbound[index] ?? 0, at)
}

function count(plan: CampaignPlan, row: MessageTable): void {
  const contribution = contributionOf(row)
  for (const name of COUNTERS) plan.counters[name] += contribution[name]
  const { created_at, sent_at, failed_at, interacted_at, status } = row
  const endedAt = status === 'no_interaction' ? (sent_at ?? 0) + TIMEOUT : 0
  plan.lastAt = Math.max(plan.lastAt, created_at, sent_at ?? 0, failed_at ?? 0, interacted_at ?? 0, endedAt)
}

/** One recipient of a campaign: Message 1, and when they answered, the answer and Message 2. At most three rows. */
function* recipientRows(pen: Pen, plan: CampaignPlan, texts: Texts, index: number, at: number, place: number) {
  const { random, now, accountId, people } = pen
  const contactId = people.ids[index] ?? ''
  const first = people.first[index] ?? 0
  const common = { contactId, accountId, campaignId: plan.id }
  const fate = openingFate(random, plan, at, now, place)
  const category = plan.template.category.toLowerCase()
  const opening = outRow({
    ...common,
    name: nameOf(pen, at),
    createdAt: at,
    fate,
    text: texts.first[first] ?? NO_TEXT,
    category,
    step: 1,
  })
  if (pen.counting) count(plan, opening)
  see(pen, index, at)
  pen.made++
  yield opening
  const { interactedAt } = fate
  if (interactedAt === undefined) return
  const context = random.next() < 0.6 ? opening.wamid : null
  see(pen, index, interactedAt, true)
  yield inRow({ ...common, name: nameOf(pen, interactedAt), at: interactedAt, body: random.pick(ANSWERS), context })
  pen.made++
  if (plan.kind === 'none') return
  const second = {
    fate: travel(random, interactedAt, now),
    text: texts.second[first] ?? NO_TEXT,
    category: texts.secondCategory,
  }
  const answer = outRow({ ...common, ...second, name: nameOf(pen, interactedAt), createdAt: interactedAt, step: 2 })
  if (pen.counting) count(plan, answer)
  pen.made++
  yield answer
}

/** Of a hundred messages so many open a campaign; what they bring about is the greater part of the rest. */
const OPENING_SHARE = 55
const MOST_PER_RECIPIENT = 3

function* campaignMessages(pen: Pen, set: DataSet, { plans, account }: Written): Generator<MessageTable> {
  const started = plans.flatMap(plan => (plan.startedAt === null ? [] : [{ plan, startedAt: plan.startedAt }]))
  const share = Math.floor((set.messages * OPENING_SHARE) / 100 / started.length)
  for (const { plan, startedAt } of started) {
    const known = countAt(set, startedAt)
    const recipients = Math.min(known, share)
    const offset = pen.random.below(known)
    const texts = textsOf(plan, account)
    for (let index = 0; index < recipients && pen.made + MOST_PER_RECIPIENT <= set.messages; index++) {
      const place = (index + pen.random.next()) / recipients
      const at = Math.floor(startedAt + place * SENDING_SPAN)
      yield* recipientRows(pen, plan, texts, (offset + index) % known, at, place)
    }
  }
}

/** Outside campaigns: mostly from contacts, more and more of it towards today. */
function* conversation(pen: Pen, set: DataSet): Generator<MessageTable> {
  const { random, now, accountId, people } = pen
  const rest = set.messages - pen.made
  for (let turn = 0; turn < rest; turn++) {
    const at = Math.floor(now - 120 * DAY * (1 - (turn + random.next()) / rest) ** 2)
    const index = random.below(countAt(set, at))
    const common = { name: nameOf(pen, at), contactId: people.ids[index] ?? '', accountId }
    const inbound = random.next() < 0.75
    see(pen, index, at, inbound)
    pen.made++
    if (inbound) {
      yield inRow({ ...common, at, body: random.pick(ANSWERS), context: null })
      continue
    }
    const body = random.pick(QUESTIONS)
    const sent = {
      createdAt: at,
      fate: travel(random, at, now),
      text: textOf({ content: { type: 'text', body }, body }),
      category: 'service',
      campaignId: null,
      step: null,
    }
    yield outRow({ ...common, ...sent })
  }
}

/** The rows in the order they are made; moves the counters of the plans and what the people know of each other. */
export function* messageRows(set: DataSet, written: Written): Generator<MessageTable> {
  if (set.contacts === 0) return
  const random = createRandom(set.seed, STREAMS.messages)
  const pen: Pen = {
    random,
    now: set.now,
    accountId: written.account.id,
    people: written.people,
    counting: written.counting,
    made: 0,
  }
  yield* campaignMessages(pen, set, written)
  yield* conversation(pen, set)
}
