import { randomBytes } from 'node:crypto'
import type { Engine } from '../url.ts'
import { addIndex, type AnyDb, columnsOf, oneOf } from './columns.ts'

/** Contacts in categories, campaigns, messages, and the identity of the database. Released with 0.1. */
const CAMPAIGN_STATUSES = ['draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled', 'failed'] as const
const MESSAGE_STATUSES = [
  'queued',
  'sending',
  'accepted',
  'sent',
  'delivered',
  'read',
  'failed',
  'skipped',
  'no_interaction',
  'received',
] as const
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

export async function up(db: AnyDb, engine: Engine): Promise<void> {
  await createPeople(db, engine)
  await createCampaigns(db, engine)
  await createMessages(db, engine)
  const { text, long, time, tail } = columnsOf(engine)
  await db.schema
    .createTable('settings')
    .addColumn('key', text(64), c => c.primaryKey())
    .addColumn('value', long, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .modifyEnd(tail)
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

async function createPeople(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, time, tail } = columnsOf(engine)
  await db.schema
    .createTable('contacts')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('name', text(120), c => c.notNull())
    .addColumn('name_key', text(240), c => c.notNull())
    .addColumn('phone_e164', text(16), c => c.unique())
    .addColumn('email', text(254))
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'contacts', ['created_at', 'id'])
  await addIndex(db, 'contacts', ['name_key', 'id'])
  await db.schema
    .createTable('categories')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('name', text(80), c => c.notNull().unique())
    .addColumn('color', text(7), c => c.notNull())
    .addColumn('description', text(500), c => c.notNull().defaultTo(''))
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .modifyEnd(tail)
    .execute()
  await db.schema
    .createTable('contact_categories')
    .addColumn('category_id', id, c => c.notNull())
    .addColumn('contact_id', id, c => c.notNull())
    .addColumn('created_at', time, c => c.notNull())
    .addPrimaryKeyConstraint('contact_categories_pk', ['category_id', 'contact_id'])
    .addForeignKeyConstraint('contact_categories_category', ['category_id'], 'categories', ['id'], c =>
      c.onDelete('cascade'),
    )
    .addForeignKeyConstraint('contact_categories_contact', ['contact_id'], 'contacts', ['id'], c =>
      c.onDelete('cascade'),
    )
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'contact_categories', ['contact_id', 'category_id'])
}

async function createCampaigns(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, time, integer, tail } = columnsOf(engine)
  let table = db.schema
    .createTable('campaigns')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('name', text(120), c => c.notNull())
    .addColumn('status', text(16), c => c.notNull().check(oneOf('status', CAMPAIGN_STATUSES)))
    .addColumn('interaction_timeout_h', integer, c => c.notNull().defaultTo(24))
    .addColumn('scheduled_at', time)
    .addColumn('started_at', time)
    .addColumn('completed_at', time)
  for (const counter of CAMPAIGN_COUNTERS) table = table.addColumn(counter, integer, c => c.notNull().defaultTo(0))
  await table
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'campaigns', ['status', 'scheduled_at'])
  await addIndex(db, 'campaigns', ['created_at', 'id'])
}

async function createMessages(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, long, time, integer, tail } = columnsOf(engine)
  await db.schema
    .createTable('messages')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('direction', text(3), c => c.notNull().check(oneOf('direction', ['in', 'out'])))
    .addColumn('campaign_id', id)
    .addColumn('contact_id', id)
    .addColumn('step', integer)
    .addColumn('wamid', text(128), c => c.unique())
    .addColumn('type', text(16), c => c.notNull())
    .addColumn('status', text(16), c => c.notNull().check(oneOf('status', MESSAGE_STATUSES)))
    .addColumn('status_rank', integer, c => c.notNull())
    .addColumn('body', long)
    .addColumn('context_wamid', text(128))
    .addColumn('error_code', integer)
    .addColumn('error_detail', text(500))
    .addColumn('attempts', integer, c => c.notNull().defaultTo(0))
    .addColumn('next_attempt_at', time)
    .addColumn('queued_at', time)
    .addColumn('sent_at', time)
    .addColumn('delivered_at', time)
    .addColumn('read_at', time)
    .addColumn('failed_at', time)
    .addColumn('interacted_at', time)
    .addColumn('created_at', time, c => c.notNull())
    .addUniqueConstraint('messages_recipient', ['campaign_id', 'contact_id', 'step'])
    .addForeignKeyConstraint('messages_campaign', ['campaign_id'], 'campaigns', ['id'], c => c.onDelete('cascade'))
    // What was sent stays counted when its contact goes, so a campaign's counters remain those of its messages.
    .addForeignKeyConstraint('messages_contact', ['contact_id'], 'contacts', ['id'], c => c.onDelete('set null'))
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'messages', ['campaign_id', 'status', 'id'])
  await addIndex(db, 'messages', ['contact_id', 'created_at', 'id'])
  await addIndex(db, 'messages', ['step', 'status', 'sent_at', 'id'])
  await addIndex(db, 'messages', ['created_at', 'id'])
  await addIndex(db, 'messages', ['status', 'next_attempt_at'])
}

export async function down(db: AnyDb): Promise<void> {
  for (const table of ['messages', 'campaigns', 'contact_categories', 'categories', 'contacts', 'settings']) {
    await db.schema.dropTable(table).execute()
  }
}
