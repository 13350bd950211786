import type { AnswerOf } from '../../data/client.ts'
import { categoryDelta, type Pending, totalDelta } from '../../data/pending.ts'
import type { Category, Contact } from '../../data/things.ts'

export type DashboardValue = AnswerOf<'GET /dashboard'>

/** The seven figures at the top. Null where there is nothing to divide by. */
export interface Figures {
  readonly contacts: number
  readonly fresh: number
  readonly messages: number
  readonly sent: number
  readonly read: number
  readonly readRate: number | null
  readonly running: number
  readonly campaigns: number
  readonly problems: number
  readonly medianReadMs: number | null
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

export function figuresOf(value: DashboardValue): Figures {
  const sent = sum(value.campaigns.map(one => one.sent))
  const read = sum(value.campaigns.map(one => one.read))
  return {
    contacts: value.contacts.total,
    fresh: value.contacts.new,
    messages: value.messages.total,
    sent,
    read,
    readRate: sent === 0 ? null : read / sent,
    running: sum(value.campaigns.filter(one => one.status === 'running').map(one => one.count)),
    campaigns: sum(value.campaigns.map(one => one.count)),
    problems: sum(value.problems.map(one => one.count)),
    medianReadMs: value.median_read_ms,
  }
}

/** The dashboard as it will be once the server has shown what this person has just done. */
export function withPending(
  value: DashboardValue,
  pending: readonly Pending<Contact, Category>[],
  asked: number | undefined,
): DashboardValue {
  if (pending.length === 0) return value
  const { from } = value.period
  return {
    ...value,
    contacts: {
      total: value.contacts.total + totalDelta(pending, asked),
      new: value.contacts.new + totalDelta(pending, asked, contact => contact.created_at >= from),
    },
    categories: value.categories.map(one => ({
      ...one,
      contact_count: one.contact_count + categoryDelta(pending, one.id, asked),
    })),
  }
}
