import type { Engine } from '../url.ts'
import { addIndex, type AnyDb, dropIndex } from './columns.ts'

/** The messages of one campaign by time, of one status as well, and what a number has sent of a category in a month. */
const INDEXES = [
  ['campaign_id', 'created_at', 'id'],
  ['campaign_id', 'status', 'created_at', 'id'],
  ['account_id', 'pricing_category', 'sent_at'],
] as const

export async function up(db: AnyDb): Promise<void> {
  for (const columns of INDEXES) await addIndex(db, 'messages', columns)
}

export async function down(db: AnyDb, engine: Engine): Promise<void> {
  for (const columns of INDEXES) await dropIndex(db, engine, 'messages', columns)
}
