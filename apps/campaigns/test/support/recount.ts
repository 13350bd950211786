import type { Kysely } from 'kysely'
import type { Tables } from '../../server/database/schema.ts'

/**
 * The numbers of the application counted again in plain JavaScript from plain rows: what cached answers are held
 * against. It shares no query with the server.
 */
export interface Recount {
  readonly categories: readonly { readonly id: string; readonly name: string; readonly contact_count: number }[]
  readonly contacts: { readonly total: number; readonly new: number }
  readonly messages: Readonly<Record<string, number>>
  readonly allMessages: number
  readonly perDay: Readonly<Record<string, number>>
  readonly problems: Readonly<Record<string, number>>
  readonly campaigns: Readonly<Record<string, number>>
  readonly median: number | null
}

const DAY = 86_400_000

function tally(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

type Message = Tables['messages']

function medianDelay(messages: readonly Message[]): number | null {
  const delays = messages
    .flatMap(({ read_at, sent_at }) => (read_at === null || sent_at === null ? [] : [read_at - sent_at]))
    .sort((a, b) => a - b)
  if (delays.length === 0) return null
  const middle = delays.slice(Math.ceil(delays.length / 2) - 1, Math.floor(delays.length / 2) + 1)
  return Math.round(middle.reduce((sum, delay) => sum + delay, 0) / middle.length)
}

/** Reads whole tables through the given side of a database: `database.writer` for what is committed now. */
export async function recount(db: Kysely<Tables>, now: number): Promise<Recount> {
  const from = (Math.floor(now / DAY) - 29) * DAY
  const contacts = await db.selectFrom('contacts').select('created_at').execute()
  const memberships = await db.selectFrom('contact_categories').select('category_id').execute()
  const counts = tally(memberships.map(row => row.category_id))
  const messages = await db.selectFrom('messages').selectAll().execute()
  const recent = messages.filter(row => row.created_at >= from)
  const problems = recent.filter(row => row.status === 'failed' || row.status === 'no_interaction')
  const categories = await db.selectFrom('categories').select(['id', 'name']).execute()
  const campaigns = await db.selectFrom('campaigns').select('status').execute()
  return {
    categories: categories.map(({ id, name }) => ({ id, name, contact_count: counts[id] ?? 0 })),
    contacts: { total: contacts.length, new: contacts.filter(row => row.created_at >= from).length },
    messages: tally(recent.map(row => row.status)),
    allMessages: messages.length,
    perDay: tally(recent.map(row => new Date(row.created_at).toISOString().slice(0, 10))),
    problems: tally(problems.map(row => `${row.status} ${row.error_code}`)),
    campaigns: tally(campaigns.map(row => row.status)),
    median: medianDelay(recent),
  }
}
