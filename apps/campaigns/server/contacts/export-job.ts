import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Actor, SYSTEM } from '../access/actor.ts'
import type { JobContext, JobHandler } from '../jobs/contract.ts'
import { received } from '../validation.ts'
import { write } from '../work.ts'
import { attributeNames, exportHeader, exportPage } from './export-rows.ts'
import type { ContactFilter } from './list.ts'

export const EXPORT_JOB = 'contacts.export'

export interface ExportPayload {
  readonly filter: ContactFilter
  /** What the history calls whoever asked for it. */
  readonly actor: string
}

export interface ExportProgress {
  readonly names: readonly string[]
  readonly cursor: string | null
  readonly rows: number
  /** How much of the file is certain; what is behind it was written by a worker that died. */
  readonly bytes: number
  readonly done: boolean
}

/** Files are kept this long. */
const EXPORT_KEPT_MS: number = 7 * 86_400_000

const exportDirectory = (dataDir: string): string => join(dataDir, 'exports')

export function exportPath(dataDir: string, jobId: string): string {
  return join(exportDirectory(dataDir), `${jobId}.csv`)
}

async function removeOld(directory: string): Promise<void> {
  for (const file of await readdir(directory)) {
    const path = join(directory, file)
    const info = await stat(path).catch(() => undefined)
    // By the clock of the file system, which wrote the time.
    if (info !== undefined && Date.now() - info.mtimeMs > EXPORT_KEPT_MS) await rm(path, { force: true })
  }
}

async function save(
  context: JobContext<ExportPayload>,
  actor: Actor,
  progress: ExportProgress,
): Promise<ExportProgress> {
  const { services, id } = context
  await write(
    services,
    async work => {
      if (progress.done) {
        const after = { rows: progress.rows, filter: context.payload.filter }
        await work.record({ action: 'export', entity: 'contact_export', id, after })
      }
      await context.save(work, progress)
    },
    { actor },
  )
  return progress
}

async function runExport(context: JobContext<ExportPayload>): Promise<{ result: object }> {
  const { id, payload, services, signal, createdBy } = context
  const { database, cursors, now, settings, dataDir } = services
  const actor: Actor = { ...SYSTEM, userId: createdBy, name: payload.actor }
  const { default_country: country } = await settings.read()
  let progress = context.progress as ExportProgress | undefined
  if (progress?.done === true) return { result: { rows: progress.rows, bytes: progress.bytes } }
  await mkdir(exportDirectory(dataDir), { recursive: true })
  await removeOld(exportDirectory(dataDir))
  const file = await open(exportPath(dataDir, id), progress === undefined ? 'w' : 'r+', 0o600)
  try {
    if (progress === undefined) {
      const names = await attributeNames(database.replica)
      const { bytesWritten: bytes } = await file.write(exportHeader(names), 0)
      progress = { names, cursor: null, rows: 0, bytes, done: false }
    }
    await file.truncate(progress.bytes)
    while (!progress.done) {
      signal.throwIfAborted()
      const { filter } = payload
      const page = await exportPage(database.replica, { cursors, now: now(), country }, { filter, ...progress })
      const { bytesWritten } = await file.write(page.text, progress.bytes)
      await file.datasync()
      const { cursor, rows } = page
      const bytes = progress.bytes + bytesWritten
      progress = await save(context, actor, {
        ...progress,
        cursor,
        rows: progress.rows + rows,
        bytes,
        done: cursor === null,
      })
    }
  } finally {
    await file.close()
  }
  return { result: { rows: progress.rows, bytes: progress.bytes } }
}

function parsePayload(payload: unknown): ExportPayload {
  const { filter } = (payload ?? {}) as Partial<ExportPayload>
  if (typeof filter === 'object' && filter !== null) return payload as ExportPayload
  throw new Error(`not the payload of an export: ${received(payload)}`)
}

/** A CSV of contacts in a file, a page at a time; a worker that takes it up again goes on behind the last saved page. */
export const exportHandler: JobHandler<ExportPayload> = {
  name: EXPORT_JOB,
  queue: 'contacts',
  maxAttempts: 5,
  parse: parsePayload,
  describe: ({ filter }) => ({ filter }),
  run: runExport,
}
