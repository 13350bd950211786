import type { Role } from '../database/schema.ts'

/** What a route may ask for. A role is a set of these; an API key is a subset of its owner's. */
export const PERMISSIONS = [
  'dashboard:read',
  'search:read',
  'contacts:read',
  'contacts:write',
  'contacts:bulk',
  'contacts:import',
  'contacts:export',
  'categories:read',
  'categories:write',
  'messages:read',
  'messages:send',
  'campaigns:read',
  'campaigns:write',
  'campaigns:run',
  'templates:read',
  'templates:write',
  'accounts:read',
  'accounts:write',
  'content:read',
  'content:write',
  'content:publish',
  'media:read',
  'media:write',
  'users:read',
  'users:write',
  'settings:read',
  'settings:write',
  'history:read',
  'jobs:read',
  'jobs:write',
  'cache:view',
  'cache:operate',
  'cache:manage',
] as const
export type Permission = (typeof PERMISSIONS)[number]

const AGENT: readonly Permission[] = [
  'dashboard:read',
  'search:read',
  'contacts:read',
  'contacts:write',
  'categories:read',
  'messages:read',
  'messages:send',
  'campaigns:read',
  'templates:read',
  'content:read',
  'content:write',
  'media:read',
  'media:write',
]

const MANAGER: readonly Permission[] = [
  ...AGENT,
  'contacts:bulk',
  'contacts:import',
  'contacts:export',
  'categories:write',
  'campaigns:write',
  'campaigns:run',
  'templates:write',
  'accounts:read',
  'content:publish',
  'settings:read',
  'history:read',
  'jobs:read',
  'jobs:write',
  'cache:view',
]

export const ROLE_PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  admin: new Set(PERMISSIONS),
  manager: new Set(MANAGER),
  agent: new Set(AGENT),
}
