import { bytesText, plural } from '../advice/words.ts'
import { closeQuietly, findBackend, passedOver, refusedByName, whereabouts } from './backend.ts'
import type { Job, Outcome } from './run.ts'
import { labelled, table, wrap } from './text.ts'

const NOTHING_TO_DO = {
  redis: 'Nothing to do: Redis takes away expired entries by itself.',
  filesystem: 'Nothing to do: this store takes away expired entries by itself.',
  memory: 'Nothing to do: each process keeps its own memory and cleans it up by itself.',
} as const

/** Sweeps the directory: for hosts where no process stays alive to do it. */
export async function gc({ place }: Job): Promise<Outcome> {
  const found = await findBackend(place)
  try {
    const refused = refusedByName(found)
    const { backend, store } = found
    const where = whereabouts(backend, place)
    if (refused !== undefined) return notDone(backend, where, refused)
    const over = passedOver(place, found)
    const warnings = over === undefined ? [] : [over]
    if (store?.sweep === undefined) {
      const why = NOTHING_TO_DO[backend]
      const lines = (): readonly string[] => [...labelled('Backend', `${backend}, ${where}`, 10), ...wrap(why, 0)]
      return { exitCode: 0, report: { backend, where, swept: null, why }, lines, warnings }
    }
    const swept = await store.sweep()
    const { expired, evicted, debris, entries, bytes } = swept
    const rows = [
      ['expired', plural(expired, 'entry', 'entries')],
      ['evicted', `${plural(evicted, 'entry', 'entries')}, to stay within the budgets`],
      ['debris', `${plural(debris, 'file', 'files')} that ended processes left behind`],
      ['left', `${plural(entries, 'entry', 'entries')}, ${bytesText(bytes)}`],
    ]
    const lines = (): readonly string[] => [...labelled('Swept', where, 10), ...table(rows, [])]
    return {
      exitCode: 0,
      report: { backend, where, swept: { expired, evicted, debris, entries, bytes } },
      lines,
      warnings,
    }
  } finally {
    await closeQuietly(found.store)
  }
}

function notDone(backend: string, where: string, why: string): Outcome {
  return {
    exitCode: 1,
    report: { backend, where, swept: null, why },
    lines: () => wrap('Nothing was swept.', 0),
    warnings: [why],
  }
}
