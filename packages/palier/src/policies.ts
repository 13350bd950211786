import type { Core, TypeState } from './core.ts'
import type { Documents } from './documents.ts'
import { toMilliseconds } from './duration.ts'
import { badOption } from './errors.ts'
import { checkFields } from './guard-room.ts'
import { encodeMessage } from './message.ts'
import type { PolicyChange, PolicyView } from './operator.ts'

/** What operators have changed, by type, in milliseconds. */
export type Changes = Readonly<Record<string, { readonly ttl?: number; readonly grace?: number }>>

const ID = 'policies'
/** As long as a backend keeps anything; written again with each change. */
const KEPT = 400 * 86_400_000

/** Policies that operators change while the application runs: kept in the backend, so that every process and the next start obey them. */
export interface Policies {
  views(): Readonly<Record<string, PolicyView>>
  set(name: string, change: PolicyChange | null): Promise<void>
  /** Asks the backend for them. Never rejects. */
  load(): Promise<void>
}

const nameOf = ({ name }: TypeState): string => name || 'default'

export function createPolicies(core: Core, documents: Documents<Changes>): Policies {
  let loading: Promise<void> | undefined
  /** What is being read now may be older than what was heard or done since. */
  let isOld = false

  const apply = (stored: unknown): void => {
    for (const type of core.types.values()) {
      const before = type.policy
      type.policy = { ...type.declared, ...changeIn(stored, nameOf(type)) }
      const { ttl, grace } = type.policy
      if (ttl !== before.ttl || grace !== before.grace) core.events.emit('policy', { type: nameOf(type), ttl, grace })
    }
  }

  const read = async (): Promise<void> => {
    try {
      do {
        isOld = false
        const found = await documents.read(ID)
        if (!isOld) apply(found?.value)
      } while (isOld)
    } catch {
      // Whoever reaches the backend for us told of it, and what is known goes on.
    } finally {
      loading = undefined
    }
  }

  return {
    views: () =>
      Object.fromEntries(
        [...core.types.values()].map(type => {
          const { policy, declared } = type
          const { ttl, grace, scope } = policy
          const isChanged = ttl !== declared.ttl || grace !== declared.grace
          const view = { ttl, grace, scope }
          return [nameOf(type), isChanged ? { ...view, declared: { ttl: declared.ttl, grace: declared.grace } } : view]
        }),
      ),
    async set(name, change) {
      const type = [...core.types.values()].find(one => nameOf(one) === name)
      if (type === undefined) throw badOption('type', `one of ${[...core.types.values()].map(nameOf).join(', ')}`, name)
      const wanted = change === null ? undefined : wantedOf(change)
      const done = await documents.change(ID, before => {
        const { [name]: _old, ...others } = isObject(before?.value) ? before.value : {}
        return { value: wanted === undefined ? others : { ...others, [name]: wanted }, ttl: KEPT }
      })
      isOld = true
      apply(done?.value)
      core.home.tell(encodeMessage({ kind: 'policies', names: [] }))
    },
    // A burst of lost messages asks twice at most.
    load() {
      isOld = true
      return (loading ??= read())
    },
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** What is stored may come from another version, or from anybody: only times are taken from it. */
function changeIn(stored: unknown, name: string): { ttl?: number; grace?: number } {
  const change = isObject(stored) && Object.hasOwn(stored, name) ? stored[name] : undefined
  if (!isObject(change)) return {}
  const { ttl, grace } = change
  return { ...(isTime(ttl, 1) && { ttl }), ...(isTime(grace, 0) && { grace }) }
}

const isTime = (value: unknown, min: number): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= min

function wantedOf(change: PolicyChange): { ttl?: number; grace?: number } {
  checkFields('change', change, ['ttl', 'grace'])
  const { ttl, grace } = change
  return {
    ...(ttl !== undefined && { ttl: toMilliseconds('change.ttl', ttl) }),
    ...(grace !== undefined && { grace: toMilliseconds('change.grace', grace, { min: 0 }) }),
  }
}
