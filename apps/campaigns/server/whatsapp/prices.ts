import { readFileSync } from 'node:fs'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { parsePhoneNumberFromString } from 'libphonenumber-js/min'
import type { RateTable, Tables } from '../database/schema.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'

/**
 * What messages cost: rates are rows that people keep, by category, country and the day they come into force. While there
 * are none, examples stand in, and every answer says so.
 */
type Db = Kysely<Tables>

export type Rate = Omit<RateTable, 'id'>

export interface Rates {
  readonly rates: readonly Rate[]
  /** Nobody has put in rates of their own. */
  readonly examples: boolean
  readonly source: string | null
}

interface ExampleFile {
  readonly source: string
  readonly rates: readonly (Omit<Rate, 'effective_from'> & { readonly effective_from: string })[]
}

function readExamples(): Rates {
  const file = new URL('./example-rates.json', import.meta.url)
  const { source, rates } = JSON.parse(readFileSync(file, 'utf8')) as ExampleFile
  return {
    rates: rates.map(rate => ({ ...rate, effective_from: Date.parse(rate.effective_from) })),
    examples: true,
    source,
  }
}

const EXAMPLES = readExamples()

export async function readRates(db: Db): Promise<Rates> {
  const rates = await db
    .selectFrom('message_rates')
    .select(['category', 'country', 'currency', 'micros', 'free_per_month', 'effective_from'])
    .orderBy('category')
    .orderBy('country')
    .orderBy('effective_from')
    .execute()
  return rates.length === 0 ? EXAMPLES : { rates, examples: false, source: null }
}

/** Replaces all rates. */
export async function replaceRates({ newId }: Services, work: Work, rates: readonly Rate[]): Promise<Rates> {
  const before = await readRates(work.trx)
  await work.trx.deleteFrom('message_rates').execute()
  const rows = rates.map(rate => ({ id: newId(), ...rate }))
  if (rows.length > 0) await work.trx.insertInto('message_rates').values(rows).execute()
  const after = await readRates(work.trx)
  await work.record({
    action: 'rates.replace',
    entity: 'rates',
    id: null,
    before: { rates: before.rates },
    after: { rates: after.rates },
  })
  // Every campaign's cost is old: they are few enough to name.
  const campaigns = await work.trx.selectFrom('campaigns').select('id').where('status', '!=', 'draft').execute()
  work.touch(...campaigns.map(({ id }) => `campaign:${id}` as const))
  return after
}

/** The rate in force at that time: the country's own, or that of all others. */
function rateFor(rates: readonly Rate[], category: string, country: string, at: number): Rate | undefined {
  const inForce = (where: string): Rate | undefined =>
    rates
      .filter(rate => rate.category === category && rate.country === where && rate.effective_from <= at)
      .toSorted((a, b) => b.effective_from - a.effective_from)[0]
  return inForce(country) ?? inForce('*')
}

export interface Cost {
  readonly amounts: readonly { readonly currency: string; readonly micros: number }[]
  readonly billable: number
  /** Billable, but within what a number may send for nothing in a month. */
  readonly free: number
  /** Billable, and no rate says what they cost. */
  readonly unpriced: number
  readonly example_rates: boolean
}

/** When a message left, or was last known to be under way. */
const LEFT = sql<number>`coalesce(m.sent_at, m.accepted_at, m.created_at)`
/** Enough of a phone for its country, where several share a calling code. */
const PREFIX_LENGTH = 6

interface Group {
  readonly category: string
  readonly sample: string | null
  readonly first: number
  readonly count: number
}

/** Messages in groups in which each has the same category, country and rates in force: a bounded number of rows. */
async function groupBillable(db: Db, rates: readonly Rate[], conditions: RawBuilder<unknown>): Promise<Group[]> {
  const changes = [...new Set(rates.map(rate => rate.effective_from))]
  const period = changes.reduce<RawBuilder<number>>(
    (sum, from) => sql<number>`${sum} + case when ${LEFT} >= ${sql.lit(from)} then 1 else 0 end`,
    sql<number>`0`,
  )
  const prefix = sql<string>`substr(c.phone_e164, 1, ${sql.lit(PREFIX_LENGTH)})`
  const { rows } = await sql<Group>`
    select m.pricing_category as category, min(c.phone_e164) as sample, min(${LEFT}) as first, count(*) as count
    from messages m left join contacts c on c.id = m.contact_id
    where m.billable = 1 and m.pricing_category is not null and ${conditions}
    group by m.pricing_category, ${prefix}, ${period}`.execute(db)
  return rows
}

