import type { Kysely } from 'kysely'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import type { Tables } from '../database/schema.ts'

export interface HistoryEntry {
  readonly id: string
  readonly timestamp: number
  /** The name they had when they did it. */
  readonly actor: string
  /** Who that is today; null for the application itself and for users who are gone. */
  readonly admin: { readonly id: string; readonly name: string; readonly email: string } | null
  readonly action: string
  readonly entity: string
  readonly entity_id: string | null
  readonly before: unknown
  readonly after: unknown
  readonly ip: string | null
  readonly request_id: string | null
}

export interface HistoryFilter {
  readonly limit: number
  readonly cursor?: string
  readonly admin?: string
  readonly entity?: string
  readonly entity_id?: string
  readonly action?: string
  /** Milliseconds since 1970; the first counts, the second does not. */
  readonly from?: number
  readonly to?: number
}

const COLUMNS = [
  ...(['admin_history.id', 'timestamp', 'actor', 'action', 'entity', 'entity_id', 'before', 'after', 'ip'] as const),
  ...(['request_id', 'admin_id', 'users.name as admin_name', 'users.email as admin_email'] as const),
] as const

function parsed(json: string | null): unknown {
  return json === null ? null : (JSON.parse(json) as unknown)
}

/** A page of the history, the newest first. One query. */
export async function listHistory(
  db: Kysely<Tables>,
  cursors: Cursors,
  filter: HistoryFilter,
): Promise<Page<HistoryEntry>> {
  const { limit, cursor, admin, entity, entity_id, action, from, to } = filter
  const list = `history ${JSON.stringify([admin, entity, entity_id, action, from, to])}`
  const position = cursors.read(list, cursor)
  let query = db
    .selectFrom('admin_history')
    .leftJoin('users', 'users.id', 'admin_history.admin_id')
    .select(COLUMNS)
    .orderBy('timestamp', 'desc')
    .orderBy('admin_history.id', 'desc')
    .limit(limit + 1)
  if (admin !== undefined) query = query.where('admin_id', '=', admin)
  if (entity !== undefined) query = query.where('entity', '=', entity)
  if (entity_id !== undefined) query = query.where('entity_id', '=', entity_id)
  if (action !== undefined) query = query.where('action', '=', action)
  if (from !== undefined) query = query.where('timestamp', '>=', from)
  if (to !== undefined) query = query.where('timestamp', '<', to)
  if (position !== undefined) {
    query = query.where(behind('timestamp', 'admin_history.id', position))
  }
  const rows = await query.execute()
  const next = ({ timestamp, id }: (typeof rows)[number]): string => cursors.write(list, [timestamp, id])
  return cutPage(rows, limit, next, ({ admin_id, admin_name, admin_email, before, after, ...row }) => ({
    ...row,
    admin:
      admin_id === null || admin_name === null ? null : { id: admin_id, name: admin_name, email: admin_email ?? '' },
    before: parsed(before),
    after: parsed(after),
  }))
}
