import { badOption } from 'palier'
import { type Host, textList } from './options.ts'

/** What a handler changes, and so what must not be served any more. */
export interface Invalidation {
  readonly types?: readonly string[]
  readonly tags?: readonly string[]
  /** Of `type:key`: `*` any characters, `?` one, `\` the next one literally. */
  readonly patterns?: readonly string[]
  readonly keys?: readonly { readonly type: string; readonly key: string }[]
}

const FIELDS = ['types', 'tags', 'patterns', 'keys']

function check(changed: Invalidation): Invalidation {
  if (typeof changed !== 'object' || changed === null) throw badOption('invalidates', 'an object', changed)
  for (const field of Object.keys(changed)) {
    if (!FIELDS.includes(field)) throw badOption(`invalidates.${field}`, `one of ${FIELDS.join(', ')}`, field)
  }
  for (const field of ['types', 'tags', 'patterns'] as const) {
    if (changed[field] !== undefined) textList(`invalidates.${field}`, changed[field])
  }
  const { keys = [] } = changed
  const isPair = (pair: unknown): boolean =>
    typeof pair === 'object' &&
    pair !== null &&
    'type' in pair &&
    typeof pair.type === 'string' &&
    'key' in pair &&
    typeof pair.key === 'string'
  if (!Array.isArray(keys) || !keys.every(isPair)) throw badOption('invalidates.keys', 'a list of { type, key }', keys)
  return changed
}

/**
 * Makes what deletes after a request. It never rejects: what the backend has not taken yet waits in the cache, which passes
 * over the backend for it meanwhile, and a wrong name is a warning of the process. Throws PALIER_BAD_OPTION at once for a
 * declaration that is wrong.
 */
export function invalidator<Req>(
  host: Host,
  declared: Invalidation | ((request: Req) => Invalidation),
): (request: Req) => Promise<void> {
  const fixed = typeof declared === 'function' ? undefined : check(declared)
  return async request => {
    try {
      const {
        types = [],
        tags = [],
        patterns = [],
        keys = [],
      } = fixed ?? check(typeof declared === 'function' ? declared(request) : declared)
      await Promise.all([
        ...types.map(type => host.deleteByType(type)),
        ...(tags.length === 0 ? [] : [host.deleteByTags(tags)]),
        ...patterns.map(pattern => host.deleteByPattern(pattern)),
        ...keys.map(({ type, key }) => host.type(type).delete(key)),
      ])
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      process.emitWarning(`what a handler changed was not deleted: ${text}`, { code: 'PALIER_NOT_INVALIDATED' })
    }
  }
}
