import type { Kysely } from 'kysely'
import { type Cursors, cutPage, type Page } from '../cursor.ts'
import type { MessageStatus, Tables } from '../database/schema.ts'
import { CSV_MARK, csvLines, guardFormula } from '../contacts/csv-text.ts'
import { meaningOf } from './report.ts'

type Db = Kysely<Tables>

/** One recipient of a campaign: Message 1, and Message 2 where there is one. */
export interface Recipient {
  readonly message_id: string
  readonly contact: { readonly id: string; readonly name: string; readonly phone: string | null } | null
  readonly status: MessageStatus
  readonly error_class: string | null
  readonly error_code: number | null
  readonly error_detail: string | null
  readonly attempts: number
  readonly sent_at: number | null
  readonly delivered_at: number | null
  readonly read_at: number | null
  readonly failed_at: number | null
  readonly interacted_at: number | null
  readonly late_interaction_at: number | null
  readonly message2_status: MessageStatus | null
  readonly message2_sent_at: number | null
  readonly message2_error_code: number | null
}

export interface RecipientFilter {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly status?: MessageStatus | undefined
}

function selectRecipients(db: Db, campaignId: string, after: string, limit: number, status?: MessageStatus) {
  let query = db
    .selectFrom('messages as m')
    .leftJoin('contacts as c', 'c.id', 'm.contact_id')
    .leftJoin('messages as second', on =>
      on
        .onRef('second.campaign_id', '=', 'm.campaign_id')
        .onRef('second.contact_id', '=', 'm.contact_id')
        .on('second.step', '=', 2),
    )
    .select(['m.id as message_id', 'm.status', 'm.error_class', 'm.error_code', 'm.error_detail', 'm.attempts'])
    .select(['m.sent_at', 'm.delivered_at', 'm.read_at', 'm.failed_at', 'm.interacted_at', 'm.late_interaction_at'])
    .select(['c.id as contact_id', 'c.name as contact_name', 'c.phone_e164 as contact_phone'])
    .select(['second.status as message2_status', 'second.sent_at as message2_sent_at'])
    .select('second.error_code as message2_error_code')
    .where('m.campaign_id', '=', campaignId)
    .where('m.step', '=', 1)
    .where('m.id', '>', after)
    .orderBy('m.id')
    .limit(limit)
  if (status !== undefined) query = query.where('m.status', '=', status)
  return query
}

type Row = Awaited<ReturnType<ReturnType<typeof selectRecipients>['executeTakeFirstOrThrow']>>

function shape({ contact_id, contact_name, contact_phone, ...row }: Row): Recipient {
  const contact = contact_id === null ? null : { id: contact_id, name: contact_name ?? '', phone: contact_phone }
  return { ...row, contact }
}

/** A page of recipients in the order they were planned: one query. */
export async function listRecipients(
  db: Db,
  cursors: Cursors,
  campaignId: string,
  { limit, cursor, status }: RecipientFilter,
): Promise<Page<Recipient>> {
  const list = `recipients ${JSON.stringify([campaignId, status])}`
  const [after = ''] = (cursors.read(list, cursor) ?? []) as readonly string[]
  const rows = await selectRecipients(db, campaignId, after, limit + 1, status).execute()
  return cutPage(rows, limit, row => cursors.write(list, [row.message_id]), shape)
}

const HEADINGS = [
  ...['name', 'phone', 'status', 'reason', 'error_code', 'attempts', 'sent_at', 'delivered_at', 'read_at'],
  ...[
    'failed_at',
    'interacted_at',
    'late_interaction_at',
    'message2_status',
    'message2_sent_at',
    'message2_error_code',
  ],
]

const instant = (time: number | null): string => (time === null ? '' : new Date(time).toISOString())

function reasonOf({ status, error_class, error_code, error_detail }: Recipient): string {
  if (status === 'skipped') return error_detail ?? ''
  return status === 'failed' ? meaningOf(error_code, error_class) : ''
}

function cells(row: Recipient): string[] {
  const times = [row.sent_at, row.delivered_at, row.read_at, row.failed_at, row.interacted_at, row.late_interaction_at]
  return [
    guardFormula(row.contact?.name ?? ''),
    row.contact?.phone ?? '',
    row.status,
    guardFormula(reasonOf(row)),
    String(row.error_code ?? ''),
    String(row.attempts),
    ...times.map(instant),
    row.message2_status ?? '',
    instant(row.message2_sent_at),
    String(row.message2_error_code ?? ''),
  ]
}

const PART = 1000

/** The whole report as CSV (RFC 4180, UTF-8 with a mark for spreadsheets), a part at a time: memory does not grow with it. */
export async function* exportRecipients(db: Db, campaignId: string): AsyncGenerator<string> {
  yield CSV_MARK + csvLines([HEADINGS])
  let after = ''
  for (;;) {
    const rows = await selectRecipients(db, campaignId, after, PART).execute()
    if (rows.length > 0) yield csvLines(rows.map(row => cells(shape(row))))
    if (rows.length < PART) return
    after = rows.at(-1)?.message_id ?? after
  }
}
