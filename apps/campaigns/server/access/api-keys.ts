import type { Kysely } from 'kysely'
import { behind, type Cursors, cutPage, type Page } from '../cursor.ts'
import type { Tables } from '../database/schema.ts'
import { badFields, notFound, Problem } from '../problem.ts'
import { hashToken, randomToken } from '../secrets.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { write } from '../work.ts'
import type { Actor } from './actor.ts'
import type { Permission } from './permissions.ts'
import { untilHeard } from './until-heard.ts'

/** A key without what opens anything: its text is known to who made it, and its hash to the database. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly scopes: readonly string[]
  readonly owner: { readonly id: string; readonly name: string; readonly email: string }
  readonly expires_at: number | null
  readonly last_used_at: number | null
  readonly revoked_at: number | null
  readonly created_at: number
}

export interface NewApiKey {
  readonly name: string
  readonly scopes: readonly Permission[]
  readonly expires_at: number | null
}

export interface ApiKeyFilter {
  readonly limit: number
  readonly cursor?: string
  /** Whose; administrators see everybody's when nobody is named. */
  readonly userId?: string
}

const COLUMNS = [
  ...(['api_keys.id', 'api_keys.name', 'prefix', 'scopes', 'expires_at', 'last_used_at', 'revoked_at'] as const),
  ...(['api_keys.created_at', 'user_id', 'users.name as owner_name', 'users.email as owner_email'] as const),
] as const

/** A page of keys, the newest first. One query. */
export async function listApiKeys(db: Kysely<Tables>, cursors: Cursors, filter: ApiKeyFilter): Promise<Page<ApiKey>> {
  const { limit, userId } = filter
  const list = `api keys ${JSON.stringify([userId])}`
  const position = cursors.read(list, filter.cursor)
  let query = db
    .selectFrom('api_keys')
    .innerJoin('users', 'users.id', 'api_keys.user_id')
    .select(COLUMNS)
    .orderBy('api_keys.created_at', 'desc')
    .orderBy('api_keys.id', 'desc')
    .limit(limit + 1)
  if (userId !== undefined) query = query.where('user_id', '=', userId)
  if (position !== undefined) {
    query = query.where(behind('api_keys.created_at', 'api_keys.id', position))
  }
  const rows = await query.execute()
  const next = ({ created_at, id }: (typeof rows)[number]): string => cursors.write(list, [created_at, id])
  return cutPage(rows, limit, next, ({ user_id, owner_name, owner_email, scopes, ...row }) => ({
    ...row,
    scopes: JSON.parse(scopes) as string[],
    owner: { id: user_id, name: owner_name, email: owner_email },
  }))
}

const TEN_YEARS_MS = 10 * 365 * 86_400_000
const PREFIX_LENGTH = 9

function check({ scopes, expires_at }: NewApiKey, actor: Actor, now: number): void {
  const beyond = scopes.filter(scope => !actor.permissions.has(scope))
  if (beyond.length > 0) {
    throw badFields([{ field: 'body.scopes', expected: 'permissions that you have', received: received(beyond) }])
  }
  if (expires_at !== null && (expires_at <= now || expires_at > now + TEN_YEARS_MS)) {
    const expected = 'a time in the next ten years, in milliseconds since 1970, or null'
    throw badFields([{ field: 'body.expires_at', expected, received: received(expires_at) }])
  }
}

/** Makes a key of the actor's own. Its text is given here and never again. */
export async function createApiKey(
  services: Services,
  actor: Actor,
  input: NewApiKey,
): Promise<{ readonly id: string; readonly key: string }> {
  check(input, actor, services.now())
  const { userId } = actor
  if (userId === null) throw new Problem(403, 'Only a person has API keys.')
  const key = `pk_${randomToken()}`
  const id = services.newId()
  await write(
    services,
    async work => {
      const { name, expires_at } = input
      const scopes = JSON.stringify([...new Set(input.scopes)])
      const row = {
        id,
        user_id: userId,
        name,
        prefix: key.slice(0, PREFIX_LENGTH),
        scopes,
        expires_at,
        created_at: work.at,
      }
      await work.trx
        .insertInto('api_keys')
        .values({ ...row, hash: hashToken(key) })
        .execute()
      await work.record({ action: 'create', entity: 'api_key', id, after: row })
    },
    { actor },
  )
  return { id, key }
}

/** Ends a key for good, in every process, before the promise resolves. Others' keys only for administrators. */
export async function revokeApiKey(services: Services, actor: Actor, id: string): Promise<void> {
  await write(
    services,
    async work => {
      const ownOnly = actor.role === 'admin' ? [] : [actor.userId ?? '']
      let query = work.trx.updateTable('api_keys').set({ revoked_at: work.at }).where('id', '=', id)
      for (const userId of ownOnly) query = query.where('user_id', '=', userId)
      const { numUpdatedRows } = await query.where('revoked_at', 'is', null).executeTakeFirst()
      // A key of somebody else is as good as none: that it exists is theirs to know.
      if (numUpdatedRows === 0n) throw notFound('API key in use', id)
      await work.record({
        action: 'revoke',
        entity: 'api_key',
        id,
        before: { revoked_at: null },
        after: { revoked_at: work.at },
      })
      work.touch('users')
    },
    { actor },
  )
  await untilHeard(services)
}
