import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { write } from '../work.ts'
import { documentsAfter, documentsOf } from './documents.ts'
import { INDEX_JOB, REINDEX_JOB } from './elasticsearch.ts'
import { SEARCH_KINDS, type SearchIndex } from './port.ts'

const Kind = Type.Enum([...SEARCH_KINDS])
const Changed = Type.Object({ kind: Kind, ids: Type.Array(Type.String()) })
const Progress = Type.Object({ kind: Kind, after: Type.String(), sent: Type.Integer() })
type Progress = Static<typeof Progress>

/** Tells the index of rows that changed. It reads them as they are when it runs, so it may run late and twice. */
export const indexHandler: JobHandler<Static<typeof Changed>> = {
  name: INDEX_JOB,
  queue: 'search',
  maxAttempts: 20,
  parse: payload => Value.Parse(Changed, payload),
  async run({ services, payload: { kind, ids } }) {
    const documents = await documentsOf(services.database.writer, kind, ids, services.now())
    // Without an index there is nothing to tell: the one that is made later reads all rows.
    const sent = await services.search.index?.send(documents)
    return { result: { sent: sent === true ? documents.length : 0 } }
  },
}

const PART = 500

async function save(context: JobContext<object>, progress: Progress): Promise<Progress> {
  await write(context.services, work => context.save(work, progress))
  return progress
}

async function resume(context: JobContext<object>, index: SearchIndex): Promise<Progress> {
  if (Value.Check(Progress, context.progress)) return context.progress
  await index.begin()
  return await save(context, { kind: SEARCH_KINDS[0], after: '', sent: 0 })
}

async function reindex(context: JobContext<object>): Promise<JobOutcome> {
  const { services, signal } = context
  const { index } = services.search
  if (index === undefined) return { result: { sent: 0 } }
  let progress = await resume(context, index)
  for (;;) {
    if (signal.aborted) return { againAt: services.now() }
    const { kind, after, sent } = progress
    const documents = await documentsAfter(services.database.reader, kind, after, PART)
    const last = documents.at(-1)
    const next = last === undefined ? SEARCH_KINDS[SEARCH_KINDS.indexOf(kind) + 1] : kind
    if (next === undefined) break
    if (!(await index.send(documents))) throw new Error('the search index has gone while it was filled')
    progress = await save(context, { kind: next, after: last?.id ?? '', sent: sent + documents.length })
  }
  await index.finish()
  return { result: { sent: progress.sent } }
}

/** Fills the index anew, from where it was stopped. Meanwhile the database searches. */
export const reindexHandler: JobHandler<object> = {
  name: REINDEX_JOB,
  queue: 'search',
  maxAttempts: 20,
  parse: () => ({}),
  run: reindex,
}
