import type { Role } from '../database/schema.ts'
import type { Permission } from './permissions.ts'

/** On whose behalf something is done: a person in a session, an API key, the application itself, or nobody. */
export interface Actor {
  readonly kind: 'user' | 'key' | 'system' | 'nobody'
  /** The person, or the owner of the key. */
  readonly userId: string | null
  /** What the history calls them: an address, the name of a key, `system`. */
  readonly name: string
  readonly role: Role | null
  readonly permissions: ReadonlySet<Permission>
  readonly ip: string | null
  readonly requestId: string | null
}

/** Jobs and commands, which nobody stands behind at the moment they run. */
export const SYSTEM: Actor = {
  kind: 'system',
  userId: null,
  name: 'system',
  role: null,
  permissions: new Set(),
  ip: null,
  requestId: null,
}

export const NOBODY: Actor = { ...SYSTEM, kind: 'nobody', name: 'nobody' }
