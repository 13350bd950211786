import { type RawBuilder, sql } from 'kysely'
import type { Engine } from '../url.ts'
import { addColumns, addIndex, type AnyDb, columnsOf, dropColumns, dropIndex, oneOf } from './columns.ts'

/** Both identifiers of a contact, accounts and templates, two-step campaigns, the inbox of webhooks, prices. */
export async function up(db: AnyDb, engine: Engine): Promise<void> {
  await createAccounts(db, engine)
  await extendContacts(db, engine)
  await extendCampaigns(db, engine)
  await extendMessages(db, engine)
  await createInbox(db, engine)
}

async function createAccounts(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, long, time, integer, tail } = columnsOf(engine)
  await db.schema
    .createTable('wa_accounts')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('name', text(80), c => c.notNull())
    .addColumn('provider', text(16), c => c.notNull().check(oneOf('provider', ['cloud', 'simulator'])))
    .addColumn('phone_number_id', text(32), c => c.notNull().unique())
    .addColumn('waba_id', text(32), c => c.notNull())
    .addColumn('display_phone', text(32), c => c.notNull())
    .addColumn('token_enc', long, c => c.notNull())
    .addColumn('app_secret_enc', long, c => c.notNull())
    .addColumn('verify_token_hash', text(64), c => c.notNull())
    .addColumn('graph_version', text(8), c => c.notNull())
    .addColumn('base_url', text(200), c => c.notNull())
    .addColumn('mps_limit', integer, c => c.notNull().defaultTo(80))
    .addColumn('status', text(16), c => c.notNull().check(oneOf('status', ['active', 'stopped'])))
    .addColumn('reason', text(500))
    .addColumn('created_at', time, c => c.notNull())
    .addColumn('updated_at', time, c => c.notNull())
    .modifyEnd(tail)
    .execute()
  await db.schema
    .createTable('templates')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('account_id', id, c => c.notNull())
    .addColumn('name', text(128), c => c.notNull())
    .addColumn('language', text(16), c => c.notNull())
    .addColumn('category', text(32), c => c.notNull())
    .addColumn('status', text(24), c => c.notNull())
    .addColumn('quality', text(16))
    .addColumn('components', long, c => c.notNull())
    .addColumn('synced_at', time, c => c.notNull())
    .addUniqueConstraint('templates_name', ['account_id', 'name', 'language'])
    .addForeignKeyConstraint('templates_account', ['account_id'], 'wa_accounts', ['id'], c => c.onDelete('cascade'))
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'templates', ['status'])
  await addIndex(db, 'templates', ['name', 'id'])
  await db.schema
    .createTable('message_rates')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('category', text(32), c => c.notNull())
    // Two letters, or * for every country without a rate of its own.
    .addColumn('country', text(2), c => c.notNull())
    .addColumn('currency', text(3), c => c.notNull())
    // Millionths of the currency for one message.
    .addColumn('micros', time, c => c.notNull())
    .addColumn('free_per_month', integer, c => c.notNull().defaultTo(0))
    .addColumn('effective_from', time, c => c.notNull())
    .addUniqueConstraint('message_rates_from', ['category', 'country', 'effective_from'])
    .modifyEnd(tail)
    .execute()
}

/** The text that search looks through, for rows from before there was one. */
function searchTextOf(engine: Engine): RawBuilder<string> {
  if (engine === 'mysql') return sql`concat_ws(' ', name_key, email, substring(phone_e164, 2))`
  return sql`name_key || coalesce(' ' || email, '') || coalesce(' ' || substr(phone_e164, 2), '')`
}

async function extendContacts(db: AnyDb, engine: Engine): Promise<void> {
  const { text, long, time } = columnsOf(engine)
  await addColumns(db, 'contacts', {
    wa_id: text(32),
    bsuid: text(160),
    parent_bsuid: text(160),
    username: text(80),
    attributes: long,
    search_text: sql`${text(600)} not null default ''`,
    opt_in_at: time,
    opt_out_at: time,
    last_inbound_at: time,
    window_expires_at: time,
  })
  await addIndex(db, 'contacts', ['bsuid'], true)
  await addIndex(db, 'contacts', ['wa_id'])
  await addIndex(db, 'contacts', ['email', 'id'])
  await addIndex(db, 'contacts', ['last_inbound_at'])
  await sql`update contacts set search_text = ${searchTextOf(engine)}`.execute(db)
}

