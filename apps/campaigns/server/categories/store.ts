import { type Kysely, sql, type Transaction } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { badFields, notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'

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

async function refuseTakenName<T>(name: string | undefined, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_CONSTRAINT_UNIQUE') throw error
    const expected = 'a name that no other category has'
    throw badFields([{ field: 'body.name', expected, received: received(name) }], 409)
  }
}

export async function createCategory(
  { database, caching, newId, now }: Services,
  input: CategoryInput,
): Promise<Category> {
  const at = now()
  const category = { id: newId(), ...input, created_at: at, updated_at: at }
  await refuseTakenName(input.name, () => database.writer.insertInto('categories').values(category).execute())
  await caching.forget(['categories', `category:${category.id}`])
  return { ...category, contact_count: 0 }
}

export async function updateCategory(
  { database, caching, now }: Services,
  id: string,
  change: Partial<CategoryInput>,
): Promise<Category> {
  const category = await refuseTakenName(change.name, () =>
    database.writer.transaction().execute(async trx => {
      await trx
        .updateTable('categories')
        .set({ ...change, updated_at: now() })
        .where('id', '=', id)
        .execute()
      return await findCategory(trx, id)
    }),
  )
  if (category === null) throw notFound('category', id)
  await caching.forget(['categories', `category:${id}`])
  return category
}

/** Its contacts stay; only their membership ends. */
export async function deleteCategory({ database, caching }: Services, id: string): Promise<void> {
  const { numDeletedRows } = await database.writer.deleteFrom('categories').where('id', '=', id).executeTakeFirst()
  if (numDeletedRows === 0n) throw notFound('category', id)
  await caching.forget(['categories', `category:${id}`])
}
