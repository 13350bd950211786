import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import type { AnswerOf, BodyOf, Client, QueryOf } from './client.ts'
import type { Contact } from './things.ts'
import type { Listing } from './pending.ts'
import { showing } from './tags.ts'

/** What the list of contacts is narrowed to; the search of its address. */
export interface ContactFilter {
  readonly q?: string
  readonly category?: string
  readonly consent?: 'in' | 'out'
  readonly open?: true
  readonly sort?: 'name'
}

export type FilterBody = NonNullable<BodyOf<'POST /contacts/bulk'>['filter']>

/** The filter as the server calls it. */
export function filterOf({ q, category, consent, open }: ContactFilter): FilterBody {
  const text = q?.trim()
  return {
    ...(text !== undefined && text !== '' && { q: text }),
    ...(category !== undefined && { category }),
    ...(consent !== undefined && { opted_out: consent === 'out' ? 'true' : 'false' }),
    ...(open === true && { has_window: 'true' as const }),
  }
}

/** With the order; what is searched is sorted by what was searched, and the server takes no other. */
export function listQueryOf(filter: ContactFilter): QueryOf<'GET /contacts'> {
  const body = filterOf(filter)
  return { ...body, ...(filter.sort === 'name' && body.q === undefined && { sort: 'name' as const }) }
}

export const isNarrowed = (filter: ContactFilter): boolean => Object.keys(filterOf(filter)).length > 0

/** Case and accents do not matter, as in the server's index of names. */
const folded = (text: string): string => text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().trim()

const PHONE_LIKE = /^\+?[\d\s().\-/]{2,}$/

function isFound(contact: Contact, q: string): boolean {
  if (PHONE_LIKE.test(q))
    return contact.phone?.replaceAll(/\D/g, '').includes(q.replaceAll(/\D/g, '').replace(/^0+/, '')) === true
  if (q.includes('@')) return contact.email?.startsWith(q.toLowerCase()) === true
  return folded(contact.name).startsWith(folded(q))
}

/** Where a contact that is made or changed here stands in a list, before the server has said so. */
export function contactListing(
  filter: ContactFilter,
  { now, isStart, isEnd }: { readonly now: number; readonly isStart: boolean; readonly isEnd: boolean },
): Listing<Contact> {
  const { q, category, consent, open, sort } = filter
  const text = q?.trim() ?? ''
  return {
    belongs: contact =>
      (text === '' || isFound(contact, text)) &&
      (category === undefined || contact.categories.some(one => one.id === category)) &&
      (consent === undefined || (contact.opt_out_at !== null) === (consent === 'out')) &&
      (open !== true || (contact.window_expires_at ?? 0) > now),
    place(items, contact) {
      const name = folded(contact.name)
      const found = sort !== 'name' && text === '' ? 0 : items.findIndex(item => folded(item.name) > name)
      const at = found === -1 ? items.length : found
      // Before the first page that is kept, or behind the last one.
      if ((at === 0 && !isStart) || (at === items.length && !isEnd && items.length > 0)) return undefined
      return at
    },
  }
}

/** A page of the list: which one, and the pages before it, so that one can scroll back over pages that were let go. */
export interface ListPage {
  readonly index: number
  readonly cursor?: string
  readonly before?: ListPage
}

const FIRST_PAGE: ListPage = { index: 0 }

export const PAGE_SIZE = 100
/** Kept at once: each deletion on the server asks for all that is kept, and 200,000 contacts are 2,000 pages. */
const MOST_PAGES = 6

export const contactsQuery = (client: Client, filter: ContactFilter) =>
  infiniteQueryOptions({
    queryKey: ['contacts', 'list', listQueryOf(filter)],
    queryFn: ({ pageParam: { cursor }, signal }) =>
      client.ask(
        'GET /contacts',
        { query: { ...listQueryOf(filter), limit: PAGE_SIZE, ...(cursor !== undefined && { cursor }) } },
        { signal },
      ),
    initialPageParam: FIRST_PAGE,
    getNextPageParam: ({ value }, _all, page): ListPage | undefined =>
      value.next_cursor === null ? undefined : { index: page.index + 1, cursor: value.next_cursor, before: page },
    getPreviousPageParam: (_first, _all, page): ListPage | undefined => page.before,
    maxPages: MOST_PAGES,
    meta: showing('contacts', 'categories'),
  })

export const contactQuery = (client: Client, id: string) =>
  queryOptions({
    queryKey: ['contacts', 'one', id],
    queryFn: ({ signal }) => client.ask('GET /contacts/{id}', { path: { id } }, { signal }),
    meta: showing('contacts', 'categories'),
  })

const HISTORY_PAGE = 30

