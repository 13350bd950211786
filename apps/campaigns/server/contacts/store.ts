import type { Kysely, Transaction } from 'kysely'
import type { Tag } from '../caching.ts'
import { type Cursors, cutPage, type Page } from '../cursor.ts'
import type { Tables } from '../database/schema.ts'
import { foldName } from '../phone.ts'
import { badFields, notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'

export interface Contact {
  readonly id: string
  readonly name: string
  readonly phone: string | null
  readonly email: string | null
  readonly categories: readonly { readonly id: string; readonly name: string }[]
  readonly created_at: number
  readonly updated_at: number
}

export interface ContactInput {
  readonly name: string
  readonly phone: string
  readonly email: string | null
  readonly category_ids: readonly string[]
}

export interface ContactFilter {
  readonly limit: number
  readonly cursor?: string
  readonly q?: string
  readonly category?: string
}

type Db = Kysely<Tables> | Transaction<Tables>
type Row = Omit<Contact, 'categories'> & { readonly name_key: string }

const COLUMNS = ['id', 'name', 'name_key', 'phone_e164 as phone', 'email', 'created_at', 'updated_at'] as const
const AFTER_EVERY_TEXT = '\u{10ffff}'

/** A page of contacts: newest first, or by name when names are searched for. */
export async function listContacts(db: Db, cursors: Cursors, filter: ContactFilter): Promise<Page<Contact>> {
  const { limit, category } = filter
  const prefix = filter.q === undefined ? undefined : foldName(filter.q)
  const list = `contacts ${JSON.stringify([prefix, category])}`
  const position = cursors.read(list, filter.cursor)
  let query = db
    .selectFrom('contacts')
    .select(COLUMNS)
    .limit(limit + 1)
  if (category !== undefined) {
    query = query.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('contact_categories')
          .select('contact_id')
          .whereRef('contact_id', '=', 'contacts.id')
          .where('category_id', '=', category),
      ),
    )
  }
  if (prefix === undefined) {
    query = query.orderBy('created_at', 'desc').orderBy('id', 'desc')
    if (position !== undefined) {
      const [time, id] = position as [number, string]
      query = query.where(w =>
        w.and([w('created_at', '<=', time), w.or([w('created_at', '<', time), w('id', '<', id)])]),
      )
    }
  } else {
    query = query
      .orderBy('name_key')
      .orderBy('id')
      .where('name_key', '<', prefix + AFTER_EVERY_TEXT)
    const [name, id] = (position ?? [prefix, '']) as [string, string]
    query = query.where(w => w.and([w('name_key', '>=', name), w.or([w('name_key', '>', name), w('id', '>', id)])]))
  }
  const rows = await query.execute()
  const after = (row: Row): string =>
    cursors.write(list, [prefix === undefined ? row.created_at : row.name_key, row.id])
  const page = cutPage(rows, limit, after, row => row)
  return { ...page, items: await withCategories(db, page.items) }
}

/** One query for the categories of all rows, however many there are. */
async function withCategories(db: Db, rows: readonly Row[]): Promise<Contact[]> {
  const found =
    rows.length === 0
      ? []
      : await db
          .selectFrom('contact_categories')
          .innerJoin('categories', 'categories.id', 'contact_categories.category_id')
          .select(['contact_categories.contact_id', 'categories.id', 'categories.name'])
          .where(
            'contact_categories.contact_id',
            'in',
            rows.map(row => row.id),
          )
          .orderBy('categories.name')
          .execute()
  const byContact = new Map<string, { id: string; name: string }[]>(rows.map(row => [row.id, []]))
  for (const { contact_id, id, name } of found) byContact.get(contact_id)?.push({ id, name })
  return rows.map(({ name_key: _, ...row }) => ({ ...row, categories: byContact.get(row.id) ?? [] }))
}

export async function findContact(db: Db, id: string): Promise<Contact> {
  const row = await db.selectFrom('contacts').select(COLUMNS).where('id', '=', id).executeTakeFirst()
  const [contact] = row === undefined ? [] : await withCategories(db, [row])
  if (contact === undefined) throw notFound('contact', id)
  return contact
}

/** The tags of a change to contacts that are, or were, in these categories. */
function contactTags(categoryIds: Iterable<string>): Tag[] {
  return ['contacts', ...Array.from(categoryIds, (id): Tag => `category:${id}`)]
}

