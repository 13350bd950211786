import { type Expression, type Kysely, type RawBuilder, sql } from 'kysely'
import { forUpdate } from '../database/portable.ts'
import type { ContactTable, Tables, TemplateTable } from '../database/schema.ts'
import { recipientOf } from '../messages/content.ts'
import type { Work } from '../work.ts'

type Db = Kysely<Tables>

export type Addressable = Pick<
  ContactTable,
  | 'id'
  | 'name'
  | 'phone_e164'
  | 'wa_id'
  | 'bsuid'
  | 'email'
  | 'username'
  | 'attributes'
  | 'opt_in_at'
  | 'opt_out_at'
  | 'window_expires_at'
>

export const ADDRESSABLE = [
  'id',
  'name',
  'phone_e164',
  'wa_id',
  'bsuid',
  'email',
  'username',
  'attributes',
  'opt_in_at',
  'opt_out_at',
  'window_expires_at',
] as const

/** Why somebody of the audience is not written to. Kept as a skipped row, so the audience adds up. */
export type SkipReason =
  | 'opted_out'
  | 'no_opt_in'
  | 'no_identifier'
  | 'no_parameters'
  | 'window_closed'
  | 'contact_deleted'
  | 'cancelled'

/** Marketing goes to those who asked for it; other templates to whoever has not said no. */
export function asksOptIn({ category }: Pick<TemplateTable, 'category'>): boolean {
  return category.toUpperCase() === 'MARKETING'
}

/** Why the contact may not be sent the template at all; undefined when they may. */
export function barred(contact: Addressable, template: Pick<TemplateTable, 'category'>): SkipReason | undefined {
  if (contact.opt_out_at !== null) return 'opted_out'
  if (asksOptIn(template) && contact.opt_in_at === null) return 'no_opt_in'
  return recipientOf(contact) === undefined ? 'no_identifier' : undefined
}

/**
 * The next contacts of the categories behind `after`, in the order of their ids, each once. One range of the index for
 * each category: a condition over all of them would make the database sort the whole audience for each batch.
 */
export async function nextAudience(
  { trx, engine }: Work,
  categoryIds: readonly string[],
  after: string,
  limit: number,
): Promise<{ readonly ids: readonly string[]; readonly contacts: ReadonlyMap<string, Addressable> }> {
  const found = new Set<string>()
  for (const categoryId of categoryIds) {
    const rows = await trx
      .selectFrom('contact_categories')
      .select('contact_id')
      .where('category_id', '=', categoryId)
      .where('contact_id', '>', after)
      .orderBy('contact_id')
      .limit(limit)
      .execute()
    for (const { contact_id } of rows) found.add(contact_id)
  }
  const ids = [...found].sort().slice(0, limit)
  if (ids.length === 0) return { ids, contacts: new Map() }
  // Locked: one that is deleted between here and the insert would break the message's reference.
  const rows = await trx
    .selectFrom('contacts')
    .select(ADDRESSABLE)
    .where('id', 'in', ids)
    .orderBy('id')
    .$call(forUpdate(engine))
    .execute()
  return { ids, contacts: new Map(rows.map(row => [row.id, row])) }
}

export interface AudienceCount {
  readonly total: number
  readonly opted_out: number
  /** Only where the template asks for it. */
  readonly no_opt_in: number
  readonly no_identifier: number
  readonly reachable: number
}

/** Counts the audience as it is now: one query. */
export async function countAudience(db: Db, categoryIds: readonly string[], optIn: boolean): Promise<AudienceCount> {
  if (categoryIds.length === 0) return { total: 0, opted_out: 0, no_opt_in: 0, no_identifier: 0, reachable: 0 }
  const out = sql`opt_out_at is not null`
  const noOptIn = optIn ? sql`opt_out_at is null and opt_in_at is null` : sql`1 = 0`
  const allowed = optIn ? sql`opt_out_at is null and opt_in_at is not null` : sql`opt_out_at is null`
  const nowhere = sql`(phone_e164 is null and wa_id is null and bsuid is null)`
  const countIf = (condition: Expression<unknown>): RawBuilder<number> =>
    sql<number>`coalesce(sum(case when ${condition} then 1 else 0 end), 0)`
  return await db
    .selectFrom('contacts')
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('contact_categories')
          .select('contact_id')
          .whereRef('contact_id', '=', 'contacts.id')
          .where('category_id', 'in', [...categoryIds]),
      ),
    )
    .select(({ fn }) => [
      fn.countAll<number>().as('total'),
      countIf(out).as('opted_out'),
      countIf(noOptIn).as('no_opt_in'),
      countIf(sql`${allowed} and ${nowhere}`).as('no_identifier'),
      countIf(sql`${allowed} and not ${nowhere}`).as('reachable'),
    ])
    .executeTakeFirstOrThrow()
}
