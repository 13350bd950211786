import type { Kysely, Transaction } from 'kysely'
import { insertIfAbsent, isMissingReference } from '../database/portable.ts'
import type { Tables } from '../database/schema.ts'
import { badFields } from '../problem.ts'
import { received } from '../validation.ts'
import type { Work } from '../work.ts'

type Db = Kysely<Tables> | Transaction<Tables>

function unknownCategories(ids: readonly string[]): Error {
  const expected = 'ids of categories that exist'
  return badFields([{ field: 'body.category_ids', expected, received: received(ids) }])
}

/** Throws a 400 problem for ids that no category has. */
export async function requireCategories(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  const found = await db.selectFrom('categories').select('id').where('id', 'in', ids).execute()
  const known = new Set(found.map(row => row.id))
  const unknown = ids.filter(id => !known.has(id))
  if (unknown.length > 0) throw unknownCategories(unknown)
}

/** A category that was deleted after `requireCategories` saw it is told in the same words. */
export async function refuseGoneCategories<T>(ids: readonly string[] | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (ids === undefined || !isMissingReference(error)) throw error
    throw unknownCategories(ids)
  }
}

/** The ids of the categories of each contact. Right until the transaction ends if the contacts are locked. */
export async function categoryIdsOf(db: Db, contactIds: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
  const ids = new Map<string, string[]>(contactIds.map(id => [id, []]))
  if (contactIds.length === 0) return ids
  const rows = await db
    .selectFrom('contact_categories')
    .select(['contact_id', 'category_id'])
    .where('contact_id', 'in', contactIds)
    .orderBy('category_id')
    .execute()
  for (const { contact_id, category_id } of rows) ids.get(contact_id)?.push(category_id)
  return ids
}

/** Puts contacts into categories; those that are in already stay. Touches the categories. */
export async function addMemberships(
  { trx, engine, at, touch }: Work,
  contactIds: readonly string[],
  categoryIds: readonly string[],
): Promise<void> {
  const rows = contactIds.flatMap(contact_id =>
    categoryIds.map(category_id => ({ category_id, contact_id, created_at: at })),
  )
  await insertIfAbsent(trx, engine, 'contact_categories', rows)
  touchCategories(touch, rows.length === 0 ? [] : categoryIds)
}

/** Takes contacts out of categories. Touches the categories. */
export async function removeMemberships(
  { trx, touch }: Work,
  contactIds: readonly string[],
  categoryIds: readonly string[],
): Promise<void> {
  if (contactIds.length === 0 || categoryIds.length === 0) return
  await trx
    .deleteFrom('contact_categories')
    .where('contact_id', 'in', contactIds)
    .where('category_id', 'in', categoryIds)
    .execute()
  touchCategories(touch, categoryIds)
}

/** The tags of contacts that are, or were, in these categories. */
export function touchCategories(touch: Work['touch'], categoryIds: Iterable<string>): void {
  for (const id of categoryIds) touch(`category:${id}`)
}
