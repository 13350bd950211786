import { openFile } from '../../server/database/file.ts'

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

type Row = Readonly<Record<string, string | number | null>>

const DAY = 86_400_000

function tally(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

export function recount(path: string, now: number): Recount {
  const file = openFile(path, 'read')
  try {
    const all = (table: string): Row[] => file.prepare(`select * from ${table}`).all() as Row[]
    const from = (Math.floor(now / DAY) - 29) * DAY
    const contacts = all('contacts')
    const memberships = tally(all('contact_categories').map(row => String(row['category_id'])))
    const messages = all('messages')
    const recent = messages.filter(row => Number(row['created_at']) >= from)
    const delays = recent
      .filter(row => row['read_at'] !== null && row['sent_at'] !== null)
      .map(row => Number(row['read_at']) - Number(row['sent_at']))
      .sort((a, b) => a - b)
    const middle = delays.slice(Math.ceil(delays.length / 2) - 1, Math.floor(delays.length / 2) + 1)
    return {
      categories: all('categories').map(row => ({
        id: String(row['id']),
        name: String(row['name']),
        contact_count: memberships[String(row['id'])] ?? 0,
      })),
      contacts: { total: contacts.length, new: contacts.filter(row => Number(row['created_at']) >= from).length },
      messages: tally(recent.map(row => String(row['status']))),
      allMessages: messages.length,
      perDay: tally(recent.map(row => new Date(Number(row['created_at'])).toISOString().slice(0, 10))),
      problems: tally(
        recent
          .filter(row => row['status'] === 'failed' || row['status'] === 'no_interaction')
          .map(row => `${row['status']} ${row['error_code']}`),
      ),
      campaigns: tally(all('campaigns').map(row => String(row['status']))),
      median: delays.length === 0 ? null : Math.round(middle.reduce((sum, delay) => sum + delay, 0) / middle.length),
    }
  } finally {
    file.close()
  }
}
