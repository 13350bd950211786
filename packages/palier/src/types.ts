import { stampNamesOf, type TypeState } from './core.ts'
import type { Entry } from './entry.ts'
import { badOption } from './errors.ts'
import { checkName, checkUnprotected, entryPrefix } from './key.ts'
import { type AnyPolicy, type CacheOptions, READY_TYPES, resolvePolicy } from './options.ts'
import { TypeCounters } from './stats.ts'
import type { NearStore } from './store.ts'

/** Ends the name of the near space of a type's subjects. */
const SUBJECTS = '@'

/** The type a near space belongs to. */
export function typeOfSpace(space: string): string {
  return space.endsWith(SUBJECTS) ? space.slice(0, -SUBJECTS.length) : space
}

/** The default type, the ready ones and the application's; throws for a policy or a name that is wrong. */
export function createTypes(
  options: CacheOptions,
  near: NearStore<Entry>,
  protect: readonly string[],
): ReadonlyMap<string, TypeState> {
  const base = resolvePolicy('defaults', options.defaults ?? {})
  const declared: Record<string, AnyPolicy> = { '': {}, ...READY_TYPES, ...options.types }
  const types = new Map<string, TypeState>()
  for (const [name, own] of Object.entries(declared)) {
    if (name !== '') {
      checkName('type', name)
      if (name.endsWith(SUBJECTS)) throw badOption('type', `a name that does not end in "${SUBJECTS}"`, name)
      checkUnprotected('type', `${name}:`, protect)
    }
    const policy = resolvePolicy(`types.${name}`, own, base)
    types.set(name, {
      name,
      policy,
      declared: policy,
      counters: new TypeCounters(),
      space: near.space(name),
      subjects: near.space(`${name}${SUBJECTS}`),
      stampNames: stampNamesOf(name, policy.tags),
    })
  }
  return types
}

/** The type an entry's full key names and its id inside that; undefined for a type this process does not know. */
export function typeOfKey(
  types: ReadonlyMap<string, TypeState>,
  namespace: string,
  full: string,
): { readonly type: TypeState; readonly id: string } | undefined {
  for (const type of types.values()) {
    const prefix = entryPrefix(namespace, type.name)
    if (full.startsWith(prefix)) return { type, id: full.slice(prefix.length) }
  }
  return undefined
}
