/**
 * Every cached read of the application, in one place: whose answers it keeps and for how long, by what key, and what
 * makes it old. A read names its tags; a write deletes the tags it touched, after its commit and before its answer.
 *
 * `ttl` is how long an entry is fresh if nothing is deleted; `grace` how long after that a failing database may still be
 * answered for. Neither makes a number wrong: what changed is gone at once, and `ttl` bounds only what nobody told.
 */
export type Tag =
  | 'settings'
  | 'users'
  | 'contacts'
  | 'categories'
  | 'messages'
  | 'campaigns'
  | 'templates'
  | 'content'
  | 'media'
  | 'accounts'
  | `user:${string}`
  | `key:${string}`
  | `category:${string}`
  | `campaign:${string}`
  | `content:${string}`

/** Who may be given the same entry: everybody who may read at all, those of one role, or one person. */
export type ReadScope = 'shared' | 'role' | 'user'

export interface CachedRead<A extends readonly unknown[]> {
  readonly type: CacheType
  readonly scope: ReadScope
  key(...args: A): string
  tags(...args: A): readonly Tag[]
}

export const CACHE_TYPES = {
  settings: { ttl: '10m', grace: '1h' },
  user: { ttl: '5m', grace: '0s' },
  content: { ttl: '2m', grace: '1h' },
  page: { ttl: '2m', grace: '1h' },
  stats: { ttl: '5m', grace: '1h' },
  categories: { ttl: '2m', grace: '10m' },
  dashboard: { ttl: '5m', grace: '1h' },
  search: { ttl: '1h', grace: '0s' },
  analytics: { ttl: '10m', grace: '1h' },
  catalogue: { ttl: '2h', grace: '1h' },
  wrote: { ttl: '5s', grace: '0s' },
} as const

export type CacheType = keyof typeof CACHE_TYPES
/** Other times for some types, in milliseconds. */
export type CachePolicies = Readonly<Partial<Record<CacheType, { readonly ttl: number; readonly grace: number }>>>

function read<A extends readonly unknown[]>(
  type: CacheType,
  scope: ReadScope,
  key: (...args: A) => string,
  tags: (...args: A) => readonly Tag[],
): CachedRead<A> {
  return { type, scope, key, tags }
}

export const READS = {
  /** All settings. */
  settings: read(
    'settings',
    'shared',
    () => 'all',
    () => ['settings'],
  ),
  /** One account of a person with what it may do: read by every request of a session. */
  user: read(
    'user',
    'user',
    (id: string) => `id:${id}`,
    id => [`user:${id}`],
  ),
  /** One API key by the hash of its text, with its owner. */
  apiKey: read(
    'user',
    'user',
    (hash: string) => `key:${hash}`,
    () => ['users'],
  ),
  /** The first page of contents, as editors see it. */
  contentList: read(
    'content',
    'role',
    (role: string, filter: string) => `list:${role}:${filter}`,
    () => ['content', 'users'],
  ),
  contentOne: read(
    'content',
    'shared',
    (id: string) => `id:${id}`,
    id => [`content:${id}`, 'users'],
  ),
  /** A published page, as visitors see it. */
  page: read(
    'page',
    'shared',
    (slug: string) => `slug:${slug}`,
    () => ['content', 'media'],
  ),
  messageStats: read(
    'stats',
    'shared',
    () => 'messages',
    () => ['messages', 'contacts'],
  ),
  categoryList: read(
    'categories',
    'shared',
    () => 'list',
    () => ['categories', 'contacts'],
  ),
  category: read(
    'categories',
    'shared',
    (id: string) => `id:${id}`,
    id => [`category:${id}`],
  ),
  /** The day is in the key: periods are whole days, so time alone never makes a kept dashboard wrong. */
  dashboard: read(
    'dashboard',
    'role',
    (role: string, days: number, day: number) => `${role}:${days}d:${day}`,
    () => ['contacts', 'categories', 'messages', 'campaigns'],
  ),
  search: read(
    'search',
    'role',
    (role: string, query: string) => `${role}:${query}`,
    () => ['content', 'contacts', 'campaigns'],
  ),
  campaignStats: read(
    'analytics',
    'shared',
    (id: string) => `campaign:${id}`,
    id => [`campaign:${id}`],
  ),
  templates: read(
    'catalogue',
    'shared',
    (filter: string) => `templates:${filter}`,
    () => ['templates'],
  ),
  accounts: read(
    'catalogue',
    'shared',
    () => 'accounts',
    () => ['accounts'],
  ),
} as const
