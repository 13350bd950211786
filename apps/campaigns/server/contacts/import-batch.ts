import type { Transaction } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { foldName } from '../phone.ts'
import type { Services } from '../services.ts'

/** A record of the file that can be stored. */
export interface Line {
  readonly name: string
  readonly phone: string
  readonly email: string | null
  readonly categories: readonly string[]
}

export interface BatchResult {
  readonly created: number
  readonly newCategories: number
  /** Categories that gained a contact. */
  readonly categoryIds: readonly string[]
}

const NEW_CATEGORY_COLOR = '#64748b'

/** A statement may carry at most 32,766 values, so rows of up to six columns go in parts of 5,000. */
function* parts<T>(rows: readonly T[]): Generator<T[]> {
  for (let start = 0; start < rows.length; start += 5000) yield rows.slice(start, start + 5000)
}

async function categoryIdsByName(
  { newId }: Services,
  trx: Transaction<Tables>,
  names: readonly string[],
  at: number,
): Promise<{ readonly ids: ReadonlyMap<string, string>; readonly created: number }> {
  if (names.length === 0) return { ids: new Map(), created: 0 }
  const known = await trx.selectFrom('categories').select(['id', 'name']).where('name', 'in', names).execute()
  const ids = new Map(known.map(row => [row.name, row.id]))
  const rows = names
    .filter(name => !ids.has(name))
    .map(name => ({ id: newId(), name, color: NEW_CATEGORY_COLOR, description: '', created_at: at, updated_at: at }))
  for (const part of parts(rows)) await trx.insertInto('categories').values(part).execute()
  for (const row of rows) ids.set(row.name, row.id)
  return { ids, created: rows.length }
}

/** Stores the lines whose phone is new, in one transaction of few statements whatever their number. */
export async function writeBatch(services: Services, lines: readonly Line[]): Promise<BatchResult> {
  const { database, newId, now } = services
  const byPhone = new Map<string, Line>()
  for (const line of lines) if (!byPhone.has(line.phone)) byPhone.set(line.phone, line)
  const phones = [...byPhone.keys()]
  return await database.writer.transaction().execute(async trx => {
    const taken = await trx.selectFrom('contacts').select('phone_e164').where('phone_e164', 'in', phones).execute()
    for (const { phone_e164 } of taken) byPhone.delete(phone_e164 ?? '')
    if (byPhone.size === 0) return { created: 0, newCategories: 0, categoryIds: [] }
    const at = now()
    const fresh = [...byPhone.values()].map(line => ({ id: newId(), line }))
    const names = [...new Set(fresh.flatMap(({ line }) => line.categories))]
    const { ids, created } = await categoryIdsByName(services, trx, names, at)
    const contacts = fresh.map(({ id, line: { name, phone: phone_e164, email } }) => {
      return { id, name, name_key: foldName(name), phone_e164, email, created_at: at, updated_at: at }
    })
    await trx.insertInto('contacts').values(contacts).execute()
    const memberships = fresh.flatMap(({ id: contact_id, line }) =>
      line.categories.flatMap(name => {
        const category_id = ids.get(name)
        return category_id === undefined ? [] : [{ category_id, contact_id, created_at: at }]
      }),
    )
    for (const part of parts(memberships)) await trx.insertInto('contact_categories').values(part).execute()
    return { created: fresh.length, newCategories: created, categoryIds: [...ids.values()] }
  })
}