export const activityQuery = (client: Client, id: string) =>
  infiniteQueryOptions({
    queryKey: ['contacts', 'activity', id],
    queryFn: ({ pageParam, signal }) =>
      client.ask(
        'GET /contacts/{id}/activity',
        { path: { id }, query: { limit: HISTORY_PAGE, ...(pageParam !== '' && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: '',
    getNextPageParam: ({ value }) => value.next_cursor ?? undefined,
    meta: showing('contacts', 'messages'),
  })

export const contactMessagesQuery = (client: Client, id: string) =>
  infiniteQueryOptions({
    queryKey: ['contacts', 'messages', id],
    queryFn: ({ pageParam, signal }) =>
      client.ask(
        'GET /contacts/{id}/messages',
        { path: { id }, query: { limit: HISTORY_PAGE, ...(pageParam !== '' && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: '',
    getNextPageParam: ({ value }) => value.next_cursor ?? undefined,
    meta: showing('messages'),
  })

/** A contact as a form has it: texts, as they were typed. */
export interface ContactForm {
  readonly name: string
  readonly phone: string
  readonly email: string
  readonly categoryIds: readonly string[]
  readonly attributes: readonly { readonly name: string; readonly text: string }[]
}

export const EMPTY_FORM: ContactForm = { name: '', phone: '', email: '', categoryIds: [], attributes: [] }

export function formOf(contact: Contact): ContactForm {
  return {
    name: contact.name,
    phone: contact.phone ?? '',
    email: contact.email ?? '',
    categoryIds: contact.categories.map(one => one.id),
    attributes: Object.entries(contact.attributes).map(([name, text]) => ({ name, text })),
  }
}

export type FormField = 'name' | 'phone' | 'email' | 'attributes'
export type FormProblem = 'noName' | 'longName' | 'noPhone' | 'badPhone' | 'badEmail' | 'badAttribute'

/** What is certainly wrong with a form, before the server is asked. `isPhoneNeeded`: nothing else tells who it is. */
export function formProblems(
  form: ContactForm,
  isPhoneNeeded: boolean,
): Readonly<Partial<Record<FormField, FormProblem>>> {
  const [name, phone, email] = [form.name.trim(), form.phone.trim(), form.email.trim()]
  const names = form.attributes.map(one => one.name.trim()).filter(one => one !== '')
  const isBad = names.some(one => one.length > 64 || one.startsWith('__')) || new Set(names).size < names.length
  return {
    ...(name === '' && { name: 'noName' }),
    ...(name.length > 120 && { name: 'longName' }),
    ...(phone === '' && isPhoneNeeded && { phone: 'noPhone' }),
    ...(phone !== '' && phone.replaceAll(/\D/g, '').length < 5 && { phone: 'badPhone' }),
    ...(email !== '' && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email) && { email: 'badEmail' }),
    ...((isBad || form.attributes.some(one => one.name.trim() === '' && one.text.trim() !== '')) && {
      attributes: 'badAttribute',
    }),
  }
}

const attributesOf = (form: ContactForm): Record<string, string> =>
  Object.fromEntries(
    form.attributes
      .map(one => [one.name.trim(), one.text] as const)
      .filter(([name, text]) => name !== '' && text !== ''),
  )

export function newBodyOf(form: ContactForm): BodyOf<'POST /contacts'> {
  const email = form.email.trim()
  return {
    name: form.name.trim(),
    phone: form.phone.trim(),
    ...(email !== '' && { email }),
    category_ids: [...form.categoryIds],
    attributes: attributesOf(form),
  }
}

export type ContactChange = Omit<BodyOf<'PATCH /contacts/{id}'>, 'updated_at'>
export type ChangedField = keyof ContactChange

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)
const sorted = (attributes: Readonly<Record<string, string>>): readonly (readonly [string, string])[] =>
  Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1))

/** The fields in which two versions of a contact differ, with the second's values. */
function differences(from: Required<ContactChange>, to: Required<ContactChange>): ContactChange {
  const members = (change: Required<ContactChange>): readonly string[] => [...change.category_ids].sort()
  return {
    ...(to.name !== from.name && { name: to.name }),
    ...(to.phone !== from.phone && { phone: to.phone }),
    ...(to.email !== from.email && { email: to.email }),
    ...(!isSame(members(from), members(to)) && { category_ids: to.category_ids }),
    ...(!isSame(sorted(from.attributes), sorted(to.attributes)) && { attributes: to.attributes }),
  }
}

const fieldsOf = (contact: Contact): Required<ContactChange> => ({
  name: contact.name,
  phone: contact.phone,
  email: contact.email,
  category_ids: contact.categories.map(one => one.id),
  attributes: contact.attributes,
})

export type ImportJob = AnswerOf<'GET /contacts/import/{job}'>

/** Only what was changed in the form: fields that nobody touched are nobody's to overwrite. */
export function changeOf(seen: Contact, form: ContactForm): ContactChange {
  const text = (value: string): string | null => (value.trim() === '' ? null : value.trim())
  return differences(fieldsOf(seen), {
    name: form.name.trim(),
    phone: text(form.phone),
    email: text(form.email),
    category_ids: [...form.categoryIds],
    attributes: attributesOf(form),
  })
}

/** The fields that a person changed, and somebody else changed to something else meanwhile. */
export function conflictsOf(seen: Contact, change: ContactChange, theirs: Contact): readonly ChangedField[] {
  const meanwhile = differences(fieldsOf(seen), fieldsOf(theirs))
  const now = fieldsOf(theirs)
  return (Object.keys(change) as ChangedField[]).filter(
    field => field in meanwhile && !isSame(change[field], now[field]),
  )
}

const FORM_FIELDS: Readonly<Record<ChangedField, keyof ContactForm>> = {
  name: 'name',
  phone: 'phone',
  email: 'email',
  category_ids: 'categoryIds',
  attributes: 'attributes',
}

/** A field as a contact has it, for a form. */
export function fieldOf(contact: Contact, field: ChangedField): Partial<ContactForm> {
  const key = FORM_FIELDS[field]
  return { [key]: formOf(contact)[key] }
}

/** The form again, over what somebody else has made of the contact: what the person did not touch is theirs. */
export function mergedForm(seen: Contact, form: ContactForm, theirs: Contact): ContactForm {
  const touched = Object.keys(changeOf(seen, form)) as ChangedField[]
  const mine = touched.map(field => [FORM_FIELDS[field], form[FORM_FIELDS[field]]])
  return { ...formOf(theirs), ...(Object.fromEntries(mine) as Partial<ContactForm>) }
}

/** A contact with a change in it, as it is shown until the server has said what it made of it. */
export function changedContact(
  contact: Contact,
  change: ContactChange,
  nameOf: (categoryId: string) => string,
): Contact {
  const { category_ids, ...fields } = change
  const given = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<Contact>
  return {
    ...contact,
    ...given,
    ...(category_ids !== undefined && { categories: category_ids.map(id => ({ id, name: nameOf(id) })) }),
  }
}

/** A contact that is being made. Its id is this page's own, until the server has given it one. */
export function draftedContact(
  form: ContactForm,
  id: string,
  now: number,
  nameOf: (categoryId: string) => string,
): Contact {
  const { name, phone = null, email = null, attributes = {}, category_ids = [] } = newBodyOf(form)
  return {
    id,
    name,
    phone,
    email,
    attributes,
    categories: category_ids.map(categoryId => ({ id: categoryId, name: nameOf(categoryId) })),
    ...{ wa_id: null, bsuid: null, username: null },
    ...{ opt_in_at: null, opt_out_at: null, last_inbound_at: null, window_expires_at: null },
    created_at: now,
    updated_at: now,
  }
}

const NEW = 'new:'
export const draftId = (): string => `${NEW}${crypto.randomUUID()}`
/** Made here and not yet known to the server: there is no page of it, and nothing can be done with it. */
export const isDraft = (contact: { readonly id: string }): boolean => contact.id.startsWith(NEW)

export type BulkAction = BodyOf<'POST /contacts/bulk'>['action']
export const MOST_BULK = 500

/** What a bulk action makes of a contact. */
export function bulkChange(
  action: BulkAction,
  categories: readonly { readonly id: string; readonly name: string }[],
  now: number,
): (contact: Contact) => Contact | undefined {
  return contact => {
    const others = contact.categories.filter(one => !categories.some(other => other.id === one.id))
    if (action === 'delete') return undefined
    if (action === 'opt_out') return contact.opt_out_at === null ? { ...contact, opt_out_at: now } : contact
    if (action === 'opt_in') {
      const isIn = contact.opt_in_at !== null && contact.opt_out_at === null
      return isIn ? contact : { ...contact, opt_in_at: now, opt_out_at: null }
    }
    return { ...contact, categories: action === 'add_categories' ? [...others, ...categories] : others }
  }
}

const EVERY_MS = 1000

/** While a job goes on it is asked for each second; its end is final. */
export function pollEvery(status: ImportJob['status'] | undefined): number | false {
  return status === 'queued' || status === 'running' ? EVERY_MS : false
}

/** The things between two, both included, whichever comes first. */
export function rangeOf<T extends { readonly id: string }>(
  items: readonly T[],
  from: string,
  to: string,
): readonly T[] {
  const ends = [items.findIndex(one => one.id === from), items.findIndex(one => one.id === to)]
  const [first, last] = [Math.min(...ends), Math.max(...ends)]
  return first === -1 ? items.filter(one => one.id === to) : items.slice(first, last + 1)
}

/** Parts of at most `size`. */
export function batchesOf<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size))
}
