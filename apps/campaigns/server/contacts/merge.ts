import { insertIfAbsent } from '../database/portable.ts'
import type { ContactTable } from '../database/schema.ts'
import type { Search } from '../search/port.ts'
import type { Work } from '../work.ts'
import { searchTextOf } from './search-text.ts'

const latest = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other)

/** Who asked for silence under either identity is left in peace; what people wrote about the survivor stays. */
function combine(survivor: ContactTable, absorbed: ContactTable, at: number): ContactTable {
  const attributes = { ...readJson(absorbed.attributes), ...readJson(survivor.attributes) }
  const row: ContactTable = {
    ...survivor,
    phone_e164: survivor.phone_e164 ?? absorbed.phone_e164,
    email: survivor.email ?? absorbed.email,
    wa_id: survivor.wa_id ?? absorbed.wa_id,
    bsuid: survivor.bsuid ?? absorbed.bsuid,
    parent_bsuid: survivor.parent_bsuid ?? absorbed.parent_bsuid,
    username: survivor.username ?? absorbed.username,
    attributes: Object.keys(attributes).length === 0 ? null : JSON.stringify(attributes),
    opt_in_at: latest(survivor.opt_in_at, absorbed.opt_in_at),
    opt_out_at: latest(survivor.opt_out_at, absorbed.opt_out_at),
    last_inbound_at: latest(survivor.last_inbound_at, absorbed.last_inbound_at),
    window_expires_at: latest(survivor.window_expires_at, absorbed.window_expires_at),
    created_at: Math.min(survivor.created_at, absorbed.created_at),
    updated_at: Math.max(at, survivor.updated_at + 1),
  }
  row.search_text = searchTextOf(row)
  return row
}

function readJson(text: string | null): object {
  return text === null ? {} : (JSON.parse(text) as object)
}

async function moveCategories({ trx, engine, at, touch }: Work, from: string, to: string): Promise<void> {
  const rows = await trx.selectFrom('contact_categories').select('category_id').where('contact_id', '=', from).execute()
  const moved = rows.map(({ category_id }) => ({ category_id, contact_id: to, created_at: at }))
  await insertIfAbsent(trx, engine, 'contact_categories', moved)
  for (const { category_id } of rows) touch(`category:${category_id}`)
}

/** A campaign that wrote to both keeps one row for the survivor; the other stays in it without a contact. */
async function moveMessages({ trx }: Work, from: string, to: string): Promise<void> {
  const recipientRows = await trx
    .selectFrom('messages')
    .select(['id', 'contact_id', 'campaign_id', 'step'])
    .where('contact_id', 'in', [from, to])
    .where('campaign_id', 'is not', null)
    .execute()
  const place = (row: (typeof recipientRows)[number]): string => `${row.campaign_id} ${row.step}`
  const taken = new Set(recipientRows.filter(row => row.contact_id === to).map(place))
  const stay = recipientRows.filter(row => row.contact_id === from && taken.has(place(row))).map(row => row.id)
  let move = trx.updateTable('messages').set({ contact_id: to }).where('contact_id', '=', from)
  if (stay.length > 0) move = move.where('id', 'not in', stay)
  await move.execute()
}

/**
 * Makes two contacts one, in the caller's transaction, which has locked both: categories and messages move, consent is
 * combined in favour of silence, identifiers and fields that the survivor lacks are taken over. Returns the survivor.
 */
export async function absorbContact(
  search: Search,
  work: Work,
  { survivor, absorbed }: { readonly survivor: ContactTable; readonly absorbed: ContactTable },
): Promise<ContactTable> {
  const { trx, at, touch, record } = work
  await moveCategories(work, absorbed.id, survivor.id)
  await moveMessages(work, absorbed.id, survivor.id)
  // First: the identifiers are unique, and one row has to let go of them before the other can have them.
  await trx.deleteFrom('contacts').where('id', '=', absorbed.id).execute()
  const { id, ...fields } = combine(survivor, absorbed, at)
  await trx.updateTable('contacts').set(fields).where('id', '=', id).execute()
  await record({ action: 'merge', entity: 'contact', id: absorbed.id, before: absorbed, after: null })
  await record({ action: 'merge', entity: 'contact', id, before: survivor, after: { id, ...fields } })
  await search.changed(work, 'contact', [absorbed.id, id])
  touch('contacts')
  return { id, ...fields }
}
