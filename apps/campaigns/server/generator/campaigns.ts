import type {
  CampaignCategoryTable,
  CampaignStatus,
  CampaignTable,
  CategoryTable,
  Message2Kind,
  TemplateTable,
} from '../database/schema.ts'
import { uuidv7 } from '../ids.ts'
import type { Params } from '../messages/content.ts'
import { type Counter, COUNTERS } from '../messages/counters.ts'
import type { Account } from './account.ts'
import { type DataSet, DAY, HOUR, STREAMS } from './data-set.ts'
import { createRandom, type Random } from './random.ts'

/** A campaign as it is planned; its messages then move its counters, and say how it ended. */
export interface CampaignPlan {
  readonly id: string
  readonly name: string
  /** Of running ones only until their messages are made: with nobody open they have been completed. */
  readonly status: CampaignStatus
  readonly createdAt: number
  readonly startedAt: number | null
  readonly scheduledAt: number | null
  readonly template: TemplateTable
  readonly params: Params
  readonly kind: Message2Kind
  readonly fallback: TemplateTable | null
  readonly acceptLate: boolean
  readonly ratePerMinute: number | null
  readonly categories: readonly CategoryTable[]
  readonly counters: Record<Counter, number>
  /** When the last of what happened to it happened. */
  lastAt: number
}

const CAMPAIGN_COUNT = 60
const RUNNING = 3
/** Message 1 goes out over so long. */
export const SENDING_SPAN: number = 8 * HOUR
const TOPICS = [
  ...(['Spring offer', 'New arrivals', 'Survey', 'Event invitation', 'Back in stock'] as const),
  ...(['Thank you', 'Last days'] as const),
] as const
const UNSTARTED: readonly CampaignStatus[] = ['draft', 'draft', 'draft', 'scheduled', 'scheduled']
const ENDED = ['completed', 'completed', 'completed', 'completed', 'completed', 'cancelled', 'paused'] as const
const KINDS = ['text', 'text', 'interactive', 'template', 'none'] as const
const PARAMS: Params = { 1: { field: 'first_name', fallback: 'vous' }, 2: '30 juin' }
const MESSAGE2_TEXT = 'Merci {{first_name}} ! Montrez ce message en magasin pour en profiter.'
const BUTTONS = [
  { id: 'where', title: 'Où ?' },
  { id: 'when', title: 'Quand ?' },
]

/**
 * When the campaign began. Nobody it wrote to may be overdue for the 24-hour task at `now`: those that run wrote to
 * everybody less than a day ago, all others to nobody for a day and more.
 */
function startOf(random: Random, now: number, index: number, begun: number): number {
  const before = begun - index
  if (before <= RUNNING) return now - 9 * HOUR - 4 * HOUR * (before - 1)
  const age = (before / begun) ** 2 * 118 * DAY
  return Math.floor(now - age - 40 * HOUR - 20 * HOUR * random.next())
}

/** The last five have not begun; the rest began within 120 days, half of them within the last 30. */
export function makeCampaigns(
  { seed, now }: DataSet,
  { templates }: Account,
  categories: readonly CategoryTable[],
): CampaignPlan[] {
  const random = createRandom(seed, STREAMS.campaigns)
  const begun = CAMPAIGN_COUNT - UNSTARTED.length
  const named = (name: string): TemplateTable[] => templates.filter(template => template.name === name)
  const [reminder = null] = named('reminder')
  const openers = [...named('spring_offer'), ...named('reminder')] as [TemplateTable, ...TemplateTable[]]
  return Array.from({ length: CAMPAIGN_COUNT }, (_, index) => {
    const unstarted = UNSTARTED[index - begun]
    const startedAt = unstarted === undefined ? startOf(random, now, index, begun) : null
    const createdAt = (startedAt ?? now) - 2 * DAY - random.below(DAY)
    const ended = random.pick(ENDED)
    const template = random.pick(openers)
    const kind = random.pick(KINDS)
    const first = random.below(categories.length)
    return {
      id: uuidv7(createdAt, index, random.hex16()),
      name: `${random.pick(TOPICS)} ${index + 1}`,
      status: unstarted ?? (begun - index <= RUNNING ? 'running' : ended),
      createdAt,
      startedAt,
      scheduledAt: unstarted === 'scheduled' ? now + (1 + random.below(7)) * DAY : null,
      template,
      params: template.name === 'spring_offer' ? PARAMS : { 1: PARAMS[1] ?? '' },
      kind,
      fallback: kind === 'text' || kind === 'interactive' ? reminder : null,
      acceptLate: random.next() < 0.2,
      ratePerMinute: random.pick([null, null, 600, 1200]),
      categories: [0, 7]
        .slice(0, 1 + random.below(2))
        .flatMap(step => categories[(first + step) % categories.length] ?? []),
      counters: Object.fromEntries(COUNTERS.map(name => [name, 0])) as Record<Counter, number>,
      lastAt: startedAt ?? createdAt,
    }
  })
}

type Message2 = Pick<
  CampaignTable,
  | 'message2_kind'
  | 'message2_body'
  | 'message2_buttons'
  | 'message2_template_id'
  | 'message2_params'
  | 'fallback_template_id'
  | 'fallback_params'
>

/** What Message 2 is made of. */
export function message2Of({ kind, fallback }: CampaignPlan, reminder: TemplateTable | undefined): Message2 {
  const free = kind === 'text' || kind === 'interactive'
  const json = JSON.stringify({ 1: PARAMS[1] })
  return {
    message2_kind: kind,
    message2_body: free ? MESSAGE2_TEXT : null,
    message2_buttons: kind === 'interactive' ? JSON.stringify(BUTTONS) : null,
    message2_template_id: kind === 'template' ? (reminder?.id ?? null) : null,
    message2_params: kind === 'template' ? json : null,
    fallback_template_id: fallback?.id ?? null,
    fallback_params: fallback === null ? null : json,
  }
}

function statusOf({ status, counters }: CampaignPlan): CampaignStatus {
  return status === 'running' && counters.open_count === 0 ? 'completed' : status
}

/** The rows, once the messages of all campaigns have been counted. */
export function* campaignRows(plans: readonly CampaignPlan[], { id, templates }: Account): Generator<CampaignTable> {
  const reminder = templates.find(template => template.name === 'reminder')
  for (const plan of plans) {
    const { startedAt, createdAt, lastAt, template, params } = plan
    const status = statusOf(plan)
    yield {
      id: plan.id,
      name: plan.name,
      status,
      account_id: id,
      message1_template_id: template.id,
      message1_params: JSON.stringify(params),
      ...message2Of(plan, reminder),
      interaction_timeout_h: 24,
      accept_late: Number(plan.acceptLate),
      rate_per_minute: plan.ratePerMinute,
      scheduled_at: plan.scheduledAt,
      started_at: startedAt,
      completed_at: status === 'completed' ? lastAt : null,
      planned_at: startedAt,
      plan_cursor: null,
      ...plan.counters,
      reason: status === 'paused' ? 'Paused by hand.' : null,
      created_by: null,
      version: 1,
      created_at: createdAt,
      updated_at: Math.max(createdAt, lastAt),
    }
  }
}

export function* audienceRows(plans: readonly CampaignPlan[]): Generator<CampaignCategoryTable> {
  for (const { id, categories } of plans) {
    for (const category of categories) yield { campaign_id: id, category_id: category.id, category_name: category.name }
  }
}
