import { bytesText, countText } from '../advice/words.ts'
import type { Detection } from '../detect.ts'
import { PalierError } from '../errors.ts'
import { entryPrefix, namespacePrefix } from '../key.ts'
import type { FileOptions } from '../options.ts'
import type { SharedStore } from '../store.ts'
import { closeQuietly, findBackend, passedOver, refusedByName, whereabouts } from './backend.ts'
import { splitKey } from './keyspace.ts'
import type { Job, Outcome } from './run.ts'
import { labelled, type Paint, table, wrap } from './text.ts'

const HIT_RATES = 'Hit rates live in the running process: see cache.stats() there, or its console.'

interface NamespaceCount {
  readonly namespace: string
  readonly entries: number
  readonly bytes: number
  /** Stamps of the namespace, its types and tags: small records that tell whether entries are alive. */
  readonly stamps: number
  readonly types: readonly { readonly type: string; readonly entries: number }[]
}

interface Tally {
  stamps: number
  readonly types: Map<string, number>
}

/** One walk for the names, and one per namespace for the bytes: counting bytes per type would cost one walk each. */
async function count(store: SharedStore, only: string | undefined, signal: AbortSignal): Promise<NamespaceCount[]> {
  const tallies = new Map<string, Tally>()
  for await (const keys of store.scan(only === undefined ? '' : namespacePrefix(only))) {
    signal.throwIfAborted()
    for (const key of keys) {
      const { namespace, kind, type } = splitKey(key)
      if (kind === 'other') continue
      let tally = tallies.get(namespace)
      if (tally === undefined) {
        tally = { stamps: 0, types: new Map() }
        tallies.set(namespace, tally)
      }
      if (kind === 'stamp') tally.stamps++
      else tally.types.set(type, (tally.types.get(type) ?? 0) + 1)
    }
  }
  const counts: NamespaceCount[] = []
  for (const [namespace, { stamps, types }] of [...tallies].sort(([a], [b]) => (a < b ? -1 : 1))) {
    signal.throwIfAborted()
    const { entries, bytes } = await store.usage(entryPrefix(namespace))
    const byType = [...types].map(([type, of]) => ({ type: type === '' ? 'default' : type, entries: of }))
    byType.sort((a, b) => b.entries - a.entries || (a.type < b.type ? -1 : 1))
    counts.push({ namespace, entries, bytes, stamps, types: byType })
  }
  return counts
}

export async function stats({ place, given, terminal }: Job): Promise<Outcome> {
  const found = await findBackend(place)
  try {
    const { backend, store } = found
    const where = whereabouts(backend, place)
    const refused = refusedByName(found)
    if (refused !== undefined) throw new PalierError('PALIER_STORE_FAILED', refused)
    const over = passedOver(place, found)
    const warnings = over === undefined ? [] : [over]
    const namespaces = store === undefined ? [] : await count(store, given.namespace, terminal.signal)
    const totals = {
      entries: namespaces.reduce((sum, one) => sum + one.entries, 0),
      bytes: namespaces.reduce((sum, one) => sum + one.bytes, 0),
    }
    const budgets = backend === 'filesystem' ? budgetsOf(place.options.files) : null
    return {
      exitCode: 0,
      report: { backend, where, namespaces, totals, budgets, hitRates: HIT_RATES },
      lines: paint => render(found, where, namespaces, totals, budgets, paint),
      warnings,
    }
  } finally {
    await closeQuietly(found.store)
  }
}

interface Budgets {
  readonly maxBytes: number
  readonly maxFiles: number
  /** `default`: the application may say otherwise in its code, which this command does not see. */
  readonly source: 'option' | 'default'
}

/** The defaults of `FileOptions`. */
const MAX_BYTES = 256 * 2 ** 20
const MAX_FILES = 50_000

function budgetsOf(files: FileOptions | undefined): Budgets {
  const { maxBytes = MAX_BYTES, maxFiles = MAX_FILES } = files ?? {}
  return { maxBytes, maxFiles, source: files === undefined ? 'default' : 'option' }
}

function share(part: number, whole: number): string {
  return `${((part / whole) * 100).toFixed(part / whole < 0.1 ? 1 : 0)} %`
}

function render(
  { backend }: Detection,
  where: string,
  namespaces: readonly NamespaceCount[],
  totals: { readonly entries: number; readonly bytes: number },
  budgets: Budgets | null,
  paint: Paint,
): readonly string[] {
  const head = labelled('Backend', `${backend}, ${where}`, 10)
  if (backend === 'memory') {
    const why = 'Entries are in the memory of each running process, where no other process can count them.'
    return [...head, ...wrap(why, 0), '', ...wrap(HIT_RATES, 0)]
  }
  const rows = [['namespace', 'type', 'entries', 'bytes']]
  for (const { namespace, entries, bytes, types } of namespaces) {
    rows.push([namespace, '', countText(entries), bytesText(bytes)])
    for (const one of types) rows.push(['', one.type, countText(one.entries), ''])
  }
  if (namespaces.length > 1) rows.push(['all', '', countText(totals.entries), bytesText(totals.bytes)])
  const [title = '', ...body] = table(rows, [2, 3], 0)
  const shown = body.length === 0 ? ['No entries.'] : [paint('heading', title), ...body]
  const lines = [...head, '', ...shown, '']
  if (budgets !== null) {
    const { maxBytes, maxFiles, source } = budgets
    const used = `${share(totals.bytes, maxBytes)} of ${bytesText(maxBytes)}, ${share(totals.entries, maxFiles)} of ${countText(maxFiles)} files`
    const whose = source === 'default' ? ' (the defaults; the application may set others in its code)' : ''
    lines.push(...labelled('Budgets', used + whose, 10), '')
  }
  return [...lines, ...wrap(HIT_RATES, 0)]
}