async function requireCategories(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  const found = await db.selectFrom('categories').select('id').where('id', 'in', ids).execute()
  const known = new Set(found.map(row => row.id))
  const unknown = ids.filter(id => !known.has(id))
  if (unknown.length === 0) return
  throw badFields([
    { field: 'body.category_ids', expected: 'ids of categories that exist', received: received(unknown) },
  ])
}

async function categoriesOf(db: Db, contactId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('contact_categories')
    .select('category_id')
    .where('contact_id', '=', contactId)
    .execute()
  return rows.map(row => row.category_id)
}

/** A taken phone is told from every other failure by what the database says, never by asking beforehand. */
async function refuseTakenPhone<T>(phone: string | undefined, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    if (code !== 'SQLITE_CONSTRAINT_UNIQUE' || message?.includes('phone_e164') !== true) throw error
    const expected = 'a phone number that no other contact has'
    throw badFields([{ field: 'body.phone', expected, received: received(phone) }], 409)
  }
}

export async function createContact(
  { database, caching, newId, now }: Services,
  input: ContactInput,
): Promise<Contact> {
  const at = now()
  const id = newId()
  const categoryIds = [...new Set(input.category_ids)]
  const contact = await refuseTakenPhone(input.phone, () =>
    database.writer.transaction().execute(async trx => {
      await requireCategories(trx, categoryIds)
      const { name, phone: phone_e164, email } = input
      const name_key = foldName(name)
      await trx
        .insertInto('contacts')
        .values({ id, name, name_key, phone_e164, email, created_at: at, updated_at: at })
        .execute()
      await addCategories(trx, id, categoryIds, at)
      return await findContact(trx, id)
    }),
  )
  await caching.forget(contactTags(categoryIds))
  return contact
}

async function addCategories(trx: Db, contact_id: string, ids: readonly string[], created_at: number): Promise<void> {
  if (ids.length === 0) return
  const rows = ids.map(category_id => ({ category_id, contact_id, created_at }))
  await trx.insertInto('contact_categories').values(rows).execute()
}

/** Changes the given fields. `category_ids` is the whole new set; only categories entered or left are touched. */
export async function updateContact(
  { database, caching, now }: Services,
  id: string,
  change: Partial<ContactInput>,
): Promise<Contact> {
  const at = now()
  const { name, phone, email, category_ids } = change
  const { contact, touched } = await refuseTakenPhone(phone, () =>
    database.writer.transaction().execute(async trx => {
      const { numUpdatedRows } = await trx
        .updateTable('contacts')
        .set({
          updated_at: at,
          ...(name === undefined ? {} : { name, name_key: foldName(name) }),
          ...(phone === undefined ? {} : { phone_e164: phone }),
          ...(email === undefined ? {} : { email }),
        })
        .where('id', '=', id)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) throw notFound('contact', id)
      const touched = category_ids === undefined ? [] : await replaceCategories(trx, id, category_ids, at)
      return { contact: await findContact(trx, id), touched }
    }),
  )
  await caching.forget(contactTags(touched))
  return contact
}

async function replaceCategories(trx: Db, contactId: string, ids: readonly string[], at: number): Promise<string[]> {
  const wanted = new Set(ids)
  const had = new Set(await categoriesOf(trx, contactId))
  const added = [...wanted].filter(id => !had.has(id))
  const left = [...had].filter(id => !wanted.has(id))
  await requireCategories(trx, added)
  await addCategories(trx, contactId, added, at)
  if (left.length > 0) {
    await trx
      .deleteFrom('contact_categories')
      .where('contact_id', '=', contactId)
      .where('category_id', 'in', left)
      .execute()
  }
  return [...added, ...left]
}

export async function deleteContact({ database, caching }: Services, id: string): Promise<void> {
  const touched = await database.writer.transaction().execute(async trx => {
    const categoryIds = await categoriesOf(trx, id)
    const { numDeletedRows } = await trx.deleteFrom('contacts').where('id', '=', id).executeTakeFirst()
    if (numDeletedRows === 0n) throw notFound('contact', id)
    return categoryIds
  })
  await caching.forget(contactTags(touched))
}
