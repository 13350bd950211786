import type { SetupOptions } from 'palier/setup'
import type { Actor } from '../access/actor.ts'
import { createApiKey } from '../access/api-keys.ts'
import { ROLE_PERMISSIONS } from '../access/permissions.ts'
import type { Site } from '../site.ts'
import type { Front } from './front.ts'

const PATH = '/api/v1/dashboard'
/** How long the key of a proof opens anything, in milliseconds. */
const KEY_LASTS = 60_000

/** The first administrator, on whose behalf the proof asks. */
async function administrator({ services: { database } }: Site): Promise<Actor> {
  const row = await database.writer
    .selectFrom('users')
    .select(['id', 'email'])
    .where('role', '=', 'admin')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  if (row === undefined) throw new Error('there is no administrator yet')
  const { id, email } = row
  return {
    kind: 'user',
    userId: id,
    name: email,
    role: 'admin',
    permissions: ROLE_PERMISSIONS.admin,
    ip: null,
    requestId: null,
  }
}

/** The dashboard, the dearest read there is, asked as visitors ask: through the socket, with a key that is dead in a minute. */
export function liveProof(site: () => Site | undefined, front: Front): Pick<SetupOptions, 'live'> {
  let key: { readonly text: string; readonly until: number } | undefined
  const opened = (): Site => {
    const found = site()
    if (found === undefined) throw new Error('the application does not run yet')
    return found
  }
  const newKey = async ({ services }: Site): Promise<string> => {
    const until = services.now() + KEY_LASTS
    const made = await createApiKey(services, await administrator(opened()), {
      name: 'installation',
      scopes: ['dashboard:read'],
      expires_at: until,
    })
    key = { text: made.key, until }
    return made.key
  }
  return {
    live: {
      async request(signal) {
        const now = opened()
        const text = key !== undefined && key.until > now.services.now() ? key.text : await newKey(now)
        return front.ask(PATH, { authorization: `Bearer ${text}`, accept: 'application/json' }, signal)
      },
      async clear() {
        // What is timed afterwards is the read, not the making of a key.
        await newKey(opened())
        await opened().services.caching.cache.deleteByType('dashboard')
      },
    },
  }
}
