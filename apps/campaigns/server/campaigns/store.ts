import { type Kysely, sql } from 'kysely'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import type { CampaignStatus, CampaignTable, Tables } from '../database/schema.ts'
import type { Params } from '../messages/content.ts'
import { badFields, notFound, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import type { ReplyButton } from '../whatsapp/port.ts'
import type { Work } from '../work.ts'
import { type CampaignAction, actionsOf, lockFor } from './lifecycle.ts'
import { refuseUnready } from './readiness.ts'

type Db = Kysely<Tables>

/** Stored as JSON. */
interface Decoded {
  readonly message1_params: Params | null
  readonly message2_buttons: readonly ReplyButton[] | null
  readonly message2_params: Params | null
  readonly fallback_params: Params | null
  readonly accept_late: boolean
}

interface CategoryName {
  readonly id: string
  readonly name: string
}

export interface Campaign extends Omit<CampaignTable, keyof Decoded | 'plan_cursor'>, Decoded {
  readonly categories: readonly CategoryName[]
  /** What may be done with it now. */
  readonly actions: readonly CampaignAction[]
}

/** What people write of a campaign. */
export type CampaignInput = Pick<
  CampaignTable,
  | 'name'
  | 'account_id'
  | 'message1_template_id'
  | 'message2_kind'
  | 'message2_body'
  | 'message2_template_id'
  | 'fallback_template_id'
  | 'interaction_timeout_h'
  | 'rate_per_minute'
> &
  Decoded & { readonly category_ids: readonly string[] }

export interface CampaignFilter {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly status?: CampaignStatus | undefined
}

function parsed<T>(json: string | null): T | null {
  return json === null ? null : (JSON.parse(json) as T)
}

function shape({ plan_cursor: _, ...row }: CampaignTable, categories: readonly CategoryName[]): Campaign {
  return {
    ...row,
    message1_params: parsed(row.message1_params),
    message2_buttons: parsed(row.message2_buttons),
    message2_params: parsed(row.message2_params),
    fallback_params: parsed(row.fallback_params),
    accept_late: row.accept_late === 1,
    categories,
    actions: actionsOf(row.status),
  }
}

async function withCategories(db: Db, rows: readonly CampaignTable[]): Promise<Campaign[]> {
  if (rows.length === 0) return []
  const found = await db
    .selectFrom('campaign_categories')
    .selectAll()
    .where(
      'campaign_id',
      'in',
      rows.map(row => row.id),
    )
    .orderBy('category_name')
    .execute()
  return rows.map(row => {
    const mine = found.filter(({ campaign_id }) => campaign_id === row.id)
    return shape(
      row,
      mine.map(({ category_id, category_name }) => ({ id: category_id, name: category_name })),
    )
  })
}

/** A page of campaigns, newest first: two queries. */
export async function listCampaigns(db: Db, cursors: Cursors, filter: CampaignFilter): Promise<Page<Campaign>> {
  const { limit, status } = filter
  const list = `campaigns ${JSON.stringify([status])}`
  const position = cursors.read(list, filter.cursor)
  let query = db
    .selectFrom('campaigns')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
  if (status !== undefined) query = query.where('status', '=', status)
  if (position !== undefined) {
    query = query.where(behind('created_at', 'id', position))
  }
  const after = (row: CampaignTable): string => cursors.write(list, [row.created_at, row.id])
  const page = cutPage(await query.execute(), limit, after, row => row)
  return { ...page, items: await withCategories(db, page.items) }
}

export async function findCampaignRow(db: Db, id: string): Promise<CampaignTable> {
  const row = await db.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw notFound('campaign', id)
  return row
}

export async function findCampaign(db: Db, id: string): Promise<Campaign> {
  const [campaign] = await withCategories(db, [await findCampaignRow(db, id)])
  if (campaign === undefined) throw notFound('campaign', id)
  return campaign
}

export async function categoryIdsOf(db: Db, campaignId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('campaign_categories')
    .select('category_id')
    .where('campaign_id', '=', campaignId)
    .orderBy('category_id')
    .execute()
  return rows.map(row => row.category_id)
}

const json = (value: object | null): string | null => (value === null ? null : JSON.stringify(value))

function columnsOf(input: Partial<CampaignInput>): Partial<CampaignTable> {
  const { category_ids: _, message1_params, message2_buttons, message2_params, fallback_params, ...rest } = input
  const { accept_late, ...plain } = rest
  return {
    ...plain,
    ...(accept_late === undefined ? {} : { accept_late: Number(accept_late) }),
    ...(message1_params === undefined ? {} : { message1_params: json(message1_params) }),
    ...(message2_buttons === undefined ? {} : { message2_buttons: json(message2_buttons) }),
    ...(message2_params === undefined ? {} : { message2_params: json(message2_params) }),
    ...(fallback_params === undefined ? {} : { fallback_params: json(fallback_params) }),
  }
}

async function setCategories({ trx }: Work, campaign_id: string, ids: readonly string[]): Promise<void> {
  const wanted = [...new Set(ids)]
  await trx.deleteFrom('campaign_categories').where('campaign_id', '=', campaign_id).execute()
  if (wanted.length === 0) return
  const found = await trx.selectFrom('categories').select(['id', 'name']).where('id', 'in', wanted).execute()
  const unknown = wanted.filter(id => !found.some(row => row.id === id))
  if (unknown.length > 0) {
    const expected = 'ids of categories that exist'
    throw badFields([{ field: 'body.category_ids', expected, received: received(unknown) }])
  }
  const rows = found.map(row => ({ campaign_id, category_id: row.id, category_name: row.name }))
  await trx.insertInto('campaign_categories').values(rows).execute()
}

/** The account of whoever names none: the first that works. */
async function firstAccount({ trx }: Work): Promise<string | null> {
  const row = await trx
    .selectFrom('wa_accounts')
    .select('id')
    .where('status', '=', 'active')
    .orderBy('created_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.id ?? null
}

export async function createCampaign(
  { newId, search }: Services,
  work: Work,
  input: Omit<CampaignInput, 'account_id'> & { readonly account_id?: string | null },
): Promise<Campaign> {
  const { at, actor } = work
  const id = newId()
  const account_id = input.account_id ?? (await firstAccount(work))
  const row = {
    ...columnsOf({ ...input, account_id }),
    id,
    status: 'draft',
    created_by: actor.userId,
    created_at: at,
    updated_at: at,
  }
  const counters = { total: 0, queued: 0, sent: 0, delivered: 0, read: 0, interacted: 0, message2_sent: 0 }
  const ends = { failed_count: 0, no_interaction_count: 0, skipped: 0 }
  const whole = { ...row, ...counters, ...ends, version: 1 } as unknown as CampaignTable
  await work.trx.insertInto('campaigns').values(whole).execute()
  await setCategories(work, id, input.category_ids)
  const campaign = await findCampaign(work.trx, id)
  await work.record({ action: 'campaign.create', entity: 'campaign', id, after: written(campaign) })
  await search.changed(work, 'campaign', [id])
  work.touch('campaigns', `campaign:${id}`)
  return campaign
}

const WRITTEN = [
  'name',
  'account_id',
  'message1_template_id',
  'message1_params',
  'message2_kind',
  'message2_body',
  'message2_buttons',
  'message2_template_id',
  'message2_params',
  'fallback_template_id',
  'fallback_params',
  'interaction_timeout_h',
  'accept_late',
  'rate_per_minute',
  'scheduled_at',
  'categories',
  'version',
] as const

/** What people wrote, for the history: the counters move without them. */
function written(campaign: Campaign): object {
  return Object.fromEntries(WRITTEN.map(name => [name, campaign[name]]))
}

/** Changes a campaign that has not begun. `version` is the one that was edited: of two who save it, one is refused. */
export async function updateCampaign(
  { search }: Services,
  work: Work,
  id: string,
  version: number,
  change: Partial<CampaignInput>,
): Promise<Campaign> {
  const row = await lockFor(work, id, 'edit')
  const before = await findCampaign(work.trx, id)
  const { numUpdatedRows } = await work.trx
    .updateTable('campaigns')
    .set({ ...columnsOf(change), version: sql`version + 1`, updated_at: Math.max(work.at, row.updated_at + 1) })
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) {
    const detail = `body.version: expected ${row.version}, the present one, received ${version}: somebody has changed the campaign meanwhile.`
    throw new Problem(409, detail, { version: row.version })
  }
  if (change.category_ids !== undefined) await setCategories(work, id, change.category_ids)
  // A scheduled campaign begins when nobody looks, so it stays complete.
  if (row.status === 'scheduled') await refuseUnready(work.trx, id)
  const campaign = await findCampaign(work.trx, id)
  await work.record({
    action: 'campaign.update',
    entity: 'campaign',
    id,
    before: written(before),
    after: written(campaign),
  })
  if (campaign.name !== row.name) await search.changed(work, 'campaign', [id])
  work.touch('campaigns', `campaign:${id}`)
  return campaign
}

/** Takes the campaign and its messages away. */
export async function deleteCampaign({ search }: Services, work: Work, id: string): Promise<void> {
  const campaign = await findCampaign(work.trx, id)
  await lockFor(work, id, 'delete')
  await work.trx.deleteFrom('campaigns').where('id', '=', id).execute()
  await work.record({ action: 'campaign.delete', entity: 'campaign', id, before: written(campaign) })
  await search.changed(work, 'campaign', [id])
  work.touch('campaigns', `campaign:${id}`, 'messages')
}
