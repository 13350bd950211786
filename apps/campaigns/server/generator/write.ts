import { createHash } from 'node:crypto'
import type { Database as SqliteFile } from 'better-sqlite3'
import { openFile } from '../database/file.ts'
import {
  CAMPAIGN_COLUMNS,
  type CampaignPlan,
  campaignRow,
  MESSAGE_COLUMNS,
  makeCampaigns,
  messageRow,
} from './campaigns.ts'
import { makeCategories, makePerson } from './people.ts'
import { createRandom, type Random } from './random.ts'

/**
 * Writes a data set of any size, the same for the same options. All of it is one transaction, so a generator that is
 * stopped leaves the database as it was. Indexes are dropped meanwhile and built at the end, from sorted rows, which
 * is several times faster than keeping them up row by row.
 */
export interface DataSet {
  readonly contacts: number
  readonly messages: number
  readonly seed: number
  /** No time in the data is later. */
  readonly now: number
}

export interface Written {
  readonly rows: number
}

/** The database already holds rows, and was not to be replaced. */
export class NotEmpty extends Error {}

const TABLES = ['messages', 'campaigns', 'contact_categories', 'contacts', 'categories'] as const

type Row = readonly (string | number | null)[]

function inserter(file: SqliteFile, table: string, columns: readonly string[]): (row: Row) => void {
  const places = columns.map(() => '?').join(', ')
  const statement = file.prepare(`insert into ${table} (${columns.join(', ')}) values (${places})`)
  return row => void statement.run(row)
}

function writePeople(
  file: SqliteFile,
  random: Random,
  { contacts, now }: DataSet,
): { readonly ids: string[]; readonly rows: number } {
  const addCategory = inserter(file, 'categories', ['id', 'name', 'color', 'description', 'created_at', 'updated_at'])
  const columns = ['id', 'name', 'name_key', 'phone_e164', 'email', 'created_at', 'updated_at']
  const addContact = inserter(file, 'contacts', columns)
  const addMembership = inserter(file, 'contact_categories', ['category_id', 'contact_id', 'created_at'])
  const categories = makeCategories(random, now)
  for (const { row } of categories) addCategory(row)
  const ids: string[] = []
  let rows = categories.length
  for (let index = 0; index < contacts; index++) {
    const person = makePerson(random, now, index, contacts)
    addContact(person.row)
    ids.push(person.id)
    for (const at of person.categories) addMembership([categories[at]?.id ?? null, person.id, person.createdAt])
    rows += 1 + person.categories.length
  }
  return { ids, rows }
}

/** Of a hundred messages this many are a campaign's first, a campaign's second, or come from contacts. */
const FIRST_STEP = 70
const SECOND_STEP = 22

interface Sending {
  readonly plan: CampaignPlan
  readonly step: 1 | 2
  readonly startedAt: number
  readonly count: number
  readonly offset: number
}

/** Each started campaign writes to a run of contacts of its own; what exceeds the contacts becomes conversation. */
function planSendings(random: Random, plans: readonly CampaignPlan[], { contacts, messages }: DataSet): Sending[] {
  const started = plans.flatMap(plan => (plan.startedAt === null ? [] : [{ plan, startedAt: plan.startedAt }]))
  const each = (share: number): number => Math.min(contacts, Math.floor((messages * share) / 100 / started.length))
  return started.flatMap(({ plan, startedAt }) => {
    const offset = random.below(contacts)
    return [
      { plan, step: 1 as const, startedAt, count: each(FIRST_STEP), offset },
      { plan, step: 2 as const, startedAt: startedAt + 20 * 60_000, count: each(SECOND_STEP), offset },
    ]
  })
}

const SENDING_SPAN = 8 * 3_600_000
const DAY = 86_400_000

function writeMessages(file: SqliteFile, random: Random, set: DataSet, ids: readonly string[]): number {
  const addMessage = inserter(file, 'messages', MESSAGE_COLUMNS)
  const addCampaign = inserter(file, 'campaigns', CAMPAIGN_COLUMNS)
  const plans = makeCampaigns(random, set.now)
  const contactAt = (index: number): string => ids[index % ids.length] ?? ''
  let sequence = 0
  const sendings = ids.length === 0 ? [] : planSendings(random, plans, set)
  for (const { plan, step, startedAt, count, offset } of sendings) {
    for (let index = 0; index < count; index++) {
      const createdAt = Math.min(set.now, Math.floor(startedAt + ((index + random.next()) / count) * SENDING_SPAN))
      const contactId = contactAt(offset + index)
      addMessage(messageRow(random, { sequence: sequence++, createdAt, contactId, campaign: { plan, step } }, set.now))
    }
  }
  const rest = ids.length === 0 ? 0 : set.messages - sequence
  for (let index = 0; index < rest; index++) {
    const createdAt = Math.floor(set.now - 120 * DAY * (1 - (index + random.next()) / rest) ** 2)
    const spec = { createdAt, contactId: contactAt(random.below(ids.length)), inbound: random.next() < 0.75 }
    addMessage(messageRow(random, { sequence: sequence++, ...spec }, set.now))
  }
  for (const plan of plans) addCampaign(campaignRow(plan))
  return sequence + plans.length
}

/** Only indexes made by a statement of their own can go; those of keys and unique constraints stay. */
function withoutIndexes<T>(file: SqliteFile, write: () => T): T {
  const indexes = file
    .prepare<[], { name: string; sql: string }>(
      "select name, sql from sqlite_master where type = 'index' and sql is not null",
    )
    .all()
  for (const { name } of indexes) file.exec(`drop index "${name}"`)
  const result = write()
  for (const { sql } of indexes) file.exec(sql)
  return result
}

function isEmpty(file: SqliteFile): boolean {
  return TABLES.every(table => file.prepare(`select 1 from ${table} limit 1`).get() === undefined)
}

/** Writes the data set into a database whose tables exist. Throws NotEmpty when there are rows and `replace` is not set. */
export function writeDataSet(
  path: string,
  set: DataSet,
  { replace = false }: { readonly replace?: boolean } = {},
): Written {
  const file = openFile(path, 'write')
  try {
    // The rows fit each other by how they are made, and a look at the parent of each would double the time.
    file.pragma('foreign_keys = OFF')
    const write = file.transaction((): Written => {
      if (!isEmpty(file)) {
        if (!replace) throw new NotEmpty(`the database ${path} is not empty`)
        for (const table of TABLES) file.exec(`delete from ${table}`)
      }
      const random = createRandom(set.seed)
      return withoutIndexes(file, () => {
        const { ids, rows } = writePeople(file, random, set)
        return { rows: rows + writeMessages(file, random, set, ids) }
      })
    })
    const written = write.immediate()
    file.pragma('wal_checkpoint(TRUNCATE)')
    file.exec('analyze')
    return written
  } finally {
    file.close()
  }
}

/** SHA-256 over every value of every row, table by table, in the order of the primary keys. */
export function digest(path: string): string {
  const file = openFile(path, 'read')
  try {
    const hash = createHash('sha256')
    for (const table of TABLES) {
      const key = table === 'contact_categories' ? 'category_id, contact_id' : 'id'
      const rows = file.prepare(`select * from ${table} order by ${key}`).raw().iterate() as Iterable<Row>
      let lines: string[] = [table]
      for (const row of rows) {
        lines.push(row.join('\u001f'))
        if (lines.length < 1000) continue
        hash.update(`${lines.join('\n')}\n`)
        lines = []
      }
      hash.update(`${lines.join('\n')}\n`)
    }
    return hash.digest('hex')
  } finally {
    file.close()
  }
}
