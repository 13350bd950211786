import { badOption, type PolicyChange, type PolicyView } from 'palier'
import type { ConfigAnswer, ShownSetting } from './api.ts'
import { type Fields, isFields, onlyFields } from './input.ts'
import type { Room } from './room.ts'
import type { Route } from './router.ts'

/** The changes in a body, all of them looked at before the first is made. */
function changesOf(fields: Fields, known: readonly string[]): readonly (readonly [string, PolicyChange | null])[] {
  onlyFields('body', fields, ['types'])
  const { types } = fields
  if (!isFields(types) || Object.keys(types).length === 0) {
    throw badOption('types', 'an object such as { "dashboard": { "ttl": "10m" } }', types)
  }
  return Object.entries(types).map(([type, change]) => {
    if (!known.includes(type)) throw badOption('types', `types of this cache: ${known.join(', ')}`, type)
    if (change === null) return [type, null]
    if (!isFields(change))
      throw badOption(`types.${type}`, 'ttl, grace or both, or null for what the code says', change)
    onlyFields(`types.${type}`, change, ['ttl', 'grace'])
    if (Object.keys(change).length === 0) throw badOption(`types.${type}`, 'ttl, grace or both', '')
    for (const [name, value] of Object.entries(change)) {
      if (typeof value !== 'string' && typeof value !== 'number') {
        throw badOption(`types.${type}.${name}`, "milliseconds, or a text such as '5m'", value)
      }
    }
    return [type, change]
  })
}

/** What an operator had said of the type, to say it again. */
function former({ ttl, grace, declared }: PolicyView): PolicyChange | null {
  return declared === undefined ? null : { ttl, grace }
}

const LOCKED = { option: 'code', environment: 'environment', default: false } as const

/** The settings with where each comes from, and the policies. */
export function configOf({ cache }: Pick<Room, 'cache'>): ConfigAnswer {
  const { namespace, enabled, backend, why, configuration } = cache.status()
  const settings = Object.entries(configuration).map(([name, setting]): [string, ShownSetting] => [
    name,
    { ...setting, locked: LOCKED[setting.source] },
  ])
  return { namespace, enabled, backend, why, settings: Object.fromEntries(settings), types: cache.operator.policies() }
}

/** What the cache is told by, and the policies, which may be changed while the application runs. */
export function configuringRoutes({ cache, log }: Room): readonly Route[] {
  const { operator } = cache
  const shown = (): ConfigAnswer => configOf({ cache })

  /** All of them or none: what was made is taken back when one cannot be. */
  const apply = async (changes: readonly (readonly [string, PolicyChange | null])[]): Promise<void> => {
    const before = operator.policies()
    const made: string[] = []
    try {
      for (const [type, change] of changes) {
        await operator.setPolicy(type, change)
        made.push(type)
      }
    } catch (error) {
      for (const type of made) {
        const was = before[type]
        await operator.setPolicy(type, was === undefined ? null : former(was)).catch(() => {
          log.warn(`[CACHE CONSOLE] the policy of ${JSON.stringify(type)} could not be taken back`)
        })
      }
      throw error
    }
  }

  return [
    {
      method: 'GET',
      path: '/api/cache/config',
      role: 'viewer',
      kind: 'read',
      name: 'config',
      answer: () => Promise.resolve({ body: shown() }),
    },
    {
      method: 'PUT',
      path: '/api/cache/config',
      role: 'admin',
      kind: 'change',
      name: 'set-config',
      async answer({ aim, fields }) {
        const changes = changesOf(fields, Object.keys(operator.policies()))
        const said = changes.map(
          ([type, change]) => `${type} ${change === null ? 'as declared' : JSON.stringify(change)}`,
        )
        aim(`types ${said.join(', ')}`)
        await apply(changes)
        return { body: shown(), count: changes.length }
      },
    },
  ]
}
