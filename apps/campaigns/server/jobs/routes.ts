import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { JOB_STATUSES } from '../database/schema.ts'
import { HANDLERS } from '../handlers.ts'
import { listReader } from '../own-writes.ts'
import type { Services } from '../services.ts'
import { indexHandlers } from './queue.ts'
import { cancelJob, findJob, type JobView, listJobs, retryJob } from './store.ts'

const Id = Type.String({ minLength: 1, maxLength: 36 })
const Status = Type.Enum([...JOB_STATUSES])
const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const Job = Type.Object({
  id: Id,
  name: Type.String(),
  queue: Type.String(),
  status: Status,
  /** What of its payload may be shown; what it says depends on the kind of job, as progress and result do. */
  description: Type.Any(),
  progress: Type.Any(),
  result: Type.Any(),
  last_error: orNull(Type.String()),
  attempts: Type.Integer(),
  max_attempts: Type.Integer(),
  priority: Type.Integer(),
  run_at: Type.Integer(),
  created_by: orNull(Id),
  created_at: Type.Integer(),
  started_at: orNull(Type.Integer()),
  finished_at: orNull(Type.Integer()),
})

const JobPage = Type.Object({ items: Type.Array(Job), next_cursor: orNull(Type.String()) })

const Filter = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ maxLength: 2000 })),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    status: Type.Optional(Status),
  },
  { additionalProperties: false },
)

const Params = Type.Object({ id: Id }, { additionalProperties: false })
const tags = ['jobs']

/** `/api/v1/jobs`: what is done apart from requests. Whoever may not read all of it sees what they began. */
export const jobRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const handlers = indexHandlers(HANDLERS)
  const config = { access: 'member' as const }
  app.get(
    '/',
    { config, schema: { tags, summary: 'Jobs, the newest first', querystring: Filter, response: { 200: JobPage } } },
    async ({ query, actor }) => {
      const db = await listReader(services, actor)
      const page = await listJobs(db, services.cursors, handlers, actor, { ...query, limit: query.limit ?? 50 })
      return { ...page, items: [...page.items] }
    },
  )
  app.get(
    '/:id',
    { config, schema: { tags, summary: 'A job with its progress', params: Params, response: { 200: Job } } },
    ({ params, actor }) => findJob(services.database.writer, handlers, actor, params.id),
  )
  const actions: readonly (readonly [string, string, typeof cancelJob])[] = [
    ['cancel', 'Stop a job that is queued or running', cancelJob],
    ['retry', 'Run a job again that has failed or was cancelled', retryJob],
  ]
  for (const [name, summary, run] of actions) {
    app.post(
      `/:id/${name}`,
      { config, schema: { tags, summary, params: Params, response: { 200: Job } } },
      ({ params, actor }): Promise<JobView> => run(services, handlers, actor, params.id),
    )
  }
}
