import type { Kysely } from 'kysely'
import type { Tables } from '../database/schema.ts'
import type { Hit, SearchKind } from './port.ts'

async function readRows(db: Kysely<Tables>, kind: SearchKind, ids: readonly string[]): Promise<readonly Hit[]> {
  if (kind === 'contact') {
    const columns = ['id', 'name', 'phone_e164', 'email', 'username'] as const
    const rows = await db.selectFrom('contacts').select(columns).where('id', 'in', ids).execute()
    return rows.map(({ id, name, phone_e164, email, username }) => {
      return { kind, id, title: name, detail: phone_e164 ?? email ?? username, status: null }
    })
  }
  if (kind === 'content') {
    const rows = await db
      .selectFrom('content')
      .select(['id', 'title', 'slug', 'status'])
      .where('id', 'in', ids)
      .execute()
    return rows.map(({ id, title, slug, status }) => ({ kind, id, title, detail: slug, status }))
  }
  const rows = await db.selectFrom('campaigns').select(['id', 'name', 'status']).where('id', 'in', ids).execute()
  return rows.map(({ id, name, status }) => ({ kind, id, title: name, detail: null, status }))
}

/** What people see of the rows, in the order of the ids. An index may name one that has gone: it is left out. */
export async function readHits(db: Kysely<Tables>, kind: SearchKind, ids: readonly string[]): Promise<readonly Hit[]> {
  if (ids.length === 0) return []
  const hits = new Map((await readRows(db, kind, ids)).map(hit => [hit.id, hit]))
  return ids.flatMap(id => hits.get(id) ?? [])
}
