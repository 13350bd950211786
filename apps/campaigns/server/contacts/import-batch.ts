import { NEW_CATEGORY_COLOR } from '../categories/store.ts'
import { forUpdate, insertIfAbsent } from '../database/portable.ts'
import type { ContactTable } from '../database/schema.ts'
import { foldName } from '../phone.ts'
import type { IdSource } from '../ids.ts'
import type { Search } from '../search/port.ts'
import type { Work } from '../work.ts'
import type { Line } from './import-line.ts'
import { NO_HISTORY, readAttributes, writeAttributes } from './store.ts'
import { searchTextOf } from './search-text.ts'

export interface BatchOptions {
  readonly newId: IdSource
  readonly search: Search
  /** What a line with a known phone does: nothing, or change what it has a text for. */
  readonly mode: ImportMode
}

export type ImportMode = 'skip' | 'update'

export interface BatchResult {
  readonly created: number
  readonly updated: number
  readonly newCategories: number
  /** Categories that may have gained a contact. */
  readonly categoryIds: readonly string[]
}

/** A later line about the same person adds to an earlier one, as it would in a batch of its own. */
function mergeLines(earlier: Line, later: Line): Line {
  return {
    ...later,
    email: later.email ?? earlier.email,
    categories: [...new Set([...earlier.categories, ...later.categories])],
    attributes: { ...earlier.attributes, ...later.attributes },
    optIn: earlier.optIn || later.optIn,
  }
}

function byPhone(lines: readonly Line[], mode: ImportMode): Map<string, Line> {
  const found = new Map<string, Line>()
  for (const line of lines) {
    const earlier = found.get(line.phone)
    if (earlier === undefined) found.set(line.phone, line)
    else if (mode === 'update') found.set(line.phone, mergeLines(earlier, line))
  }
  return found
}

/** The ids of categories by name; those that are missing are made, by whoever comes first. */
async function categoryIdsByName(
  { trx, engine, at }: Work,
  newId: IdSource,
  names: readonly string[],
): Promise<{ readonly ids: ReadonlyMap<string, string>; readonly created: number }> {
  if (names.length === 0) return { ids: new Map(), created: 0 }
  const select = () => trx.selectFrom('categories').select(['id', 'name']).where('name', 'in', names).execute()
  const known = await select()
  const present = new Set(known.map(row => row.name))
  // In one order everywhere, so that two imports that make the same categories never wait in a circle.
  const missing = names.filter(name => !present.has(name)).sort()
  if (missing.length === 0) return { ids: new Map(known.map(row => [row.name, row.id])), created: 0 }
  const times = { created_at: at, updated_at: at }
  const rows = missing.map(name => ({ id: newId(), name, color: NEW_CATEGORY_COLOR, description: '', ...times }))
  const created = await insertIfAbsent(trx, engine, 'categories', rows)
  return { ids: new Map((await select()).map(row => [row.name, row.id])), created }
}

function newRow(line: Line, id: string, at: number): ContactTable {
  const { name, phone: phone_e164, email } = line
  const fields = { name, name_key: foldName(name), phone_e164, email, username: null }
  return {
    ...NO_HISTORY,
    ...fields,
    id,
    bsuid: null,
    attributes: writeAttributes(line.attributes),
    search_text: searchTextOf(fields),
    opt_in_at: line.optIn ? at : null,
    created_at: at,
    updated_at: at,
  }
}

/** What the file says of a known contact. It cannot undo that somebody asked for silence. */
function changedRow(row: ContactTable, line: Line, at: number): ContactTable | undefined {
  const next: ContactTable = {
    ...row,
    name: line.name,
    name_key: foldName(line.name),
    email: line.email ?? row.email,
    attributes: writeAttributes({ ...readAttributes(row.attributes), ...line.attributes }),
    opt_in_at: line.optIn && row.opt_out_at === null ? (row.opt_in_at ?? at) : row.opt_in_at,
  }
  next.search_text = searchTextOf(next)
  const same = Object.entries(next).every(([name, value]) => row[name as keyof ContactTable] === value)
  return same ? undefined : { ...next, updated_at: Math.max(at, row.updated_at + 1) }
}

async function insertNew(
  { trx, engine, at }: Work,
  newId: IdSource,
  lines: readonly Line[],
): Promise<Map<string, Line>> {
  const sorted = [...lines].sort((a, b) => (a.phone < b.phone ? -1 : 1))
  const fresh = new Map(sorted.map(line => [newId(), line]))
  const rows = [...fresh].map(([id, line]) => newRow(line, id, at))
  if ((await insertIfAbsent(trx, engine, 'contacts', rows)) === rows.length) return fresh
  // Somebody else stored some of these phones in between: theirs stay.
  const mine = await trx
    .selectFrom('contacts')
    .select('id')
    .where('id', 'in', [...fresh.keys()])
    .execute()
  const ids = new Set(mine.map(row => row.id))
  return new Map([...fresh].filter(([id]) => ids.has(id)))
}

async function addMembers(
  { trx, engine, at, touch }: Work,
  members: ReadonlyMap<string, Line>,
  ids: ReadonlyMap<string, string>,
): Promise<ReadonlySet<string>> {
  const rows = [...members].flatMap(([contact_id, line]) =>
    line.categories.flatMap(name => {
      const category_id = ids.get(name)
      return category_id === undefined ? [] : [{ category_id, contact_id, created_at: at }]
    }),
  )
  const gained = await insertIfAbsent(trx, engine, 'contact_categories', rows)
  if (gained > 0) for (const id of ids.values()) touch(`category:${id}`)
  return gained === 0 ? new Set() : new Set(ids.values())
}

/** Stores the lines, in few statements whatever their number; in update mode one more for each contact that changes. */
export async function writeBatch(work: Work, lines: readonly Line[], options: BatchOptions): Promise<BatchResult> {
  const { trx, engine, at, touch } = work
  const { newId, search, mode } = options
  const wanted = byPhone(lines, mode)
  const query = trx
    .selectFrom('contacts')
    .selectAll()
    .where('phone_e164', 'in', [...wanted.keys()])
    .orderBy('id')
  const known = wanted.size === 0 ? [] : await (mode === 'update' ? query.$call(forUpdate(engine)) : query).execute()
  const knownLines = known.flatMap(row => {
    const line = wanted.get(row.phone_e164 ?? '')
    wanted.delete(row.phone_e164 ?? '')
    return line === undefined || mode === 'skip' ? [] : [{ row, line }]
  })
  const stored = [...wanted.values(), ...knownLines.map(({ line }) => line)]
  const names = [...new Set(stored.flatMap(line => line.categories))]
  const categories = await categoryIdsByName(work, newId, names)
  const members = wanted.size === 0 ? new Map<string, Line>() : await insertNew(work, newId, [...wanted.values()])
  const created = members.size
  const reworded = [...members.keys()]
  let updated = 0
  for (const { row, line } of knownLines) {
    members.set(row.id, line)
    const next = changedRow(row, line, at)
    if (next === undefined) continue
    updated++
    if (next.search_text !== row.search_text) reworded.push(row.id)
    await trx.updateTable('contacts').set(next).where('id', '=', row.id).execute()
  }
  await search.changed(work, 'contact', reworded)
  const gained = await addMembers(work, members, categories.ids)
  if (created > 0 || updated > 0 || gained.size > 0) touch('contacts')
  if (categories.created > 0) touch('categories')
  return { created, updated, newCategories: categories.created, categoryIds: [...gained] }
}
