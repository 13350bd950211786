import type { Kysely } from 'kysely'
import type { Work } from '../work.ts'
import { upsert } from '../database/portable.ts'
import type { Tables, TemplateTable } from '../database/schema.ts'
import { placeholdersOf } from '../messages/content.ts'
import { badFields, notFound } from '../problem.ts'
import { received } from '../validation.ts'
import type { RemoteTemplate } from '../whatsapp/port.ts'

type Db = Kysely<Tables>

/** A template as people see it. */
export interface Template extends Omit<TemplateTable, 'components'> {
  readonly components: readonly unknown[]
  /** The keys of the parameters it asks for. */
  readonly placeholders: readonly string[]
}

export interface TemplateFilter {
  readonly account?: string | undefined
  readonly status?: string | undefined
}

function shape(row: TemplateTable): Template {
  return { ...row, components: JSON.parse(row.components) as unknown[], placeholders: placeholdersOf(row) }
}

/** All of them: an account has some thousands at most. */
export async function listTemplates(db: Db, { account, status }: TemplateFilter): Promise<Template[]> {
  let query = db.selectFrom('templates').selectAll().orderBy('name').orderBy('id')
  if (account !== undefined) query = query.where('account_id', '=', account)
  if (status !== undefined) query = query.where('status', '=', status)
  return (await query.execute()).map(shape)
}

export async function findTemplate(db: Db, id: string): Promise<TemplateTable> {
  const row = await db.selectFrom('templates').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw notFound('template', id)
  return row
}

/** Those of the ids that exist. */
export async function templatesOf(db: Db, ids: Iterable<string | null>): Promise<ReadonlyMap<string, TemplateTable>> {
  const wanted = [...new Set([...ids].filter(id => id !== null))]
  if (wanted.length === 0) return new Map()
  const rows = await db.selectFrom('templates').selectAll().where('id', 'in', wanted).execute()
  return new Map(rows.map(row => [row.id, row]))
}

/** The only status in which WhatsApp sends a template. */
export const APPROVED = 'APPROVED'
/** Ours: WhatsApp has it no more. Kept, because campaigns name it. */
const GONE = 'DELETED'

export function refuseUnapproved(template: TemplateTable, field: string): void {
  if (template.status === APPROVED) return
  const expected = 'an approved template'
  throw badFields([{ field, expected, received: received(`${template.name}: ${template.status}`) }], 409)
}

const REMOTE = ['category', 'status', 'quality', 'components'] as const

/** Brings the account's templates to what WhatsApp says; returns how many changed. Two at once do no harm. */
export async function storeTemplates(
  work: Work,
  newId: () => string,
  accountId: string,
  remote: readonly RemoteTemplate[],
): Promise<number> {
  const { trx, engine, at } = work
  const nameOf = ({ name, language }: { name: string; language: string }): string => JSON.stringify([name, language])
  const rows = await trx.selectFrom('templates').selectAll().where('account_id', '=', accountId).execute()
  const known = new Map(rows.map(row => [nameOf(row), row]))
  const found = new Map(
    remote.map(({ name, language, category, status, quality, components }) => [
      nameOf({ name, language }),
      { name, language, category, status, quality, components: JSON.stringify(components) },
    ]),
  )
  let changed = 0
  for (const [key, template] of found) {
    const row = known.get(key)
    if (row !== undefined && REMOTE.every(column => row[column] === template[column])) continue
    const fresh = { id: newId(), account_id: accountId, ...template, synced_at: at }
    await upsert(trx, engine, 'templates', fresh, ['account_id', 'name', 'language'], [...REMOTE, 'synced_at'])
    changed++
  }
  const gone = rows.filter(row => !found.has(nameOf(row)) && row.status !== GONE).map(row => row.id)
  if (gone.length > 0) await trx.updateTable('templates').set({ status: GONE }).where('id', 'in', gone).execute()
  await trx.updateTable('templates').set({ synced_at: at }).where('account_id', '=', accountId).execute()
  if (changed + gone.length > 0 || rows.length > 0) work.touch('templates')
  return changed + gone.length
}