const monthOf = (time: number, more: number): number => {
  const date = new Date(time)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + more)
}

function freePerMonth(rates: readonly Rate[], category: string, at: number): number {
  const inForce = rates.filter(rate => rate.category === category && rate.effective_from <= at)
  return Math.max(0, ...inForce.map(rate => rate.free_per_month))
}

interface Quota {
  readonly category: string
  readonly from: number
  readonly to: number
  readonly free: number
}

/** The months in which the campaign sent messages of a category of which some are free. */
async function quotasOf(db: Db, rates: readonly Rate[], campaignId: string): Promise<Quota[]> {
  const categories = [...new Set(rates.filter(rate => rate.free_per_month > 0).map(rate => rate.category))]
  if (categories.length === 0) return []
  const { rows } = await sql<{ category: string; first: number | null; last: number | null }>`
    select m.pricing_category as category, min(${LEFT}) as first, max(${LEFT}) as last from messages m
    where m.campaign_id = ${campaignId} and m.billable = 1 and m.pricing_category in (${sql.join(categories)})
    group by m.pricing_category`.execute(db)
  return rows.flatMap(({ category, first, last }) => {
    const quotas: Quota[] = []
    for (let from = monthOf(Number(first), 0); from <= Number(last); from = monthOf(from, 1)) {
      const to = monthOf(from, 1)
      const free = freePerMonth(rates, category, to - 1)
      if (free > 0) quotas.push({ category, from, to, free })
    }
    return quotas
  })
}

/** The messages of the campaign that the number sent while it still had free ones: the first of its month. */
async function freeMessages(
  db: Db,
  accountId: string | null,
  campaignId: string,
  quota: Quota,
): Promise<RawBuilder<unknown>> {
  const { category, from, to, free } = quota
  const month = sql`m.pricing_category = ${category} and m.sent_at >= ${from} and m.sent_at < ${to}`
  const { rows } = await sql<{ id: string; sent_at: number }>`
    select m.id, m.sent_at from messages m where m.account_id = ${accountId} and m.billable = 1 and ${month}
    order by m.sent_at, m.id limit 1 offset ${sql.lit(free)}`.execute(db)
  const [charged] = rows
  const mine = sql`m.campaign_id = ${campaignId} and ${month}`
  if (charged === undefined) return mine
  const { id, sent_at } = charged
  return sql`${mine} and (m.sent_at < ${sent_at} or (m.sent_at = ${sent_at} and m.id < ${id}))`
}

function priceOf(rates: readonly Rate[], { category, sample, first }: Group): Rate | undefined {
  const country = sample === null ? undefined : parsePhoneNumberFromString(sample)?.country
  return rateFor(rates, category, country ?? '*', first)
}

/** What a campaign's messages cost by the present rates: a number of queries that does not grow with the messages. */
export async function campaignCost(
  db: Db,
  campaign: { readonly id: string; readonly account_id: string | null },
): Promise<Cost> {
  const { rates, examples: example_rates } = await readRates(db)
  const groups = await groupBillable(db, rates, sql`m.campaign_id = ${campaign.id}`)
  const amounts = new Map<string, number>()
  let unpriced = 0
  const add = (group: Group, sign: 1 | -1): void => {
    const rate = priceOf(rates, group)
    if (rate === undefined) unpriced += sign * group.count
    else amounts.set(rate.currency, (amounts.get(rate.currency) ?? 0) + sign * group.count * rate.micros)
  }
  for (const group of groups) add(group, 1)
  let free = 0
  for (const quota of await quotasOf(db, rates, campaign.id)) {
    const condition = await freeMessages(db, campaign.account_id, campaign.id, quota)
    for (const group of await groupBillable(db, rates, condition)) {
      add(group, -1)
      free += group.count
    }
  }
  return {
    amounts: [...amounts]
      .map(([currency, micros]) => ({ currency, micros }))
      .sort((a, b) => (a.currency < b.currency ? -1 : 1)),
    billable: groups.reduce((sum, group) => sum + group.count, 0),
    free,
    unpriced,
    example_rates,
  }
}
