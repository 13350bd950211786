import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Actor } from '../access/actor.ts'
import { JOB_STATUSES } from '../database/schema.ts'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { write } from '../work.ts'
import { CSV_MARK, csvLines, guardFormula } from './csv-text.ts'
import { Id, orNull } from './fields.ts'
import type { ImportMode } from './import-batch.ts'
import { IMPORT_JOB, type ImportPayload, type ImportProgress, MOST_ERRORS, startOf } from './import-job.ts'
import { findJob, type JobView } from './job-rows.ts'
import { removeUpload, storeUpload, uploadKey } from './uploads.ts'

const Path = Type.Object({ job: Id })
const SHOWN_ERRORS = 100
const ERROR_PAGE = 1000

const Mode = Type.Object({ mode: Type.Optional(Type.Enum(['skip', 'update'])) }, { additionalProperties: false })

const Count = Type.Integer()
const ImportAnswer = Type.Object({
  id: Id,
  status: Type.Enum([...JOB_STATUSES]),
  mode: Type.Enum(['skip', 'update']),
  /** Of the file's bytes. */
  percent: Count,
  bytes: Count,
  bytes_read: Count,
  records: Count,
  created: Count,
  updated: Count,
  duplicates: Count,
  rejected: Count,
  categories_created: Count,
  stopped_at_line: orNull(Count),
  last_error: orNull(Type.String()),
  created_at: Type.Integer(),
  finished_at: orNull(Type.Integer()),
  errors: Type.Array(
    Type.Object({ line: Count, field: Type.String(), expected: Type.String(), received: Type.String() }),
  ),
})

const tags = ['contacts']
type View = JobView<ImportPayload, ImportProgress>

function answerOf({ id, status, payload, progress, row }: View) {
  const { offset, line: _line, category_ids: _ids, done, ...counts } = progress ?? startOf(payload)
  const bytes_read = done ? payload.bytes : offset
  const percent = status === 'done' ? 100 : Math.min(99, Math.floor((bytes_read / Math.max(payload.bytes, 1)) * 100))
  const { last_error, created_at, finished_at } = row
  const job = { id, status, mode: payload.mode, percent, bytes: payload.bytes, bytes_read }
  return { ...job, ...counts, last_error, created_at, finished_at }
}

/** Stores the job, or takes the file away again. Returns the job's id. */
async function addImport(services: Services, actor: Actor, payload: ImportPayload): Promise<string> {
  const { file } = payload
  try {
    const job = { name: IMPORT_JOB, payload, dedupeKey: uploadKey(file), createdBy: actor.userId }
    const id = await write(services, work => services.jobs.add(work, job), { actor })
    if (id === undefined) throw new Error('another job has the key of an upload that is new')
    return id
  } catch (error) {
    await removeUpload(services, file)
    throw error
  }
}

async function* errorsCsv({ database }: Services, jobId: string): AsyncGenerator<string> {
  yield CSV_MARK + csvLines([['line', 'field', 'expected', 'received']])
  for (let line = 0; ; ) {
    const rows = await database.replica
      .selectFrom('import_errors')
      .select(['line', 'field', 'expected', 'received'])
      .where('job_id', '=', jobId)
      .where('line', '>', line)
      .orderBy('line')
      .limit(ERROR_PAGE)
      .execute()
    const last = rows.at(-1)
    if (last === undefined) return
    const texts = rows.map(row => [row.line, ...[row.field, row.expected, row.received].map(guardFormula)])
    yield csvLines(texts)
    line = last.line
  }
}

export const importRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { database } = services
  // The body is read as it comes; a parser would hold all of it.
  app.addContentTypeParser('text/csv', (_request, body, done) => done(null, body))
  const find = (actor: Actor, id: string): Promise<View> =>
    findJob(services, actor, { id, name: IMPORT_JOB, what: 'import' })

  app.post(
    '/',
    {
      config: { access: 'contacts:import' },
      schema: {
        tags,
        summary: 'Imports contacts from a CSV, as a job',
        description: `Columns by name: name, phone, email, categories, opt_in, attr:<name>. At most ${MOST_ERRORS} errors are kept.`,
        consumes: ['text/csv'],
        querystring: Mode,
        response: { 202: Type.Omit(ImportAnswer, ['errors']) },
      },
    },
    async (request, reply) => {
      const { actor, query, headers, body } = request
      if (headers['content-type']?.startsWith('text/csv') !== true || !(body instanceof Readable)) {
        throw new Problem(415, `header.content-type: expected text/csv, received ${received(headers['content-type'])}`)
      }
      const upload = await storeUpload(services, body)
      const mode: ImportMode = query.mode ?? 'skip'
      const id = await addImport(services, actor, { ...upload, mode, actor: actor.name })
      reply.code(202).header('location', `/api/v1/contacts/import/${id}`)
      return answerOf(await find(actor, id))
    },
  )

  app.get(
    '/:job',
    {
      config: { access: 'contacts:import' },
      schema: { tags, summary: 'How far an import is', params: Path, response: { 200: ImportAnswer } },
    },
    async ({ params, actor }) => {
      const view = await find(actor, params.job)
      const query = database.writer.selectFrom('import_errors').select(['line', 'field', 'expected', 'received'])
      const errors = await query.where('job_id', '=', view.id).orderBy('line').limit(SHOWN_ERRORS).execute()
      return { ...answerOf(view), errors }
    },
  )

  app.get(
    '/:job/errors.csv',
    {
      config: { access: 'contacts:import' },
      schema: { tags, summary: 'The lines that an import refused, as a CSV', params: Path, produces: ['text/csv'] },
    },
    async ({ params, actor }, reply) => {
      const { id } = await find(actor, params.job)
      reply.header('content-disposition', `attachment; filename="import-errors-${id}.csv"`)
      return reply.type('text/csv; charset=utf-8').send(Readable.from(errorsCsv(services, id)))
    },
  )
}
