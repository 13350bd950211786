import type { Actor } from '../access/actor.ts'
import { forUpdate } from '../database/portable.ts'
import type { ContactTable } from '../database/schema.ts'
import type { Search } from '../search/port.ts'
import type { Services } from '../services.ts'
import { type Work, write } from '../work.ts'
import { consentPatch } from './consent.ts'
import { type ContactFilter, listContactIds } from './list.ts'
import {
  addMemberships,
  categoryIdsOf,
  refuseGoneCategories,
  removeMemberships,
  requireCategories,
  touchCategories,
} from './membership.ts'

export const BULK_ACTIONS = ['add_categories', 'remove_categories', 'opt_in', 'opt_out', 'delete'] as const
export type BulkAction = (typeof BULK_ACTIONS)[number]
export const MOST_BULK = 500

export interface BulkRequest {
  readonly action: BulkAction
  readonly ids?: readonly string[]
  /** In place of `ids`: the next 500 contacts that match, from `cursor` on. */
  readonly filter?: ContactFilter
  readonly cursor?: string
  readonly category_ids?: readonly string[]
}

export interface BulkResult {
  readonly results: readonly { readonly id: string; readonly result: 'changed' | 'unchanged' | 'not_found' }[]
  readonly changed: number
  /** Null when nothing more matches the filter, and always for `ids`. */
  readonly next_cursor: string | null
}

interface Targets {
  readonly ids: readonly string[]
  readonly next_cursor: string | null
}

type Rows = readonly ContactTable[]

/** Returns the ids of those that changed. */
type Apply = (
  work: Work,
  rows: Rows,
  given: { readonly categoryIds: readonly string[]; readonly search: Search },
) => Promise<readonly string[]>

/** The edit guard of a contact looks at `updated_at`, so it never stays the same. */
const stampOf = (rows: Rows, at: number): number =>
  rows.reduce((latest, row) => Math.max(latest, row.updated_at + 1), at)

/** Membership is part of what a contact looks like, so a change of it is one of the contact. */
async function stampContacts({ trx, at }: Work, rows: Rows): Promise<void> {
  if (rows.length === 0) return
  const ids = rows.map(row => row.id)
  await trx
    .updateTable('contacts')
    .set({ updated_at: stampOf(rows, at) })
    .where('id', 'in', ids)
    .execute()
}

/** Puts locked contacts into categories, or takes them out. Returns the ids of those for which that is a change. */
export async function changeMemberships(
  work: Work,
  rows: Rows,
  categoryIds: readonly string[],
  how: 'add' | 'remove',
): Promise<readonly string[]> {
  const had = await categoryIdsOf(
    work.trx,
    rows.map(row => row.id),
  )
  const differs = ({ id }: ContactTable): boolean => {
    const present = categoryIds.filter(category => had.get(id)?.includes(category) === true).length
    return how === 'add' ? present < categoryIds.length : present > 0
  }
  const changed = rows.filter(differs)
  const ids = changed.map(row => row.id)
  if (how === 'add') await addMemberships(work, ids, categoryIds)
  else await removeMemberships(work, ids, categoryIds)
  await stampContacts(work, changed)
  for (const id of ids) {
    const before = had.get(id) ?? []
    const kept = before.filter(category => !categoryIds.includes(category))
    const after = how === 'add' ? [...new Set([...before, ...categoryIds])].sort() : kept
    const action = how === 'add' ? 'add_categories' : 'remove_categories'
    await work.record({
      action,
      entity: 'contact',
      id,
      before: { category_ids: before },
      after: { category_ids: after },
    })
  }
  return ids
}

async function changeConsents(work: Work, rows: Rows, action: 'opt_in' | 'opt_out'): Promise<readonly string[]> {
  const changed = rows.filter(row => consentPatch(row, action, work.at) !== undefined)
  if (changed.length === 0) return []
  const ids = changed.map(row => row.id)
  const set = action === 'opt_in' ? { opt_in_at: work.at, opt_out_at: null } : { opt_out_at: work.at }
  const patch = { ...set, updated_at: stampOf(changed, work.at) }
  await work.trx.updateTable('contacts').set(patch).where('id', 'in', ids).execute()
  for (const { id, opt_in_at, opt_out_at } of changed) {
    const before = { opt_in_at, opt_out_at }
    await work.record({ action, entity: 'contact', id, before, after: { ...before, ...set } })
  }
  return ids
}

async function deleteAll(work: Work, rows: Rows, { search }: { readonly search: Search }): Promise<readonly string[]> {
  const ids = rows.map(row => row.id)
  const had = await categoryIdsOf(work.trx, ids)
  await work.trx.deleteFrom('contacts').where('id', 'in', ids).execute()
  for (const row of rows) {
    const category_ids = had.get(row.id) ?? []
    touchCategories(work.touch, category_ids)
    await work.record({ action: 'delete', entity: 'contact', id: row.id, before: { ...row, category_ids } })
  }
  await search.changed(work, 'contact', ids)
  return ids
}

const APPLY: Readonly<Record<BulkAction, Apply>> = {
  add_categories: (work, rows, { categoryIds }) => changeMemberships(work, rows, categoryIds, 'add'),
  remove_categories: (work, rows, { categoryIds }) => changeMemberships(work, rows, categoryIds, 'remove'),
  opt_in: (work, rows) => changeConsents(work, rows, 'opt_in'),
  opt_out: (work, rows) => changeConsents(work, rows, 'opt_out'),
  delete: deleteAll,
}

async function targetsOf(services: Services, work: Work, request: BulkRequest, country: string): Promise<Targets> {
  if (request.ids !== undefined) return { ids: [...new Set(request.ids)], next_cursor: null }
  const context = { cursors: services.cursors, now: work.at, country }
  const cursor = request.cursor === undefined ? {} : { cursor: request.cursor }
  const page = await listContactIds(work.trx, context, { ...request.filter, ...cursor, limit: MOST_BULK })
  return { ids: page.items, next_cursor: page.next_cursor }
}

/** The rows of contacts that still exist, locked in the order of their ids until the transaction ends. */
export async function lockContacts({ trx, engine }: Work, ids: readonly string[]): Promise<ContactTable[]> {
  if (ids.length === 0) return []
  const query = trx.selectFrom('contacts').selectAll().where('id', 'in', ids).orderBy('id')
  return await query.$call(forUpdate(engine)).execute()
}

/** Does one thing to up to 500 contacts in one transaction, and says of each what became of it. */
export async function changeContacts(services: Services, actor: Actor, request: BulkRequest): Promise<BulkResult> {
  const { default_country } = await services.settings.read()
  const categoryIds = [...new Set(request.category_ids)].sort()
  const run = (): Promise<BulkResult> =>
    write(
      services,
      async work => {
        await requireCategories(work.trx, categoryIds)
        const { ids, next_cursor } = await targetsOf(services, work, request, default_country)
        const rows = await lockContacts(work, ids)
        const given = { categoryIds, search: services.search }
        const changed = new Set(rows.length === 0 ? [] : await APPLY[request.action](work, rows, given))
        if (changed.size > 0) work.touch('contacts')
        const found = new Set(rows.map(row => row.id))
        const resultOf = (id: string) => (changed.has(id) ? 'changed' : found.has(id) ? 'unchanged' : 'not_found')
        return { results: ids.map(id => ({ id, result: resultOf(id) })), changed: changed.size, next_cursor }
      },
      { actor },
    )
  return await refuseGoneCategories(request.category_ids, run)
}
