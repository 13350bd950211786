import type { Kysely } from 'kysely'
import type { MessageTable, Tables } from '../server/database/schema.ts'

type Row = Pick<
  MessageTable,
  'step' | 'status' | 'sent_at' | 'delivered_at' | 'read_at' | 'interacted_at' | 'late_interaction_at'
>

/**
 * The counters of each campaign, counted from plain rows in plain code that shares nothing with the application's own;
 * returns what differs from the columns.
 */
export async function recountRows(db: Kysely<Tables>): Promise<string[]> {
  const campaigns = await db.selectFrom('campaigns').selectAll().execute()
  const differences: string[] = []
  for (const campaign of campaigns) {
    const rows: Row[] = await db.selectFrom('messages').selectAll().where('campaign_id', '=', campaign.id).execute()
    const first = rows.filter(row => row.step === 1)
    const second = rows.filter(row => row.step === 2)
    const isWaiting = ({ status }: Row): boolean => status === 'queued' || status === 'sending'
    const isEnded = ({ status }: Row): boolean => ['failed', 'skipped', 'no_interaction'].includes(status)
    const counted = {
      total: first.length,
      queued: first.filter(isWaiting).length,
      sent: first.filter(row => row.sent_at !== null).length,
      delivered: first.filter(row => row.delivered_at !== null).length,
      read: first.filter(row => row.read_at !== null).length,
      interacted: first.filter(row => row.interacted_at !== null).length,
      message2_sent: second.filter(row => row.sent_at !== null).length,
      message2_failed: second.filter(row => row.status === 'failed' || row.status === 'skipped').length,
      failed_count: first.filter(row => row.status === 'failed' || row.status === 'no_interaction').length,
      no_interaction_count: first.filter(row => row.status === 'no_interaction').length,
      skipped: first.filter(row => row.status === 'skipped').length,
      late_count: first.filter(row => row.late_interaction_at !== null).length,
      open_count:
        first.filter(row => !isEnded(row) && row.interacted_at === null).length + second.filter(isWaiting).length,
    }
    for (const [name, count] of Object.entries(counted)) {
      const kept = campaign[name as keyof typeof counted]
      if (kept !== count) differences.push(`${campaign.name}.${name} is ${kept}, the rows say ${count}`)
    }
  }
  return differences
}