async function extendCampaigns(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, long, time, integer, tail } = columnsOf(engine)
  const flag = sql`${integer} not null default 0`
  await addColumns(db, 'campaigns', {
    account_id: id,
    message1_template_id: id,
    message1_params: long,
    message2_kind: sql`${text(16)} not null default 'none'`,
    message2_body: long,
    message2_buttons: long,
    message2_template_id: id,
    message2_params: long,
    fallback_template_id: id,
    fallback_params: long,
    accept_late: flag,
    rate_per_minute: integer,
    planned_at: time,
    plan_cursor: id,
    open_count: flag,
    message2_failed: flag,
    late_count: flag,
    reason: text(500),
    created_by: id,
    version: sql`${integer} not null default 1`,
  })
  await db.schema
    .createTable('campaign_categories')
    .addColumn('campaign_id', id, c => c.notNull())
    .addColumn('category_id', id, c => c.notNull())
    // What the category was called when the campaign was written: it may be renamed or deleted later.
    .addColumn('category_name', text(80), c => c.notNull())
    .addPrimaryKeyConstraint('campaign_categories_pk', ['campaign_id', 'category_id'])
    .addForeignKeyConstraint('campaign_categories_campaign', ['campaign_id'], 'campaigns', ['id'], c =>
      c.onDelete('cascade'),
    )
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'campaigns', ['status', 'created_at', 'id'])
  // Campaigns from before these counters get them from their messages; their audience was frozen when they began.
  await sql`update campaigns set
    planned_at = started_at,
    open_count = (select count(*) from messages m where m.campaign_id = campaigns.id and (
      (m.step = 1 and m.interacted_at is null and m.status in ('queued', 'sending', 'accepted', 'sent', 'delivered', 'read'))
      or (m.step = 2 and m.status in ('queued', 'sending')))),
    message2_failed = (select count(*) from messages m where m.campaign_id = campaigns.id and m.step = 2
      and m.status in ('failed', 'skipped'))`.execute(db)
}

async function extendMessages(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, long, time, integer } = columnsOf(engine)
  await addColumns(db, 'messages', {
    account_id: id,
    params: long,
    accepted_at: time,
    late_interaction_at: time,
    error_class: text(16),
    pricing_category: text(40),
    pricing_type: text(40),
    billable: integer,
    created_by: id,
  })
  // What waits without a time would wait for ever.
  await sql`update messages set next_attempt_at = created_at where status = 'queued'`.execute(db)
  await addIndex(db, 'messages', ['campaign_id', 'step', 'id'])
  await addIndex(db, 'messages', ['status', 'created_at', 'id'])
}

async function createInbox(db: AnyDb, engine: Engine): Promise<void> {
  const { id, text, long, time, integer, tail } = columnsOf(engine)
  await db.schema
    .createTable('webhook_inbox')
    .addColumn('id', id, c => c.primaryKey())
    .addColumn('account_id', id, c => c.notNull())
    .addColumn('kind', text(16), c => c.notNull())
    .addColumn('dedupe_key', text(255), c => c.notNull().unique())
    .addColumn('payload', long, c => c.notNull())
    .addColumn('received_at', time, c => c.notNull())
    .addColumn('processed_at', time)
    .addColumn('attempts', integer, c => c.notNull().defaultTo(0))
    .addColumn('next_attempt_at', time, c => c.notNull())
    .addColumn('error', text(500))
    .modifyEnd(tail)
    .execute()
  await addIndex(db, 'webhook_inbox', ['processed_at', 'received_at'])
  await addIndex(db, 'webhook_inbox', ['processed_at', 'next_attempt_at', 'id'])
}

export async function down(db: AnyDb, engine: Engine): Promise<void> {
  for (const table of ['webhook_inbox', 'campaign_categories', 'message_rates', 'templates', 'wa_accounts'])
    await db.schema.dropTable(table).execute()
  await dropIndex(db, engine, 'messages', ['status', 'created_at', 'id'])
  await dropIndex(db, engine, 'messages', ['campaign_id', 'step', 'id'])
  await dropColumns(db, 'messages', [
    ...['account_id', 'params', 'accepted_at', 'late_interaction_at', 'error_class'],
    ...['pricing_category', 'pricing_type', 'billable', 'created_by'],
  ])
  await dropIndex(db, engine, 'campaigns', ['status', 'created_at', 'id'])
  await dropColumns(db, 'campaigns', [
    ...['account_id', 'message1_template_id', 'message1_params', 'message2_kind', 'message2_body', 'message2_buttons'],
    ...['message2_template_id', 'message2_params', 'fallback_template_id', 'fallback_params', 'accept_late'],
    ...['rate_per_minute', 'planned_at', 'plan_cursor', 'open_count', 'message2_failed', 'late_count', 'reason'],
    ...['created_by', 'version'],
  ])
  for (const columns of [['last_inbound_at'], ['email', 'id'], ['wa_id'], ['bsuid']])
    await dropIndex(db, engine, 'contacts', columns)
  await dropColumns(db, 'contacts', [
    ...['wa_id', 'bsuid', 'parent_bsuid', 'username', 'attributes', 'search_text'],
    ...['opt_in_at', 'opt_out_at', 'last_inbound_at', 'window_expires_at'],
  ])
}
