import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type Actor, SYSTEM } from '../access/actor.ts'
import type { Tag } from '../cache-map.ts'
import { insertIfAbsent, isMissingReference } from '../database/portable.ts'
import type { JobContext, JobHandler } from '../jobs/contract.ts'
import { received } from '../validation.ts'
import { type Work, write } from '../work.ts'
import { type CsvHead, LONGEST_RECORD } from './csv-head.ts'
import { type CsvBreak, type CsvRecord, readRecords } from './csv-reader.ts'
import { type ImportMode, writeBatch } from './import-batch.ts'
import { type Line, type LineFault, readLine } from './import-line.ts'

export const IMPORT_JOB = 'contacts.import'

export interface ImportPayload {
  /** In the directory of uploads. */
  readonly file: string
  readonly bytes: number
  readonly head: CsvHead
  readonly mode: ImportMode
  /** What the history calls whoever asked for it. */
  readonly actor: string
}

/** How far an import is, saved with each batch in the batch's own transaction: what is counted is what is stored. */
export interface ImportProgress {
  /** The byte of the file that reading goes on from. */
  readonly offset: number
  readonly line: number
  /** Records read, the header and blank lines not counted: created + updated + duplicates + rejected. */
  readonly records: number
  readonly created: number
  readonly updated: number
  /** Records that change nothing: their phone is known, from before or from an earlier line. */
  readonly duplicates: number
  readonly rejected: number
  readonly categories_created: number
  /** Where the file could be read no further; null as long as it can. */
  readonly stopped_at_line: number | null
  readonly category_ids: readonly string[]
  readonly done: boolean
}

export const MOST_ERRORS = 10_000
const BATCH = 500
/** Lines that are refused come in larger parts: each is one row and no more. */
const LONGEST_STRETCH = 2000
const MOST_CATEGORY_IDS = 2000
const TRIES = 3

export const uploadDirectory = (dataDir: string): string => join(dataDir, 'uploads')

export function startOf({ head }: ImportPayload): ImportProgress {
  const counts = { records: 0, created: 0, updated: 0, duplicates: 0, rejected: 0, categories_created: 0 }
  return { ...counts, offset: head.start, line: head.line, stopped_at_line: null, category_ids: [], done: false }
}

/** A stretch of the file: what one transaction stores. */
interface Stretch {
  readonly lines: Line[]
  readonly faults: LineFault[]
  end: number
  nextLine: number
}

/** Cuts the records into stretches, none of which ends inside a record. */
async function* stretchesOf(
  path: string,
  { head }: ImportPayload,
  from: ImportProgress,
  country: string,
): AsyncGenerator<Stretch & { readonly stopped: CsvBreak | undefined }> {
  const empty = (end: number, nextLine: number): Stretch => ({ lines: [], faults: [], end, nextLine })
  let stretch = empty(from.offset, from.line)
  let records = 0
  const take = (record: CsvRecord): void => {
    const read = readLine(record, head.columns, country)
    stretch.end = record.end
    stretch.nextLine = record.nextLine
    records++
    if (read === undefined) return
    if ('phone' in read) stretch.lines.push(read)
    else stretch.faults.push(read)
  }
  for await (const item of readRecords(path, { ...head, start: from.offset, line: from.line })) {
    if ('reason' in item) {
      const expected = `a CSV record of at most ${LONGEST_RECORD} bytes with every quote closed`
      stretch.faults.push({ line: item.line, field: 'record', expected, received: item.reason })
      yield { ...stretch, stopped: item }
      return
    }
    for (const record of item) {
      take(record)
      if (stretch.lines.length < BATCH && records < LONGEST_STRETCH) continue
      yield { ...stretch, stopped: undefined }
      stretch = empty(stretch.end, stretch.nextLine)
      records = 0
    }
  }
  yield { ...stretch, stopped: undefined }
}

async function storeFaults(
  { trx, engine }: Work,
  jobId: string,
  faults: readonly LineFault[],
  room: number,
): Promise<void> {
  const rows = faults.slice(0, Math.max(room, 0)).map(({ line, field, expected, received: value }) => ({
    job_id: jobId,
    line,
    field: field.slice(0, 64),
    expected: expected.slice(0, 255),
    received: value.slice(0, 255),
  }))
  await insertIfAbsent(trx, engine, 'import_errors', rows)
}

