import { type Core, createTarget, type Target, type TypeState } from './core.ts'
import type { Documents } from './documents.ts'
import { badOption } from './errors.ts'
import { explain } from './explain.ts'
import { checkFields, closedError } from './guard-room.ts'
import { addPattern, deleteKeys, type Receipt, sweepTiers } from './invalidate.ts'
import { checkName, checkUnprotected, entryId, logicalKey, matchesGlob, NAMESPACE, tagStamp, typeStamp } from './key.ts'
import type { ClearTarget, Cleared, KeyName, KeyPage, KeyQuery, ListedKey, Operator, Preview } from './operator.ts'
import { numberOption } from './options.ts'
import { type Changes, createPolicies, type Policies } from './policies.ts'
import { createUndos, type Undo } from './undo.ts'
import { type Met, walk } from './walk.ts'

/** How long a walk of the backend may take. Milliseconds. */
const WALK_FOR = 10_000
const SAMPLE = 20

export interface OperatorRoom {
  readonly operator: Operator
  readonly policies: Policies
  close(): void
}

/** `documents` opens the documents of a name. */
export function createOperator(core: Core, documents: <V>(name: string) => Documents<V>): OperatorRoom {
  const undos = createUndos(core, documents<Undo>('palier-undo'))
  const policies = createPolicies(core, documents<Changes>('palier-operator'))

  const checkOpen = (): void => {
    if (core.closed.signal.aborted) throw closedError()
  }

  /** `default` and nothing said are the default type. */
  const typeOf = (name: string | undefined): TypeState => {
    const type = core.types.get(name === undefined || name === 'default' ? '' : name)
    if (type === undefined) {
      throw badOption('type', `one of ${[...core.types.keys()].map(one => one || 'default').join(', ')}`, name)
    }
    return type
  }

  const subjectOf = ({ name, policy }: TypeState, subject: unknown): string | undefined => {
    if (policy.scope === 'public') {
      if (subject !== undefined) throw badOption('subject', `none: entries of type "${name}" are public`, subject)
      return undefined
    }
    checkName(`subject (entries of type "${name}" belong to a ${policy.scope})`, subject)
    return subject
  }

  const checkKey = (type: TypeState, key: unknown): string => {
    checkName('key', key)
    checkUnprotected('key', logicalKey(type.name, key), core.protect)
    return key
  }

  /** What a walk must look at, and whether an entry it meets is meant. */
  const meant = (target: ClearTarget): { readonly type: string | undefined; is(met: Met): boolean } => {
    switch (target.kind) {
      case 'all':
        return { type: undefined, is: () => true }
      case 'type':
        return { type: typeOf(target.type).name, is: () => true }
      case 'tag':
        checkName('tag', target.tag)
        return { type: undefined, is: met => met.tags.includes(target.tag) }
      case 'pattern': {
        checkName('pattern', target.pattern)
        const type = target.type === undefined ? undefined : typeOf(target.type).name
        checkUnprotected('pattern', logicalKey(type ?? '', target.pattern), core.protect)
        return {
          type,
          is: met => matchesGlob(target.pattern, type === undefined ? logicalKey(met.type, met.key) : met.key),
        }
      }
      case 'key': {
        const type = typeOf(target.type)
        const key = checkKey(type, target.key)
        subjectOf(type, target.subject)
        return { type: type.name, is: met => met.key === key }
      }
      default:
        throw badOption('target.kind', "'all', 'type', 'tag', 'pattern' or 'key'", (target as { kind?: unknown }).kind)
    }
  }

  /** What is met when the cache is closed in the middle is no answer. */
  async function* walkOpen(type: string | undefined): AsyncGenerator<readonly Met[]> {
    try {
      for await (const batch of walk(core, type)) {
        yield batch
        checkOpen()
      }
    } catch (error) {
      checkOpen()
      throw error
    }
  }

  const preview = async (target: ClearTarget): Promise<Preview> => {
    checkOpen()
    checkTarget(target)
    await core.settled
    const { type, is } = meant(target)
    if (target.kind === 'key') return previewKey(target)
    const until = core.clock.now() + WALK_FOR
    const seen = new Set<string>()
    const types = new Map<string, number>()
    const sample: string[] = []
    let bytes = 0
    let cost = 0
    let exact = true
    for await (const batch of walkOpen(type)) {
      for (const met of batch) {
        const name = identityOf(met)
        if (!is(met) || seen.has(name)) continue
        seen.add(name)
        bytes += met.bytes
        cost += met.cost
        const type = met.type || 'default'
        types.set(type, (types.get(type) ?? 0) + 1)
        if (sample.length < SAMPLE) sample.push(logicalKey(met.type, met.key))
      }
      exact = core.clock.now() < until
      if (!exact) break
    }
    return { entries: seen.size, exact, bytes, cost, types: Object.fromEntries(types), sample }
  }

  const previewKey = async (target: ClearTarget & { kind: 'key' }): Promise<Preview> => {
    const type = typeOf(target.type)
    const { tiers } = await explain(core, type, target.key, target.subject)
    const living = tiers.filter(({ state }) => state === 'fresh' || state === 'stale').at(-1)
    if (living === undefined) return { entries: 0, exact: true, bytes: 0, cost: 0, types: {}, sample: [] }
    const { bytes = 0, cost = 0 } = living
    const name = type.name || 'default'
    return { entries: 1, exact: true, bytes, cost, types: { [name]: 1 }, sample: [logicalKey(type.name, target.key)] }
  }

  const named = ({ key, ...rest }: Omit<ClearTarget & { kind: 'key' }, 'kind'>): Target => {
    const state = typeOf(rest.type)
    const subject = subjectOf(state, rest.subject)
    return createTarget(core, state, checkKey(state, key), subject, entryId(key, subject), state.policy)
  }

  const clearKeys = async (keys: readonly KeyName[]): Promise<Receipt> => {
    checkOpen()
    const targets = keys.map(named)
    return core.enabled ? deleteKeys(core, targets) : { local: true, shared: 'none' }
  }

  /** A trial that runs already is waited for; whether it went well is what the state says. */
  const tryNow = async (): Promise<boolean> => {
    checkOpen()
    await core.settled
    const { link } = core.home
    await link?.start()
    return link?.usable() ?? false
  }

  const clear = async (target: ClearTarget): Promise<Cleared> => {
    checkOpen()
    checkTarget(target)
    await core.settled
    const { type } = meant(target)
    if (!core.enabled) return { receipt: { local: true, shared: 'none' } }
    const told = (kind: 'all' | 'type' | 'tag' | 'pattern', names: readonly string[]): void =>
      core.events.emit('delete', { target: kind, names })
    switch (target.kind) {
      case 'key':
        return { receipt: await deleteKeys(core, [named(target)]) }
      case 'pattern': {
        const receipt = await addPattern(core, { glob: target.pattern, type })
        told('pattern', [target.pattern])
        return { receipt }
      }
      case 'tag': {
        const cleared = await undos.clear([tagStamp(target.tag)], () => undefined)
        told('tag', [target.tag])
        return cleared
      }
      case 'type': {
        const cleared = await undos.clear([typeStamp(type ?? '')], () => sweepTiers(core, type))
        told('type', [target.type])
        return cleared
      }
      default: {
        const cleared = await undos.clear([NAMESPACE], () => sweepTiers(core, undefined))
        told('all', [])
        return cleared
      }
    }
  }

  const keys = async (query: KeyQuery = {}): Promise<KeyPage> => {
    checkOpen()
    checkFields('query', query, ['type', 'pattern', 'after', 'limit'])
    const limit = numberOption('limit', query.limit ?? 100, 1, 1000)
    await core.settled
    const pattern = { kind: 'pattern', pattern: query.pattern ?? '*' } as const
    const { type, is } = meant(query.type === undefined ? pattern : { ...pattern, type: query.type })
    const until = core.clock.now() + WALK_FOR
    const page = new Map<string, Met>()
    let complete = true
    for await (const batch of walkOpen(type)) {
      for (const met of batch) {
        const name = identityOf(met)
        if (is(met) && (query.after === undefined || name > query.after)) page.set(name, met)
      }
      // One more than the page tells whether there is a next one.
      if (page.size > 4 * (limit + 1)) for (const name of [...page.keys()].sort().slice(limit + 1)) page.delete(name)
      complete = core.clock.now() < until
      if (!complete) break
    }
    const names = [...page.keys()].sort()
    const shown = names.slice(0, limit)
    const last = shown.at(-1)
    const listed = shown.flatMap(name => {
      const met = page.get(name)
      return met === undefined ? [] : [listedOf(met)]
    })
    return { keys: listed, complete, ...(names.length > limit && last !== undefined && { after: last }) }
  }

  const operator: Operator = {
    async explain(key, options = {}) {
      checkOpen()
      checkFields('options', options, ['type', 'subject'])
      const type = typeOf(options.type)
      return explain(core, type, checkKey(type, key), subjectOf(type, options.subject))
    },
    keys,
    preview,
    clear,
    clearKeys,
    tryNow,
    async undo(token) {
      checkOpen()
      await core.settled
      return undos.undo(token)
    },
    policies: () => policies.views(),
    async setPolicy(type, change) {
      checkOpen()
      await policies.set(type, change)
    },
  }
  return { operator, policies, close: () => undos.close() }
}

function checkTarget(target: unknown): void {
  if (typeof target !== 'object' || target === null) throw badOption('target', 'an object', target)
}

/** What tells an entry from every other, and in what order they are listed. */
function identityOf({ type, key, subject }: Met): string {
  return `${logicalKey(type, key)}\u0000${subject ?? ''}\u0000${type}`
}

function listedOf({ type, key, subject, ttl, age, bytes, tags }: Met): ListedKey {
  const state = ttl > 0 ? 'fresh' : 'stale'
  const times = { ttl: Math.round(ttl), age: Math.round(age) }
  return { type: type || 'default', key, state, ...times, bytes, tags, ...(subject !== undefined && { subject }) }
}
