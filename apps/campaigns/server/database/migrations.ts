import { randomBytes } from 'node:crypto'
import { type Kysely, type Migration, Migrator, sql } from 'kysely'
import { CAMPAIGN_STATUSES, MESSAGE_STATUSES, type Tables } from './schema.ts'

/** One ordered list. A migration that has been released is never edited: the next change is the next entry. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_contacts_and_messages': { up: createTables, down: dropTables },
}

const id = 'varchar(36)'
const time = 'bigint'

const oneOf = (column: string, values: readonly string[]) =>
  sql`${sql.ref(column)} in (${sql.join(values.map(value => sql.lit(value)))})`

async function createTables(db: Kysely<Tables>): Promise<void> {
  await createPeople(db)
  await createCampaigns(db)
  await createMessages(db)
  await db.schema
    .createTable('settings')
    .addColumn('key', 'varchar(64)', c => c.primaryKey())
    .addColumn('value', 'text', c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .execute()
  // What belongs to this database and to no other: its name in shared caches, and the key that signs its cursors.
  const updated_at = Date.now()
  await db
    .insertInto('settings')
    .values([
      { key: 'database_id', value: randomBytes(6).toString('hex'), updated_at },
      { key: 'cursor_secret', value: randomBytes(32).toString('hex'), updated_at },
    ])
    .execute()
}

async function createPeople(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('contacts')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('name', 'varchar(120)', c => c.notNull())
    .addColumn('name_key', 'varchar(240)', c => c.notNull())
    .addColumn('phone_e164', 'varchar(16)', c => c.unique())
    .addColumn('email', 'varchar(254)')
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .execute()
  await index(db, 'contacts', ['created_at', 'id'])
  await index(db, 'contacts', ['name_key', 'id'])
  await db.schema
    .createTable('categories')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('name', 'varchar(80)', c => c.notNull().unique())
    .addColumn('color', 'varchar(7)', c => c.notNull())
    .addColumn('description', 'varchar(500)', c => c.notNull().defaultTo(''))
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .execute()
  await db.schema
    .createTable('contact_categories')
    .addColumn('category_id', id, c => c.notNull().references('categories.id').onDelete('cascade'))
    .addColumn('contact_id', id, c => c.notNull().references('contacts.id').onDelete('cascade'))
    .addColumn('created_at', time, c => c.notNull())
    .addPrimaryKeyConstraint('contact_categories_pk', ['category_id', 'contact_id'])
    .execute()
  await index(db, 'contact_categories', ['contact_id', 'category_id'])
}

const CAMPAIGN_COUNTERS = [
  'total',
  'queued',
  'sent',
  'delivered',
  'read',
  'interacted',
  'message2_sent',
  'failed_count',
  'no_interaction_count',
  'skipped',
] as const

async function createCampaigns(db: Kysely<Tables>): Promise<void> {
  let table = db.schema
    .createTable('campaigns')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('name', 'varchar(120)', c => c.notNull())
    .addColumn('status', 'varchar(16)', c => c.notNull().check(oneOf('status', CAMPAIGN_STATUSES)))
    .addColumn('interaction_timeout_h', 'integer', c => c.notNull().defaultTo(24))
    .addColumn('scheduled_at', time)
    .addColumn('started_at', time)
    .addColumn('completed_at', time)
  for (const counter of CAMPAIGN_COUNTERS) table = table.addColumn(counter, 'integer', c => c.notNull().defaultTo(0))
  await table
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .execute()
  await index(db, 'campaigns', ['status', 'scheduled_at'])
  await index(db, 'campaigns', ['created_at', 'id'])
}

async function createMessages(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable('messages')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('direction', 'varchar(3)', c => c.notNull().check(oneOf('direction', ['in', 'out'])))
    .addColumn('campaign_id', id, c => c.references('campaigns.id').onDelete('cascade'))
    // What was sent stays counted when its contact goes, so a campaign's counters remain those of its messages.
    .addColumn('contact_id', id, c => c.references('contacts.id').onDelete('set null'))
    .addColumn('step', 'integer')
    .addColumn('wamid', 'varchar(128)', c => c.unique())
    .addColumn('type', 'varchar(16)', c => c.notNull())
    .addColumn('status', 'varchar(16)', c => c.notNull().check(oneOf('status', MESSAGE_STATUSES)))
    .addColumn('status_rank', 'integer', c => c.notNull())
    .addColumn('body', 'text')
    .addColumn('context_wamid', 'varchar(128)')
    .addColumn('error_code', 'integer')
    .addColumn('error_detail', 'varchar(500)')
    .addColumn('attempts', 'integer', c => c.notNull().defaultTo(0))
    .addColumn('next_attempt_at', time)
    .addColumn('queued_at', time)
    .addColumn('sent_at', time)
    .addColumn('delivered_at', time)
    .addColumn('read_at', time)
    .addColumn('failed_at', time)
    .addColumn('interacted_at', time)
    .addColumn('created_at', time, c => c.notNull())
    .addUniqueConstraint('messages_recipient', ['campaign_id', 'contact_id', 'step'])
    .execute()
  await index(db, 'messages', ['campaign_id', 'status', 'id'])
  await index(db, 'messages', ['contact_id', 'created_at', 'id'])
  await index(db, 'messages', ['step', 'status', 'sent_at', 'id'])
  await index(db, 'messages', ['created_at', 'id'])
  await index(db, 'messages', ['status', 'next_attempt_at'])
}

async function dropTables(db: Kysely<Tables>): Promise<void> {
  for (const table of ['messages', 'campaigns', 'contact_categories', 'categories', 'contacts', 'settings']) {
    await db.schema.dropTable(table).execute()
  }
}

async function index(db: Kysely<Tables>, table: string, columns: string[]): Promise<void> {
  await db.schema
    .createIndex(`${table}_by_${columns.join('_')}`)
    .on(table)
    .columns(columns)
    .execute()
}

/** Brings the tables up to date, in one transaction that only one process gets. Returns the names of what ran. */
export async function migrate(db: Kysely<Tables>): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) } })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error !== undefined) throw new Error('the database could not be brought up to date', { cause: error })
  return results.map(result => result.migrationName)
}
