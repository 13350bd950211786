import type { Kysely } from 'kysely'
import type { Tables } from '../database/schema.ts'
import { Problem } from '../problem.ts'
import { CSV_MARK, csvLines, guardFormula } from './csv-text.ts'
import { type ContactFilter, type ListContext, listContacts } from './list.ts'
import { type Contact, readAttributes } from './store.ts'

const PAGE = 1000
const SCAN = 5000
const MOST_NAMES = 1000

const COLUMNS = ['id', 'name', 'phone', 'email', 'categories', 'opt_in', 'opt_in_at', 'opt_out_at', 'bsuid']
const LAST_COLUMNS = ['created_at', 'updated_at']

export interface ExportPage {
  readonly text: string
  readonly rows: number
  /** Where the next page begins; null behind the last one. */
  readonly cursor: string | null
}

/** The names of all attributes there are, sorted: the columns of an export have to be known before its first row. */
export async function attributeNames(db: Kysely<Tables>): Promise<string[]> {
  const names = new Set<string>()
  for (let from = ''; ; ) {
    const rows = await db
      .selectFrom('contacts')
      .select(['id', 'attributes'])
      .where('id', '>', from)
      .where('attributes', 'is not', null)
      .orderBy('id')
      .limit(SCAN)
      .execute()
    for (const row of rows) for (const name of Object.keys(readAttributes(row.attributes))) names.add(name)
    if (names.size > MOST_NAMES) {
      throw new Problem(
        422,
        `The contacts have more than ${MOST_NAMES} different attributes: too many columns for a file.`,
      )
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < SCAN) return [...names].sort()
    from = last.id
  }
}

/** The first line. */
export function exportHeader(names: readonly string[]): string {
  const attributes = names.map(name => guardFormula(`attr:${name}`))
  return CSV_MARK + csvLines([[...COLUMNS, ...LAST_COLUMNS, ...attributes]])
}

const timeText = (at: number | null): string => (at === null ? '' : new Date(at).toISOString())

function consentText({ opt_in_at, opt_out_at }: Contact): string {
  if (opt_out_at !== null) return 'no'
  return opt_in_at === null ? '' : 'yes'
}

/**
 * One contact, in the columns that an import reads. A phone is a plus and digits and nothing else, so it harms nobody
 * and stays as it is; every other text that a spreadsheet would take for a formula is guarded.
 */
function recordOf(contact: Contact, names: readonly string[]): string[] {
  return [
    contact.id,
    guardFormula(contact.name),
    contact.phone ?? '',
    guardFormula(contact.email ?? ''),
    guardFormula(contact.categories.map(category => category.name).join(';')),
    consentText(contact),
    timeText(contact.opt_in_at),
    timeText(contact.opt_out_at),
    contact.bsuid ?? '',
    timeText(contact.created_at),
    timeText(contact.updated_at),
    ...names.map(name => guardFormula(contact.attributes[name] ?? '')),
  ]
}

export interface ExportOptions {
  readonly filter: ContactFilter
  readonly names: readonly string[]
  readonly cursor: string | null
}

/** A thousand contacts as CSV, in two queries. */
export async function exportPage(
  db: Kysely<Tables>,
  context: ListContext,
  { filter, names, cursor }: ExportOptions,
): Promise<ExportPage> {
  const from = cursor === null ? {} : { cursor }
  const page = await listContacts(db, context, { ...filter, ...from, limit: PAGE })
  const records = page.items.map(contact => recordOf(contact, names))
  const text = csvLines(records)
  return { text, rows: records.length, cursor: page.next_cursor }
}

/** The whole file, a page at a time: as fast as it is read, and never more than a page ahead. */
export async function* exportText(
  db: Kysely<Tables>,
  context: ListContext,
  filter: ContactFilter,
  names: readonly string[],
): AsyncGenerator<string> {
  yield exportHeader(names)
  for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
    const page: ExportPage = await exportPage(db, context, { filter, names, cursor })
    if (page.text !== '') yield page.text
    cursor = page.cursor
  }
}
