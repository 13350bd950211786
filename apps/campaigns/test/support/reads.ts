import type { Services } from '../../server/services.ts'

/** Every list and page that the server has, with its filters: what plans and query counts are looked at for. */
export interface Read {
  readonly name: string
  /** Without its limit and cursor. */
  readonly path: string
  /** Takes `limit` up to so many; undefined for what is no page. */
  readonly limit?: number
  /** It counts or sorts all there is, and is meant to. */
  readonly whole?: boolean
}

export interface Samples {
  readonly contact: string
  readonly category: string
  readonly campaign: string
  readonly content: string
  readonly user: string
  readonly account: string
  readonly from: number
  readonly to: number
}

export async function findSamples({ database, now }: Services, user: string): Promise<Samples> {
  const { writer: db } = database
  const { contact } = await db
    .selectFrom('messages')
    .select('contact_id as contact')
    .where('contact_id', 'is not', null)
    .orderBy('id')
    .executeTakeFirstOrThrow()
  const { category } = await db
    .selectFrom('contact_categories')
    .select('category_id as category')
    .orderBy('category_id')
    .executeTakeFirstOrThrow()
  const { id: campaign } = await db
    .selectFrom('campaigns')
    .select('id')
    .orderBy('total', 'desc')
    .executeTakeFirstOrThrow()
  const { id: content } = await db
    .selectFrom('content')
    .select('id')
    .orderBy('version', 'desc')
    .executeTakeFirstOrThrow()
  const { id: account } = await db.selectFrom('wa_accounts').select('id').executeTakeFirstOrThrow()
  return {
    ...{ contact: contact ?? '', category, campaign, content, account, user },
    from: now() - 30 * 86_400_000,
    to: now(),
  }
}

type Filter = readonly [name: string, query: string, whole?: boolean]

const lists = (room: string, path: string, limit: number, filters: readonly Filter[]): Read[] =>
  filters.map(([name, query, whole = false]) => ({
    name: `${room} ${name}`.trim(),
    path: `${path}?${query}`,
    limit,
    whole,
  }))

function listsOf({ contact, category, campaign, content, user, from, to }: Samples): Read[] {
  const v1 = '/api/v1'
  return [
    ...lists('contacts', `${v1}/contacts`, 200, [
      ['', ''],
      ['by name', 'sort=name'],
      ['that begin so', 'q=am'],
      ['with that number', 'q=336'],
      ['with that address', 'q=ada@example.org'],
      ['of a category', `category=${category}`],
      ['of a category by name', `category=${category}&sort=name`],
      ['that want nothing', 'opted_out=true'],
      ['in their window', 'has_window=true'],
      ['of a time', `created_from=${from}&created_to=${to}`],
    ]),
    ...lists('messages', `${v1}/messages`, 200, [
      ['', ''],
      ['of a status', 'status=failed'],
      ['of a campaign', `campaign=${campaign}`],
      ['of a contact', `contact=${contact}`],
      ['of a status and a campaign', `status=read&campaign=${campaign}`],
      ['of a status and a contact', `status=read&contact=${contact}`],
      ['of all three', `status=read&campaign=${campaign}&contact=${contact}`],
    ]),
    ...lists('campaigns', `${v1}/campaigns`, 200, [
      ['', ''],
      ['of a status', 'status=completed'],
    ]),
    ...lists('recipients', `${v1}/campaigns/${campaign}/recipients`, 200, [
      ['', ''],
      ['of a status', 'status=read'],
    ]),
    ...lists('content', `${v1}/content`, 100, [
      ['', ''],
      ['of a status', 'status=published'],
      ['of an author', `author=${user}`],
      ['of both', `status=draft&author=${user}`],
    ]),
    ...lists('revisions', `${v1}/content/${content}/revisions`, 100, [['', '']]),
    ...lists('media', `${v1}/media`, 100, [['', '']]),
    ...lists('users', `${v1}/users`, 200, [
      ['', ''],
      ['of a status', 'status=active'],
      ['of a role', 'role=admin'],
    ]),
    ...lists('history', `${v1}/admin/history`, 200, [
      ['', ''],
      ['of a person', `admin=${user}`],
      ['of an entity', 'entity=category'],
      ['of one thing', `entity=campaign&entity_id=${campaign}`],
      ['of a time', `from=${from}&to=${to}`],
      ['of an action', 'action=create'],
    ]),
    ...lists('jobs', `${v1}/jobs`, 200, [
      ['', ''],
      ['of a name', 'name=templates.sync'],
      ['of a status', 'status=failed'],
    ]),
    ...lists('activity', `${v1}/contacts/${contact}/activity`, 100, [['', '']]),
    ...lists('conversation', `${v1}/contacts/${contact}/messages`, 100, [['', '']]),
  ]
}

export function readsOf(samples: Samples): Read[] {
  const { contact, category, campaign, content } = samples
  const v1 = '/api/v1'
  return [
    ...listsOf(samples),
    { name: 'a contact', path: `${v1}/contacts/${contact}` },
    { name: 'a category', path: `${v1}/categories/${category}` },
    { name: 'a campaign', path: `${v1}/campaigns/${campaign}` },
    { name: 'a page', path: `${v1}/content/${content}` },
    { name: 'a public page', path: `${v1}/pages/opening-hours` },
    { name: 'templates', path: `${v1}/templates` },
    { name: 'accounts', path: `${v1}/whatsapp/accounts` },
    { name: 'rates', path: `${v1}/whatsapp/rates` },
    { name: 'settings', path: `${v1}/settings` },
    { name: 'search', path: `${v1}/search?q=ada` },
    { name: 'categories', path: `${v1}/categories`, whole: true },
    { name: 'numbers of a campaign', path: `${v1}/campaigns/${campaign}/stats`, whole: true },
    { name: 'numbers of messages', path: `${v1}/messages/stats`, whole: true },
    { name: 'dashboard', path: `${v1}/dashboard`, whole: true },
  ]
}