interface Run {
  readonly context: JobContext<ImportPayload>
  readonly actor: Actor
}

async function storeStretch(
  { context, actor }: Run,
  before: ImportProgress,
  { lines, faults, end, nextLine, stopped }: Stretch & { readonly stopped: CsvBreak | undefined },
): Promise<ImportProgress> {
  const { id, services, payload } = context
  return await write(
    services,
    async work => {
      const stored = await writeBatch(work, lines, {
        newId: services.newId,
        search: services.search,
        mode: payload.mode,
      })
      await storeFaults(work, id, faults, MOST_ERRORS - before.rejected)
      const ids = new Set([...before.category_ids, ...stored.categoryIds])
      const progress: ImportProgress = {
        offset: end,
        line: nextLine,
        records: before.records + lines.length + faults.length,
        created: before.created + stored.created,
        updated: before.updated + stored.updated,
        duplicates: before.duplicates + lines.length - stored.created - stored.updated,
        rejected: before.rejected + faults.length,
        categories_created: before.categories_created + stored.newCategories,
        stopped_at_line: stopped?.line ?? null,
        category_ids: [...ids].slice(0, MOST_CATEGORY_IDS),
        done: false,
      }
      await context.save(work, progress)
      return progress
    },
    { actor, pace: 'soon' },
  )
}

/** A category that somebody deletes between its lookup and its use makes the batch be done again, with a new one. */
async function storeAgain(...args: Parameters<typeof storeStretch>): Promise<ImportProgress> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await storeStretch(...args)
    } catch (error) {
      if (attempt === TRIES || !isMissingReference(error)) throw error
    }
  }
}

/** Tells the cache everything that the import touched, also in processes that died on the way, and the history. */
async function finish({ context, actor }: Run, progress: ImportProgress): Promise<ImportProgress> {
  const { id, services } = context
  const { records, created, updated, duplicates, rejected, categories_created, category_ids } = progress
  const done = { ...progress, done: true }
  await write(
    services,
    async work => {
      const tags: Tag[] = category_ids.map((category): Tag => `category:${category}`)
      if (records > rejected) work.touch('contacts', 'categories', ...tags)
      const after = { records, created, updated, duplicates, rejected, categories_created }
      await work.record({ action: 'import', entity: 'contact_import', id, after })
      await context.save(work, done)
    },
    { actor },
  )
  await services.caching.settle()
  return done
}

function reportOf({
  offset: _offset,
  line: _line,
  category_ids: _ids,
  done: _done,
  ...report
}: ImportProgress): object {
  return report
}

async function runImport(context: JobContext<ImportPayload>): Promise<{ result: object }> {
  const { payload, services, signal, createdBy } = context
  const path = join(uploadDirectory(services.dataDir), payload.file)
  const run: Run = { context, actor: { ...SYSTEM, userId: createdBy, name: payload.actor } }
  let progress = (context.progress as ImportProgress | undefined) ?? startOf(payload)
  if (!progress.done && progress.stopped_at_line === null) {
    const { default_country } = await services.settings.read()
    for await (const stretch of stretchesOf(path, payload, progress, default_country)) {
      signal.throwIfAborted()
      if (stretch.lines.length > 0 || stretch.faults.length > 0) progress = await storeAgain(run, progress, stretch)
      await setImmediate()
    }
  }
  if (!progress.done) progress = await finish(run, progress)
  await rm(path, { force: true })
  return { result: reportOf(progress) }
}

function parsePayload(payload: unknown): ImportPayload {
  const { file, head } = (payload ?? {}) as Partial<ImportPayload>
  // The name becomes a path: it is ours, and is still looked at again.
  if (typeof file === 'string' && /^[\w-]+\.csv$/.test(file) && head !== undefined) return payload as ImportPayload
  throw new Error(`not the payload of an import: ${received(payload)}`)
}

/**
 * Contacts from a CSV of any length in bounded memory: a transaction for each stretch of the file, which also says where
 * the next one begins. A worker that dies leaves whole stretches, and the next one goes on behind them.
 */
export const importHandler: JobHandler<ImportPayload> = {
  name: IMPORT_JOB,
  queue: 'contacts',
  maxAttempts: 5,
  parse: parsePayload,
  describe: ({ bytes, mode }) => ({ bytes, mode }),
  run: runImport,
}
