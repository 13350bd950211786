import type { Kysely } from 'kysely'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import type { MessageTable, Tables } from '../database/schema.ts'
import { notFound } from '../problem.ts'

const MESSAGE_COLUMNS = [
  'messages.id',
  'messages.direction',
  'messages.campaign_id',
  'messages.step',
  'messages.type',
  'messages.status',
  'messages.body',
  'messages.error_code',
  'messages.error_detail',
  'messages.sent_at',
  'messages.delivered_at',
  'messages.read_at',
  'messages.failed_at',
  'messages.interacted_at',
  'messages.late_interaction_at',
  'messages.created_at',
] as const

type Column = (typeof MESSAGE_COLUMNS)[number] extends `messages.${infer C}` ? C : never

/** A message of or to a contact, with the name of its campaign. */
export type ContactMessage = Pick<MessageTable, Column & keyof MessageTable> & { readonly campaign_name: string | null }

export interface ActivityQuery {
  readonly limit: number
  readonly cursor?: string
}

export const ACTIVITY_KINDS = ['message_out', 'message_in', 'create', 'opt_in', 'opt_out', 'merge', 'identify'] as const
export type ActivityKind = (typeof ACTIVITY_KINDS)[number]

const SHOWN_ACTIONS: readonly ActivityKind[] = ['create', 'opt_in', 'opt_out', 'merge', 'identify']

export interface Activity {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly kind: ActivityKind
  /** Who did it, for what people did. */
  readonly actor: string | null
  readonly message: ContactMessage | null
}

type Position = readonly [at: number, id: string]

async function requireContact(db: Kysely<Tables>, id: string): Promise<void> {
  const row = await db.selectFrom('contacts').select('id').where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw notFound('contact', id)
}

async function messagesBefore(
  db: Kysely<Tables>,
  contactId: string,
  position: Position | undefined,
  limit: number,
): Promise<ContactMessage[]> {
  let query = db
    .selectFrom('messages')
    .leftJoin('campaigns', 'campaigns.id', 'messages.campaign_id')
    .select(MESSAGE_COLUMNS)
    .select('campaigns.name as campaign_name')
    .where('messages.contact_id', '=', contactId)
    .orderBy('messages.created_at', 'desc')
    .orderBy('messages.id', 'desc')
    .limit(limit)
  if (position !== undefined) {
    query = query.where(behind('messages.created_at', 'messages.id', position))
  }
  return await query.execute()
}

async function changesBefore(
  db: Kysely<Tables>,
  contactId: string,
  position: Position | undefined,
  limit: number,
): Promise<Activity[]> {
  let query = db
    .selectFrom('admin_history')
    .select(['id', 'timestamp as at', 'action', 'actor'])
    .where('entity', '=', 'contact')
    .where('entity_id', '=', contactId)
    .where('action', 'in', SHOWN_ACTIONS)
    .orderBy('timestamp', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
  if (position !== undefined) {
    query = query.where(behind('timestamp', 'id', position))
  }
  const rows = await query.execute()
  return rows.map(({ id, at, action, actor }) => ({ id, at, kind: action as ActivityKind, actor, message: null }))
}

/** Newest first. Two queries. */
export async function listContactMessages(
  db: Kysely<Tables>,
  cursors: Cursors,
  contactId: string,
  { limit, cursor }: ActivityQuery,
): Promise<Page<ContactMessage>> {
  const list = `contact messages ${contactId}`
  const position = cursors.read(list, cursor) as Position | undefined
  await requireContact(db, contactId)
  const rows = await messagesBefore(db, contactId, position, limit + 1)
  return cutPage(
    rows,
    limit,
    row => cursors.write(list, [row.created_at, row.id]),
    row => row,
  )
}

/** Messages of both directions and what was done to the contact, newest first. Three queries. */
export async function listActivity(
  db: Kysely<Tables>,
  cursors: Cursors,
  contactId: string,
  { limit, cursor }: ActivityQuery,
): Promise<Page<Activity>> {
  const list = `contact activity ${contactId}`
  const position = cursors.read(list, cursor) as Position | undefined
  await requireContact(db, contactId)
  const messages = await messagesBefore(db, contactId, position, limit + 1)
  const changes = await changesBefore(db, contactId, position, limit + 1)
  const ofMessages = messages.map((message): Activity => {
    const kind = message.direction === 'in' ? 'message_in' : 'message_out'
    return { id: message.id, at: message.created_at, kind, actor: null, message }
  })
  const merged = [...ofMessages, ...changes].sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
  return cutPage(
    merged,
    limit,
    row => cursors.write(list, [row.at, row.id]),
    row => row,
  )
}
