import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'
import {
  type BulkAction,
  batchesOf,
  bulkChange,
  type ChangedField,
  changedContact,
  changeOf,
  type ContactChange,
  type ContactFilter,
  type ContactForm,
  conflictsOf,
  contactListing,
  contactQuery,
  contactsQuery,
  draftedContact,
  draftId,
  type ListPage,
  MOST_BULK,
  newBodyOf,
  PAGE_SIZE,
} from './contacts.ts'
import { ApiError } from './client.ts'
import { type Category, type Contact, useClient, usePending } from './context.tsx'
import {
  askedOf,
  categoriesWith,
  changing,
  contactsWith,
  contactWith,
  making,
  type Pending,
  removing,
} from './pending.ts'
import { useCategories } from './use-categories.ts'
import { useChange } from './use-change.ts'
import { useNow } from './use-now.ts'

type Changes = readonly Pending<Contact, Category>[]

/** The names of the contacts' categories follow what was done to the categories. */
function withNames(contacts: readonly Contact[], pending: Changes, asked: number | undefined): readonly Contact[] {
  if (pending.every(change => change.categories.length === 0)) return contacts
  return contacts.map(contact => {
    const known = contact.categories.map(one => ({
      ...one,
      color: '',
      description: '',
      contact_count: 0,
      created_at: 0,
      updated_at: 0,
    }))
    const shown = categoriesWith(known, pending, asked, {
      belongs: category => contact.categories.some(one => one.id === category.id),
    })
    return { ...contact, categories: shown.map(({ id, name }) => ({ id, name })) }
  })
}

/** The loaded part of a list of contacts, what this person has just done included. */
export function useContacts(filter: ContactFilter) {
  const client = useClient()
  const pending = usePending()
  const query = useInfiniteQuery(contactsQuery(client, filter))
  const { data, hasNextPage } = query
  const now = useNow()
  const start = ((data?.pageParams[0] as ListPage | undefined)?.index ?? 0) * PAGE_SIZE
  const contacts = useMemo(() => {
    if (data === undefined) return undefined
    const asked = askedOf(data)
    const loaded = data.pages.flatMap(page => page.value.items)
    const listing = contactListing(filter, { now, isStart: start === 0, isEnd: !hasNextPage })
    return withNames(contactsWith(loaded, pending, asked, listing), pending, asked)
  }, [data, pending, filter, start, hasNextPage, now])
  return { ...query, contacts, start, isOffline: data?.pages.some(page => page.offline) === true }
}

/** One contact; `isGone` once this person has deleted it. */
export function useContact(id: string) {
  const pending = usePending()
  const query = useQuery(contactQuery(useClient(), id))
  const { data } = query
  const contact = useMemo(() => {
    const shown = data === undefined ? undefined : contactWith(data.value, pending, data.asked)
    return shown === undefined ? undefined : withNames([shown], pending, data?.asked)[0]
  }, [data, pending])
  return { ...query, contact, isGone: data !== undefined && contact === undefined }
}

/** The name of a category, for what is shown before the server has answered. */
function useCategoryName(): (id: string) => string {
  const { categories } = useCategories()
  return useCallback((id: string) => categories?.find(one => one.id === id)?.name ?? '', [categories])
}

export function useCreateContact(): (form: ContactForm) => Promise<Contact> {
  const client = useClient()
  const change = useChange()
  const nameOf = useCategoryName()
  return form => {
    const id = draftId()
    return change({ contacts: [making(draftedContact(form, id, Date.now(), nameOf))] }, async () => {
      const { value } = await client.ask('POST /contacts', { body: newBodyOf(form) })
      return { value, contacts: [[id, value]] }
    })
  }
}

/** Somebody else changed the same fields to something else. */
export class ContactConflict extends Error {
  readonly theirs: Contact
  readonly fields: readonly ChangedField[]

  constructor(theirs: Contact, fields: readonly ChangedField[]) {
    super('Somebody else changed the same fields of the contact.')
    this.name = 'ContactConflict'
    this.theirs = theirs
    this.fields = fields
  }
}

