import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import type { Actor } from '../access/actor.ts'
import { JOB_STATUSES } from '../database/schema.ts'
import { listReader } from '../own-writes.ts'
import { notFound, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { write } from '../work.ts'
import { EXPORT_JOB, type ExportPayload, type ExportProgress, exportPath } from './export-job.ts'
import { attributeNames, exportText } from './export-rows.ts'
import { FILTER_FIELDS, Id, orNull } from './fields.ts'
import { findJob, type JobView } from './job-rows.ts'

const Path = Type.Object({ job: Id })
const Filter = Type.Object(FILTER_FIELDS, { additionalProperties: false })

const ExportAnswer = Type.Object({
  id: Id,
  status: Type.Enum([...JOB_STATUSES]),
  rows: Type.Integer(),
  bytes: Type.Integer(),
  last_error: orNull(Type.String()),
  created_at: Type.Integer(),
  finished_at: orNull(Type.Integer()),
  /** Once it is finished: where whoever asked for it can fetch it. */
  file: orNull(Type.String()),
})

const tags = ['contacts']
type View = JobView<ExportPayload, ExportProgress>

function answerOf({ id, status, progress, row }: View) {
  const { last_error, created_at, finished_at } = row
  const { rows = 0, bytes = 0 } = progress ?? {}
  const file = status === 'done' ? `/api/v1/contacts/export/${id}/file` : null
  return { id, status, rows, bytes, last_error, created_at, finished_at, file }
}

function asFile(reply: FastifyReply, name: string): FastifyReply {
  return reply.header('content-disposition', `attachment; filename="${name}"`).type('text/csv; charset=utf-8')
}

export const exportRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const { cursors, now, settings, dataDir } = services
  const find = (actor: Actor, id: string): Promise<View> =>
    findJob(services, actor, { id, name: EXPORT_JOB, what: 'export' })

  app.get(
    '/',
    {
      config: { access: 'contacts:export' },
      schema: { tags, summary: 'Contacts as a CSV, as they are read', querystring: Filter, produces: ['text/csv'] },
    },
    async ({ query, actor }, reply) => {
      const db = await listReader(services, actor)
      const { default_country: country } = await settings.read()
      const at = now()
      await write(
        services,
        work => work.record({ action: 'export', entity: 'contact_export', id: null, after: { filter: query } }),
        { actor },
      )
      const text = exportText(db, { cursors, now: at, country }, query, await attributeNames(db))
      const name = `contacts-${new Date(at).toISOString().slice(0, 10)}.csv`
      return asFile(reply, name).send(Readable.from(text))
    },
  )

  // Not a GET with a parameter: it stores something, and what changes nothing is all that needs no CSRF token.
  app.post(
    '/',
    {
      config: { access: 'contacts:export' },
      schema: {
        tags,
        summary: 'Writes a CSV of contacts, as a job',
        querystring: Filter,
        response: { 202: ExportAnswer },
      },
    },
    async ({ query, actor }, reply) => {
      const payload: ExportPayload = { filter: query, actor: actor.name }
      const job = { name: EXPORT_JOB, payload, createdBy: actor.userId }
      const id = await write(services, work => services.jobs.add(work, job), { actor })
      if (id === undefined) throw new Error('a job without a key was refused')
      reply.code(202).header('location', `/api/v1/contacts/export/${id}`)
      return answerOf(await find(actor, id))
    },
  )

  app.get(
    '/:job',
    {
      config: { access: 'contacts:export' },
      schema: { tags, summary: 'How far an export is', params: Path, response: { 200: ExportAnswer } },
    },
    async ({ params, actor }) => answerOf(await find(actor, params.job)),
  )

  app.get(
    '/:job/file',
    {
      config: { access: 'contacts:export' },
      schema: {
        tags,
        summary: 'The file of an export, for whoever asked for it',
        params: Path,
        produces: ['text/csv'],
      },
    },
    async ({ params, actor }, reply) => {
      const { id, status, row } = await find(actor, params.job)
      if (row.created_by !== actor.userId) throw notFound('export', id)
      if (status !== 'done') throw new Problem(409, `The export is not finished: it is ${status}.`)
      const path = exportPath(dataDir, id)
      const info = await stat(path).catch(() => undefined)
      if (info === undefined) throw new Problem(404, 'The file of this export is no longer kept. Make a new one.')
      const name = `contacts-${new Date(row.created_at).toISOString().slice(0, 10)}.csv`
      return asFile(reply, name).header('content-length', info.size).send(createReadStream(path))
    },
  )
}
