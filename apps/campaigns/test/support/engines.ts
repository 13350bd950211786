import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { Client } from 'pg'
import { inject, onTestFinished } from 'vitest'
import { freshDirectory } from './fresh-directory.ts'

export const ENGINES = ['sqlite', 'postgres', 'mysql'] as const

type Engine = (typeof ENGINES)[number]

/** The same server, another database. */
function urlOf(template: string, name: string): string {
  const url = new URL(template)
  url.pathname = `/${name}`
  return url.href
}

const templateName = (template: string): string => new URL(template).pathname.slice(1)

async function withPostgres(template: string, run: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: urlOf(template, 'postgres') })
  await client.connect()
  try {
    await run(client)
  } finally {
    await client.end()
  }
}

async function withMysql(template: string, run: (connection: Connection) => Promise<void>): Promise<void> {
  const connection = await createConnection({ uri: template, multipleStatements: true })
  try {
    await run(connection)
  } finally {
    await connection.end()
  }
}

/** A copy carries the name and the secret of its template: the cache would take the two for one database. */
const identities = (): readonly (readonly [key: string, value: string])[] => [
  ['database_id', randomBytes(6).toString('hex')],
  ['cursor_secret', randomBytes(32).toString('hex')],
]

async function copyPostgres(template: string, name: string): Promise<string> {
  const url = urlOf(template, name)
  await withPostgres(template, async client => {
    await client.query(`create database ${name} template ${templateName(template)} strategy file_copy`)
  })
  const client = new Client({ connectionString: url })
  await client.connect()
  for (const identity of identities())
    await client.query('update settings set value = $2 where key = $1', [...identity])
  await client.end()
  onTestFinished(() =>
    withPostgres(template, async admin => void (await admin.query(`drop database ${name} with (force)`))),
  )
  return url
}

interface NamedRow extends RowDataPacket {
  readonly name: string
}

interface TableRow extends RowDataPacket {
  readonly 'Create Table': string
}

/** What makes the template's tables again, in whichever order. Read once for each test file. */
let mysqlScript: Promise<string> | undefined

async function readMysqlScript(connection: Connection): Promise<string> {
  const [tables] = await connection.query<NamedRow[]>(
    'select table_name as name from information_schema.tables where table_schema = database()',
  )
  const statements = await Promise.all(
    tables.map(async ({ name }) => {
      const [[table]] = await connection.query<[TableRow]>(`show create table \`${name}\``)
      return table['Create Table']
    }),
  )
  return statements.join(';\n')
}

async function copyMysql(template: string, name: string): Promise<string> {
  const from = templateName(template)
  await withMysql(template, async connection => {
    mysqlScript ??= readMysqlScript(connection)
    const script = await mysqlScript
    const filled = ['kysely_migration', 'kysely_migration_lock', 'settings']
    const copies = filled.map(table => `insert into ${table} select * from ${from}.${table}`)
    const changes = identities().map(
      ([key, value]) => `update settings set value = '${value}' where \`key\` = '${key}'`,
    )
    const prepare = `create database ${name}; use ${name}; set foreign_key_checks = 0, unique_checks = 0`
    await connection.query([prepare, script, ...copies, ...changes].join(';\n'))
  })
  onTestFinished(() => withMysql(template, async connection => void (await connection.query(`drop database ${name}`))))
  return urlOf(template, name)
}

/**
 * A migrated database for the calling test alone, by its DATABASE_URL. It goes when the test is finished: whatever the
 * test opens on it has to be closed by a hook that was registered later.
 */
export async function freshDatabase(engine: Engine): Promise<string> {
  const name = `test_${process.env['VITEST_POOL_ID']}_${randomBytes(6).toString('hex')}`
  if (engine === 'postgres') return copyPostgres(inject('postgresTemplate'), name)
  if (engine === 'mysql') return copyMysql(inject('mysqlTemplate'), name)
  return `sqlite:${join(freshDirectory(), 'campaigns.sqlite')}`
}
