import type { Kysely, Transaction } from 'kysely'
import type { Actor } from '../access/actor.ts'
import { forUpdate, isUniqueViolation } from '../database/portable.ts'
import type { ContactTable, Tables } from '../database/schema.ts'
import { foldName } from '../phone.ts'
import { badFields, notFound } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { type Work, write } from '../work.ts'
import { type ConsentAction, setConsent } from './consent.ts'
import {
  addMemberships,
  categoryIdsOf,
  refuseGoneCategories,
  removeMemberships,
  requireCategories,
  touchCategories,
} from './membership.ts'
import { searchTextOf } from './search-text.ts'

export type Attributes = Readonly<Record<string, string>>

export interface Contact {
  readonly id: string
  readonly name: string
  readonly phone: string | null
  readonly email: string | null
  readonly wa_id: string | null
  readonly bsuid: string | null
  readonly username: string | null
  readonly attributes: Attributes
  readonly categories: readonly { readonly id: string; readonly name: string }[]
  readonly opt_in_at: number | null
  readonly opt_out_at: number | null
  readonly last_inbound_at: number | null
  readonly window_expires_at: number | null
  readonly created_at: number
  readonly updated_at: number
}

export interface ContactInput {
  readonly name: string
  readonly phone: string | null
  readonly bsuid: string | null
  readonly email: string | null
  readonly attributes: Attributes
  readonly category_ids: readonly string[]
}

export interface ContactChange extends Partial<Omit<ContactInput, 'bsuid'>> {
  /** The `updated_at` that the editor saw: a contact that somebody else changed since is not overwritten. */
  readonly updated_at?: number
}

type Db = Kysely<Tables> | Transaction<Tables>

export const CONTACT_COLUMNS = [
  'id',
  'name',
  'name_key',
  'phone_e164 as phone',
  'email',
  'wa_id',
  'bsuid',
  'username',
  'attributes',
  'opt_in_at',
  'opt_out_at',
  'last_inbound_at',
  'window_expires_at',
  'created_at',
  'updated_at',
] as const

export interface ContactRow extends Omit<Contact, 'categories' | 'attributes'> {
  readonly name_key: string
  readonly attributes: string | null
}

export function readAttributes(json: string | null): Attributes {
  return json === null ? {} : (JSON.parse(json) as Attributes)
}

/** Null when there are none. */
export function writeAttributes(attributes: Attributes): string | null {
  return Object.keys(attributes).length === 0 ? null : JSON.stringify(attributes)
}

/** One query for the categories of all rows, however many there are. */
export async function withCategories(db: Db, rows: readonly ContactRow[]): Promise<Contact[]> {
  const ids = rows.map(row => row.id)
  const found =
    ids.length === 0
      ? []
      : await db
          .selectFrom('contact_categories')
          .innerJoin('categories', 'categories.id', 'contact_categories.category_id')
          .select(['contact_categories.contact_id', 'categories.id', 'categories.name'])
          .where('contact_categories.contact_id', 'in', ids)
          .orderBy('categories.name')
          .execute()
  const byContact = new Map<string, { id: string; name: string }[]>(ids.map(id => [id, []]))
  for (const { contact_id, id, name } of found) byContact.get(contact_id)?.push({ id, name })
  return rows.map(({ name_key: _, attributes, ...row }) => ({
    ...row,
    attributes: readAttributes(attributes),
    categories: byContact.get(row.id) ?? [],
  }))
}

export async function findContact(db: Db, id: string): Promise<Contact> {
  const row = await db.selectFrom('contacts').select(CONTACT_COLUMNS).where('id', '=', id).executeTakeFirst()
  const [contact] = row === undefined ? [] : await withCategories(db, [row])
  if (contact === undefined) throw notFound('contact', id)
  return contact
}

/**
 * The contact's row, locked until the transaction ends. Whoever puts it into a category waits meanwhile, so what is read
 * of its categories afterwards is all there is.
 */
async function lockContact({ trx, engine }: Work, id: string): Promise<ContactTable> {
  const query = trx.selectFrom('contacts').selectAll().where('id', '=', id).$call(forUpdate(engine))
  const row = await query.executeTakeFirst()
  if (row === undefined) throw notFound('contact', id)
  return row
}

/** A taken phone is told from every other failure by what the database says, never by asking beforehand. */
async function refuseTaken<T>(input: Partial<ContactInput>, run: () => Promise<T>): Promise<T> {
  try {
    return await refuseGoneCategories(input.category_ids, run)
  } catch (error) {
    if (isUniqueViolation(error, 'phone_e164')) {
      const expected = 'a phone number that no other contact has'
      throw badFields([{ field: 'body.phone', expected, received: received(input.phone) }], 409)
    }
    if (isUniqueViolation(error, 'bsuid')) {
      const expected = 'a business-scoped user id that no other contact has'
      throw badFields([{ field: 'body.bsuid', expected, received: received(input.bsuid) }], 409)
    }
    throw error
  }
}

