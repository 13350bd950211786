import { type Kysely, sql, type Transaction } from 'kysely'
import type { Actor } from '../access/actor.ts'
import { changeMemberships, lockContacts } from '../contacts/bulk.ts'
import { forUpdate, isMissingReference, isUniqueViolation } from '../database/portable.ts'
import type { CategoryTable, Tables } from '../database/schema.ts'
import { badFields, notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { type Work, write } from '../work.ts'

export interface Category {
  readonly id: string
  readonly name: string
  readonly color: string
  readonly description: string
  readonly contact_count: number
  readonly created_at: number
  readonly updated_at: number
}

export interface CategoryInput {
  readonly name: string
  readonly color: string
  readonly description: string
}

export const NEW_CATEGORY_COLOR = '#64748b'

type Db = Kysely<Tables> | Transaction<Tables>

/** Every category with its number of contacts, in one query. Also of one category alone. */
function countedCategories(db: Db) {
  return db
    .selectFrom('categories')
    .leftJoin('contact_categories', 'contact_categories.category_id', 'categories.id')
    .select(['categories.id', 'categories.name', 'categories.color', 'categories.description'])
    .select(['categories.created_at', 'categories.updated_at'])
    .select(({ fn }) => fn.count<number>('contact_categories.contact_id').as('contact_count'))
    .groupBy('categories.id')
}

export async function listCategories(db: Db): Promise<Category[]> {
  return await countedCategories(db).orderBy('categories.name').execute()
}

export async function findCategory(db: Db, id: string): Promise<Category | null> {
  return (await countedCategories(db).where('categories.id', '=', id).executeTakeFirst()) ?? null
}

/** The largest categories, for the dashboard. */
export async function largestCategories(db: Db, limit: number): Promise<Category[]> {
  return await countedCategories(db)
    .orderBy(sql`contact_count`, 'desc')
    .orderBy('categories.name')
    .limit(limit)
    .execute()
}

async function refuseTakenName<T>(name: string | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!isUniqueViolation(error, 'name')) throw error
    const expected = 'a name that no other category has'
    throw badFields([{ field: 'body.name', expected, received: received(name) }], 409)
  }
}

/** Locked until the transaction ends: nobody gains or loses it meanwhile. */
async function lockCategory({ trx, engine }: Work, id: string): Promise<CategoryTable> {
  const query = trx.selectFrom('categories').selectAll().where('id', '=', id).$call(forUpdate(engine))
  const row = await query.executeTakeFirst()
  if (row === undefined) throw notFound('category', id)
  return row
}

export async function createCategory(services: Services, actor: Actor, input: CategoryInput): Promise<Category> {
  const id = services.newId()
  const create = (): Promise<Category> =>
    write(
      services,
      async ({ trx, at, record, touch }) => {
        const category = { id, ...input, created_at: at, updated_at: at }
        await trx.insertInto('categories').values(category).execute()
        await record({ action: 'create', entity: 'category', id, after: category })
        touch('categories', `category:${id}`)
        return { ...category, contact_count: 0 }
      },
      { actor },
    )
  return await refuseTakenName(input.name, create)
}

export async function updateCategory(
  services: Services,
  actor: Actor,
  id: string,
  change: Partial<CategoryInput>,
): Promise<Category> {
  const update = (): Promise<Category> =>
    write(
      services,
      async work => {
        const { trx, at, record, touch } = work
        const before = await lockCategory(work, id)
        const after = { ...before, ...change, updated_at: at }
        await trx.updateTable('categories').set(after).where('id', '=', id).execute()
        await record({ action: 'update', entity: 'category', id, before, after })
        touch('categories', `category:${id}`)
        const category = await findCategory(trx, id)
        if (category === null) throw notFound('category', id)
        return category
      },
      { actor },
    )
  return await refuseTakenName(change.name, update)
}

/** Its contacts stay; only their membership ends. */
export async function deleteCategory(services: Services, actor: Actor, id: string): Promise<void> {
  await write(
    services,
    async work => {
      const before = await lockCategory(work, id)
      await work.trx.deleteFrom('categories').where('id', '=', id).execute()
      await work.record({ action: 'delete', entity: 'category', id, before })
      work.touch('categories', `category:${id}`)
    },
    { actor },
  )
}

export interface MembershipResult {
  readonly changed: number
  /** Ids that no contact has. */
  readonly unknown: readonly string[]
  readonly contact_count: number
}

/** Puts contacts into a category or takes them out, in one transaction; those that are so already do not count. */
export async function changeCategoryContacts(
  services: Services,
  actor: Actor,
  {
    id,
    contactIds,
    how,
  }: { readonly id: string; readonly contactIds: readonly string[]; readonly how: 'add' | 'remove' },
): Promise<MembershipResult> {
  const run = (): Promise<MembershipResult> =>
    write(
      services,
      async work => {
        // Not locked: contacts are locked before categories everywhere, and a deletion in between is told by the insert.
        if ((await findCategory(work.trx, id)) === null) throw notFound('category', id)
        const rows = await lockContacts(work, contactIds)
        const changed = rows.length === 0 ? [] : await changeMemberships(work, rows, [id], how)
        if (changed.length > 0) work.touch('contacts')
        const found = new Set(rows.map(row => row.id))
        const unknown = [...new Set(contactIds)].filter(contactId => !found.has(contactId))
        const contact_count = (await findCategory(work.trx, id))?.contact_count ?? 0
        return { changed: changed.length, unknown, contact_count }
      },
      { actor },
    )
  try {
    return await run()
  } catch (error) {
    if (isMissingReference(error)) throw notFound('category', id)
    throw error
  }
}
