import { plural } from '../advice/words.ts'
import type { Cache } from '../cache.ts'
import { createCache } from '../create.ts'
import type { Backend } from '../detect.ts'
import type { Receipt } from '../invalidate.ts'
import type { SharedStore } from '../store.ts'
import { type Arguments, UsageError } from './arguments.ts'
import { closeQuietly, findBackend, passedOver, type Place, refusedByName, whereabouts } from './backend.ts'
import type { Job, Outcome } from './run.ts'
import { labelled, type Paint, wrap } from './text.ts'
import { type Witness, witness } from './witness.ts'

/** How long the deletion of dead entries is waited for; correct without it, they only take room. */
const SWEEP_WAIT = 60_000

interface Target {
  readonly kind: 'all' | 'type' | 'tag' | 'pattern'
  readonly name: string
  readonly words: string
}

function targetOf({ type, tag, pattern }: Arguments): Target {
  if (type !== undefined) return { kind: 'type', name: type, words: `type "${type}"` }
  if (tag !== undefined) return { kind: 'tag', name: tag, words: `tag "${tag}"` }
  if (pattern !== undefined) return { kind: 'pattern', name: pattern, words: `keys that match "${pattern}"` }
  return { kind: 'all', name: '', words: 'everything' }
}

function invalidate(cache: Cache, { kind, name }: Target): Promise<Receipt> {
  if (kind === 'type') return cache.deleteByType(name)
  if (kind === 'tag') return cache.deleteByTag(name)
  if (kind === 'pattern') return cache.deleteByPattern(name)
  return cache.clear()
}

interface Cleared {
  readonly receipt: Receipt
  /** Why the receipt is not better, in the store's words. */
  readonly trouble: string | undefined
  readonly seen: Witness
  readonly complete: boolean
  /** How long a running process may go on without having heard, in milliseconds. */
  readonly bound: number
}

/** Through a cache of its own, so that what running processes hear is what any of them would have said. */
async function perform(store: SharedStore, place: Place, target: Target, signal: AbortSignal): Promise<Cleared> {
  const seen = witness(store)
  const types = target.kind === 'type' ? { [target.name]: {} } : {}
  // Enabled whatever the environment says: what a disabled cache left behind must not come back with it.
  const cache = createCache({ ...place.options, types, enabled: true, store: seen.store }) as Cache
  let trouble: string | undefined
  cache.on('error', ({ message }) => {
    trouble ??= message
  })
  try {
    const { staleBound } = await cache.ready()
    const receipt = await invalidate(cache, target)
    const complete = await seen.quiet(SWEEP_WAIT, signal)
    return { receipt, trouble, seen, complete, bound: staleBound }
  } finally {
    await cache.close()
  }
}

async function agreed({ given, terminal }: Job, question: string): Promise<boolean> {
  if (given.yes) return true
  const answer = given.json ? undefined : await terminal.confirm(question)
  if (answer === undefined) throw new UsageError('clear deletes, and nobody is there to be asked: add --yes')
  return answer
}

export async function clear(job: Job): Promise<Outcome> {
  const { given, place, terminal } = job
  const namespace = given.namespace ?? 'default'
  const target = targetOf(given)
  const found = await findBackend(place)
  const { backend, store } = found
  const where = whereabouts(backend, place)
  const about = { backend, where, namespace, target: { kind: target.kind, name: target.name } }
  const nothing = (why: string): Outcome => ({
    exitCode: 1,
    report: { ...about, receipt: null, told: false, deleted: 0, complete: false, why },
    lines: () => ['Nothing was cleared.'],
    warnings: [why],
  })
  try {
    const refused = refusedByName(found)
    if (refused !== undefined) return nothing(refused)
    const over = passedOver(place, found)
    if (store === undefined) {
      const why = 'the entries are in the memory of each running process, which this command cannot reach'
      return nothing(over === undefined ? why : `${over}; ${why}`)
    }
    const question = `Clear ${target.words} of the namespace "${namespace}" on ${backend}, ${where}?`
    if (!(await agreed(job, question))) return nothing('the answer was no')
    const cleared = await perform(store, place, target, terminal.signal)
    return outcomeOf(cleared, about, target, over === undefined ? [] : [over])
  } finally {
    await closeQuietly(store)
  }
}

interface About {
  readonly backend: Backend
  readonly where: string
  readonly namespace: string
  readonly target: { readonly kind: string; readonly name: string }
}

function outcomeOf(cleared: Cleared, about: About, target: Target, before: readonly string[]): Outcome {
  const { receipt, seen, complete, trouble, bound } = cleared
  const { deleted, untold } = seen
  const acked = receipt.shared === 'acked'
  const told = acked && untold === undefined
  const warnings = [...before]
  if (!acked) warnings.push(trouble ?? 'the store did not acknowledge it')
  if (acked && untold !== undefined) warnings.push(`running processes could not be told: ${untold}`)
  return {
    exitCode: told ? 0 : 1,
    report: { ...about, receipt, told, staleBound: bound, deleted, complete },
    lines: paint => render(cleared, about, target, told, paint),
    warnings,
  }
}

const RECEIPTS: Readonly<Record<Receipt['shared'], string>> = {
  acked: 'acknowledged by the store',
  pending: 'NOT acknowledged by the store: it may or may not hold. Run it again',
  refused: 'refused by the store: nothing was cleared',
  none: 'nothing is shared: nothing was cleared',
}

function render(
  { receipt, seen, complete, bound }: Cleared,
  about: About,
  target: Target,
  told: boolean,
  paint: Paint,
): string[] {
  const acked = receipt.shared === 'acked'
  const processes = told
    ? `told; each acts on it within ${bound} ms`
    : acked
      ? 'NOT told: each may go on with what it has in memory until that expires'
      : 'not told'
  const left = complete ? 'any others' : 'the others, for it took too long,'
  const lines = [
    ...labelled('Target', `${target.words} of the namespace "${about.namespace}"`, 11),
    ...labelled('Backend', `${about.backend}, ${about.where}`, 11),
    ...labelled('Receipt', RECEIPTS[receipt.shared], 11),
    ...labelled('Processes', processes, 11),
  ]
  if (acked) {
    const text = `${plural(seen.deleted, 'dead entry', 'dead entries')}; ${left} are never served and expire`
    lines.push(...labelled('Deleted', text, 11))
  }
  lines.push(...wrap(told ? paint('good', 'Done.') : paint('bad', 'Not done.'), 0))
  return lines
}