const isOutdated = (error: unknown): boolean =>
  error instanceof ApiError && error.status === 409 && error.fields['updated_at'] !== undefined

/** Sends what was changed in the form. What others changed elsewhere in the contact stays; rejects with `ContactConflict` for the same fields. */
export function useUpdateContact(): (seen: Contact, form: ContactForm) => Promise<Contact> {
  const client = useClient()
  const run = useChange()
  const nameOf = useCategoryName()
  return (seen, form) => {
    const change = changeOf(seen, form)
    const path = { id: seen.id }
    const patch = async (given: ContactChange, updated_at: number): Promise<Contact> =>
      (await client.ask('PATCH /contacts/{id}', { path, body: { ...given, updated_at } })).value
    return run({ contacts: [changing(seen, contact => changedContact(contact, change, nameOf))] }, async known => {
      let value: Contact
      try {
        value = await patch(change, known.contact(seen.id)?.updated_at ?? seen.updated_at)
      } catch (error) {
        if (!isOutdated(error)) throw error
        const { value: theirs } = await client.ask('GET /contacts/{id}', { path }, { isPart: true })
        const fields = conflictsOf(seen, change, theirs)
        if (fields.length > 0) throw new ContactConflict(theirs, fields)
        value = await patch(change, theirs.updated_at)
      }
      return { value, contacts: [[seen.id, value]] }
    })
  }
}

/** Its messages stay, without it. That it is gone already is what was wanted. */
export function useDeleteContact(): (seen: Contact) => Promise<void> {
  const client = useClient()
  const change = useChange()
  return seen =>
    change({ contacts: [removing(seen)] }, async () => {
      try {
        await client.ask('DELETE /contacts/{id}', { path: { id: seen.id } })
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error
      }
      return { value: undefined }
    })
}

/** Notes that a contact wants our messages, or no more of them. */
export function useConsent(): (seen: Contact, action: 'opt_in' | 'opt_out') => Promise<Contact> {
  const client = useClient()
  const run = useChange()
  return (seen, action) => {
    const change = bulkChange(action, [], Date.now())
    const step = {
      id: seen.id,
      known: seen,
      apply: (one: Contact | undefined) => (one === undefined ? undefined : change(one)),
    }
    const operation =
      action === 'opt_in' ? ('POST /contacts/{id}/opt-in' as const) : ('POST /contacts/{id}/opt-out' as const)
    return run({ contacts: [step] }, async () => {
      const { value } = await client.ask(operation, { path: { id: seen.id } })
      return { value, contacts: [[seen.id, value]] }
    })
  }
}

export interface BulkDone {
  readonly changed: readonly string[]
  readonly unchanged: number
  readonly missing: number
}

/** Does one thing to any number of contacts, 500 at a time. Rejects when one of these parts fails; the others are done. */
export function useBulkContacts(): (
  contacts: readonly Contact[],
  action: BulkAction,
  categories?: readonly { readonly id: string; readonly name: string }[],
) => Promise<BulkDone> {
  const client = useClient()
  const run = useChange()
  return async (contacts, action, categories = []) => {
    const change = bulkChange(action, categories, Date.now())
    const named = categories.length === 0 ? {} : { category_ids: categories.map(one => one.id) }
    const batches = batchesOf(contacts, MOST_BULK).map(batch => {
      const steps = batch.map(known => ({
        id: known.id,
        known,
        apply: (one: Contact | undefined) => (one === undefined ? undefined : change(one)),
      }))
      return run({ contacts: steps }, async () => {
        const body = { action, ids: batch.map(one => one.id), ...named }
        const { value } = await client.ask('POST /contacts/bulk', { body })
        const missing = value.results.filter(one => one.result === 'not_found')
        return { value, contacts: missing.map(one => [one.id, undefined] as const) }
      })
    })
    const results = (await Promise.all(batches)).flatMap(({ results: each }) => each)
    return {
      changed: results.filter(one => one.result === 'changed').map(one => one.id),
      unchanged: results.filter(one => one.result === 'unchanged').length,
      missing: results.filter(one => one.result === 'not_found').length,
    }
  }
}
