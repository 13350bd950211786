import type { Kysely, Transaction } from 'kysely'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import type { Tables } from '../database/schema.ts'
import { foldName, phonePrefix } from '../phone.ts'
import { CONTACT_COLUMNS, type Contact, type ContactRow, withCategories } from './store.ts'

export interface ContactFilter {
  /** The beginning of a name, of a phone number in digits, or of an e-mail address (it has an @). */
  readonly q?: string
  readonly category?: string
  readonly opted_out?: 'true' | 'false'
  /** Whether free-form messages may be sent now. */
  readonly has_window?: 'true' | 'false'
  /** Milliseconds since 1970, both included. */
  readonly created_from?: number
  readonly created_to?: number
}

export interface ContactQuery extends ContactFilter {
  readonly limit: number
  readonly cursor?: string
  /** Newest first unless said. What is searched with `q` is sorted by what was searched. */
  readonly sort?: 'newest' | 'name'
}

export interface ListContext {
  readonly cursors: Cursors
  /** Milliseconds since 1970. */
  readonly now: number
  /** What phone numbers without a country code are read as; may be empty. */
  readonly country: string
}

type Db = Kysely<Tables> | Transaction<Tables>
type SortColumn = 'created_at' | 'name_key' | 'phone' | 'email'

/** A list is a walk along one index, whose columns are the sort's and the id. */
interface Order {
  readonly column: SortColumn
  readonly prefix?: string
}

const STORED = { created_at: 'created_at', name_key: 'name_key', phone: 'phone_e164', email: 'email' } as const
const PHONE_LIKE = /^\+?[\d\s().\-/]{2,}$/
const AFTER_EVERY_TEXT = '\u{10ffff}'

function orderOf({ q, sort }: ContactQuery, country: string): Order {
  if (q === undefined) return { column: sort === 'name' ? 'name_key' : 'created_at' }
  const text = q.trim()
  if (PHONE_LIKE.test(text)) return { column: 'phone', prefix: phonePrefix(text, country) }
  if (text.includes('@')) return { column: 'email', prefix: text.toLowerCase() }
  return { column: 'name_key', prefix: foldName(text) }
}

function filtered(db: Db, filter: ContactFilter, now: number) {
  const { category, opted_out, has_window, created_from, created_to } = filter
  let query = db.selectFrom('contacts').select(CONTACT_COLUMNS)
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
  if (opted_out !== undefined) query = query.where('opt_out_at', opted_out === 'true' ? 'is not' : 'is', null)
  if (has_window === 'true') query = query.where('window_expires_at', '>', now)
  if (has_window === 'false') {
    query = query.where(w => w.or([w('window_expires_at', 'is', null), w('window_expires_at', '<=', now)]))
  }
  if (created_from !== undefined) query = query.where('created_at', '>=', created_from)
  return created_to === undefined ? query : query.where('created_at', '<=', created_to)
}

/** One page of rows, in one query. */
async function pageOf(
  db: Db,
  { cursors, now, country }: ListContext,
  { limit, cursor, ...filter }: ContactQuery,
): Promise<Page<ContactRow>> {
  const { column, prefix } = orderOf({ limit, ...filter }, country)
  const { category, opted_out, has_window, created_from, created_to } = filter
  const list = `contacts ${JSON.stringify([column, prefix, category, opted_out, has_window, created_from, created_to])}`
  const position = cursors.read(list, cursor) as [number | string, string] | undefined
  const stored = STORED[column]
  let query = filtered(db, filter, now).limit(limit + 1)
  if (column === 'created_at') {
    query = query.orderBy('created_at', 'desc').orderBy('id', 'desc')
    if (position !== undefined) query = query.where(behind('created_at', 'id', position))
  } else {
    query = query.orderBy(stored)
    // A phone is nobody else's; its index knows no second column, which would have to be sorted.
    if (column !== 'phone') query = query.orderBy('id')
    if (prefix !== undefined) query = query.where(stored, '<', prefix + AFTER_EVERY_TEXT)
    const [value, id] = position ?? [prefix ?? '', '']
    query = query.where(w => w.and([w(stored, '>=', value), w.or([w(stored, '>', value), w('id', '>', id)])]))
  }
  const after = (row: ContactRow): string => cursors.write(list, [row[column] ?? '', row.id])
  return cutPage(await query.execute(), limit, after, row => row)
}

/** One page, in two queries: the contacts, and the categories of all of them. */
export async function listContacts(db: Db, context: ListContext, query: ContactQuery): Promise<Page<Contact>> {
  const page = await pageOf(db, context, query)
  return { ...page, items: await withCategories(db, page.items) }
}

export async function listContactIds(db: Db, context: ListContext, query: ContactQuery): Promise<Page<string>> {
  const page = await pageOf(db, context, query)
  return { ...page, items: page.items.map(row => row.id) }
}