export async function createContact(services: Services, actor: Actor, input: ContactInput): Promise<Contact> {
  const { name, phone: phone_e164, bsuid, email } = input
  const id = services.newId()
  const categoryIds = [...new Set(input.category_ids)]
  const fields = { name, name_key: foldName(name), phone_e164, bsuid, email, username: null }
  const create = (): Promise<Contact> =>
    write(
      services,
      async work => {
        const { trx, at, record, touch } = work
        await requireCategories(trx, categoryIds)
        const attributes = writeAttributes(input.attributes)
        const row = { id, ...fields, attributes, search_text: searchTextOf(fields), created_at: at, updated_at: at }
        await trx
          .insertInto('contacts')
          .values({ ...row, ...NO_HISTORY })
          .execute()
        await addMemberships(work, [id], categoryIds)
        await record({ action: 'create', entity: 'contact', id, after: { ...row, category_ids: categoryIds } })
        await services.search.changed(work, 'contact', [id])
        touch('contacts')
        return await findContact(trx, id)
      },
      { actor },
    )
  return await refuseTaken(input, create)
}

/** The columns of a contact that nothing has happened to. */
export const NO_HISTORY = {
  wa_id: null,
  parent_bsuid: null,
  opt_in_at: null,
  opt_out_at: null,
  last_inbound_at: null,
  window_expires_at: null,
} as const

function patched(row: ContactTable, change: ContactChange, at: number): ContactTable {
  const { name = row.name, phone = row.phone_e164, email = row.email, attributes } = change
  if (phone === null && row.bsuid === null) {
    const expected = 'a phone number: this contact has no other identifier'
    throw badFields([{ field: 'body.phone', expected, received: 'null' }])
  }
  const next: ContactTable = {
    ...row,
    name,
    name_key: foldName(name),
    phone_e164: phone,
    email,
    attributes: attributes === undefined ? row.attributes : writeAttributes(attributes),
    // WhatsApp's spelling of the old number is not that of the new one.
    wa_id: phone === row.phone_e164 ? row.wa_id : null,
    updated_at: Math.max(at, row.updated_at + 1),
  }
  next.search_text = searchTextOf(next)
  return next
}

/** Changes the given fields. `category_ids` is the whole new set; only categories entered or left are touched. */
export async function updateContact(
  services: Services,
  actor: Actor,
  id: string,
  change: ContactChange,
): Promise<Contact> {
  const update = (): Promise<Contact> =>
    write(
      services,
      async work => {
        const { trx, at, record, touch } = work
        const row = await lockContact(work, id)
        if (change.updated_at !== undefined && change.updated_at !== row.updated_at) {
          const expected = `${row.updated_at}, the updated_at of the contact as it is now: somebody else changed it`
          throw badFields([{ field: 'body.updated_at', expected, received: received(change.updated_at) }], 409)
        }
        const next = patched(row, change, at)
        await trx.updateTable('contacts').set(next).where('id', '=', id).execute()
        const categories =
          change.category_ids === undefined ? {} : await replaceCategories(work, id, change.category_ids)
        const { before, after } = { before: {}, after: {}, ...categories }
        await record({
          action: 'update',
          entity: 'contact',
          id,
          before: { ...row, ...before },
          after: { ...next, ...after },
        })
        if (next.search_text !== row.search_text) await services.search.changed(work, 'contact', [id])
        touch('contacts')
        return await findContact(trx, id)
      },
      { actor },
    )
  return await refuseTaken(change, update)
}

async function replaceCategories(work: Work, contactId: string, ids: readonly string[]) {
  const wanted = [...new Set(ids)].sort()
  const had = (await categoryIdsOf(work.trx, [contactId])).get(contactId) ?? []
  const added = wanted.filter(id => !had.includes(id))
  await requireCategories(work.trx, added)
  await addMemberships(work, [contactId], added)
  await removeMemberships(
    work,
    [contactId],
    had.filter(id => !wanted.includes(id)),
  )
  return { before: { category_ids: had }, after: { category_ids: wanted } }
}

/** Its messages stay where they were counted, without a contact. */
export async function deleteContact(services: Services, actor: Actor, id: string): Promise<void> {
  await write(
    services,
    async work => {
      const row = await lockContact(work, id)
      const categoryIds = (await categoryIdsOf(work.trx, [id])).get(id) ?? []
      await work.trx.deleteFrom('contacts').where('id', '=', id).execute()
      await work.record({ action: 'delete', entity: 'contact', id, before: { ...row, category_ids: categoryIds } })
      await services.search.changed(work, 'contact', [id])
      work.touch('contacts')
      touchCategories(work.touch, categoryIds)
    },
    { actor },
  )
}

/** Saying the same again changes nothing. */
export async function changeConsent(
  services: Services,
  actor: Actor,
  id: string,
  action: ConsentAction,
): Promise<Contact> {
  return await write(
    services,
    async work => {
      await setConsent(work, await lockContact(work, id), action)
      return await findContact(work.trx, id)
    },
    { actor },
  )
}
