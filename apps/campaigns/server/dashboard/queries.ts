import { sql, type Transaction } from 'kysely'
import { largestCategories } from '../categories/store.ts'
import type { Database } from '../database/open.ts'
import { dayNumber } from '../database/portable.ts'
import type { CampaignStatus, MessageStatus, Tables } from '../database/schema.ts'
import type { Engine } from '../database/url.ts'

/**
 * The dashboard: seven queries in one read transaction, so that all numbers are of the same moment. Periods are whole
 * UTC days; a dashboard that is kept until the next write can then be wrong only by the day, and the day is in its key.
 */
export interface Dashboard {
  /** When the queries began, and how many milliseconds all seven took. */
  readonly generated_at: number
  readonly computed_ms: number
  readonly period: { readonly from: number; readonly days: number }
  readonly contacts: { readonly total: number; readonly new: number }
  /** The ten largest. */
  readonly categories: readonly {
    readonly id: string
    readonly name: string
    readonly color: string
    readonly contact_count: number
  }[]
  readonly messages: {
    readonly total: number
    readonly by_status: readonly { readonly status: MessageStatus; readonly count: number }[]
  }
  /** One entry for each of the last 30 days, today included, days without messages too. */
  readonly per_day: readonly { readonly day: string; readonly count: number }[]
  readonly campaigns: readonly {
    readonly status: CampaignStatus
    readonly count: number
    readonly sent: number
    readonly read: number
    /** read / sent, from 0 to 1. */
    readonly read_rate: number
  }[]
  readonly problems: readonly {
    readonly status: 'failed' | 'no_interaction'
    readonly error_code: number | null
    readonly count: number
  }[]
  /** Half of the messages read in the period were read within this time of being sent; null when none was. */
  readonly median_read_ms: number | null
}

const DAY_MS = 86_400_000
export const DAYS = 30

type Trx = Transaction<Tables>

export const dayOf = (time: number): number => Math.floor(time / DAY_MS)

const count = sql<number>`count(*)`.as('count')

async function contactTotals(trx: Trx, from: number): Promise<Dashboard['contacts']> {
  return await trx
    .selectFrom('contacts')
    .select(sql<number>`count(*)`.as('total'))
    .select(sql<number>`coalesce(sum(case when created_at >= ${from} then 1 else 0 end), 0)`.as('new'))
    .executeTakeFirstOrThrow()
}

async function messagesByStatus(trx: Trx, from: number) {
  return await trx
    .selectFrom('messages')
    .select(['status', count])
    .where('created_at', '>=', from)
    .groupBy('status')
    .orderBy('count', 'desc')
    .orderBy('status')
    .execute()
}

async function messagesPerDay(trx: Trx, engine: Engine, today: number): Promise<Dashboard['per_day']> {
  const first = today - 29
  const rows = await trx
    .selectFrom('messages')
    .select([dayNumber(engine, 'created_at').as('day'), count])
    .where('created_at', '>=', first * DAY_MS)
    .groupBy('day')
    .execute()
  const counts = new Map(rows.map(row => [row.day, row.count]))
  return Array.from({ length: 30 }, (_, at) => {
    const day = first + at
    return { day: new Date(day * DAY_MS).toISOString().slice(0, 10), count: counts.get(day) ?? 0 }
  })
}

async function campaignsByStatus(trx: Trx): Promise<Dashboard['campaigns']> {
  const rows = await trx
    .selectFrom('campaigns')
    .select(['status', count])
    .select(({ fn }) => [fn.sum<number>('sent').as('sent'), fn.sum<number>('read').as('read')])
    .groupBy('status')
    .orderBy('status')
    .execute()
  return rows.map(row => ({ ...row, read_rate: row.sent === 0 ? 0 : Number((row.read / row.sent).toFixed(4)) }))
}

async function problems(trx: Trx, from: number): Promise<Dashboard['problems']> {
  return await trx
    .selectFrom('messages')
    .select(['status', 'error_code', count])
    .where('status', 'in', ['failed', 'no_interaction'])
    .where('created_at', '>=', from)
    .groupBy(['status', 'error_code'])
    .orderBy('count', 'desc')
    .orderBy('status')
    .orderBy('error_code')
    .$narrowType<{ status: 'failed' | 'no_interaction' }>()
    .execute()
}

async function medianReadTime(trx: Trx, from: number): Promise<number | null> {
  const delays = trx
    .selectFrom('messages')
    .select(sql<number>`read_at - sent_at`.as('delay'))
    .where('created_at', '>=', from)
    .where('read_at', 'is not', null)
    .where('sent_at', 'is not', null)
  const ranked = trx
    .selectFrom(delays.as('delays'))
    .select('delay')
    .select(sql<number>`row_number() over (order by delay)`.as('place'))
    .select(sql<number>`count(*) over ()`.as('total'))
  const { median } = await trx
    .selectFrom(ranked.as('ranked'))
    .select(({ fn }) => fn.avg<number | null>('delay').as('median'))
    .where(sql<boolean>`place between total / 2.0 and total / 2.0 + 1`)
    .executeTakeFirstOrThrow()
  return median === null ? null : Math.round(median)
}

export async function readDashboard(database: Database, now: number, signal: AbortSignal): Promise<Dashboard> {
  const began = performance.now()
  const today = dayOf(now)
  const from = (today - DAYS + 1) * DAY_MS
  const read = async (trx: Trx) => {
    const step = async <T>(query: Promise<T>): Promise<T> => {
      const rows = await query
      signal.throwIfAborted()
      return rows
    }
    const by_status = await step(messagesByStatus(trx, from))
    return {
      contacts: await step(contactTotals(trx, from)),
      categories: await step(largestCategories(trx, 10)),
      messages: { total: by_status.reduce((total, row) => total + row.count, 0), by_status },
      per_day: await step(messagesPerDay(trx, database.engine, today)),
      campaigns: await step(campaignsByStatus(trx)),
      problems: await step(problems(trx, from)),
      median_read_ms: await step(medianReadTime(trx, from)),
    }
  }
  // One snapshot: without it two of the seven could see different commits.
  const snapshot = database.reader.transaction().setIsolationLevel('repeatable read')
  const numbers = await snapshot.execute(read)
  const computed_ms = Math.round(performance.now() - began)
  const categories = numbers.categories.map(({ id, name, color, contact_count }) => ({
    id,
    name,
    color,
    contact_count,
  }))
  return { generated_at: now, computed_ms, period: { from, days: DAYS }, ...numbers, categories }
}
