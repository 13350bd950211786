import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Actor } from '../access/actor.ts'
import { READS } from '../cache-map.ts'
import { answerWith } from '../caching.ts'
import { listReader } from '../own-writes.ts'
import { badFields } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { type Work, write } from '../work.ts'
import { askForWork, cancel, lockFor, moveTo, pause, start } from './lifecycle.ts'
import { previewCampaign } from './preview.ts'
import { refuseUnready } from './readiness.ts'
import { exportRecipients, listRecipients } from './recipients.ts'
import { type CampaignStats, readCampaignStats } from './report.ts'
import { retryFailed } from './retry.ts'
import {
  CampaignChange,
  CampaignFilterSchema,
  CampaignPage,
  CampaignSchema,
  Id,
  NewCampaign,
  PreviewSchema,
  RecipientFilterSchema,
  RecipientPage,
  RetryBody,
  Schedule,
  StatsSchema,
} from './schemas.ts'
import {
  type Campaign,
  type CampaignInput,
  createCampaign,
  deleteCampaign,
  findCampaign,
  findCampaignRow,
  listCampaigns,
  updateCampaign,
} from './store.ts'

type Plugin = FastifyPluginAsyncTypebox<{ services: Services }>

const Path = Type.Object({ id: Id })
const tags = ['campaigns']
const read = { access: 'campaigns:read' } as const
const edit = { access: 'campaigns:write' } as const
const conduct = { access: 'campaigns:run' } as const

/** Schemas know no readonly lists. */
function answer(campaign: Campaign) {
  const { message2_buttons: buttons } = campaign
  return {
    ...campaign,
    categories: [...campaign.categories],
    actions: [...campaign.actions],
    message2_buttons: buttons === null ? null : [...buttons],
  }
}

const editing: Plugin = async (app, { services }) => {
  const { cursors, database, settings } = services
  app.get(
    '/',
    {
      config: read,
      schema: {
        tags,
        summary: 'Campaigns, newest first',
        querystring: CampaignFilterSchema,
        response: { 200: CampaignPage },
      },
    },
    async ({ query: { limit = 50, cursor, status }, actor }) => {
      const db = await listReader(services, actor)
      const page = await listCampaigns(db, cursors, { limit, cursor, status })
      return { ...page, items: page.items.map(answer) }
    },
  )

  app.post(
    '/',
    { config: edit, schema: { tags, summary: 'A new draft', body: NewCampaign, response: { 201: CampaignSchema } } },
    async ({ body, actor }, reply) => {
      const defaults = await settings.read()
      const input = {
        ...EMPTY,
        interaction_timeout_h: defaults.interaction_timeout_h,
        accept_late: defaults.accept_late,
        ...body,
        name: body.name.trim(),
      } as CampaignInput
      const campaign = await write(services, work => createCampaign(services, work, input), { actor })
      reply.code(201).header('location', `/api/v1/campaigns/${campaign.id}`)
      return answer(campaign)
    },
  )

  app.get(
    '/:id',
    { config: read, schema: { tags, summary: 'One campaign', params: Path, response: { 200: CampaignSchema } } },
    async ({ params: { id } }) => answer(await findCampaign(database.writer, id)),
  )

  app.patch(
    '/:id',
    {
      config: edit,
      schema: {
        tags,
        summary: 'Change a campaign that has not begun',
        params: Path,
        body: CampaignChange,
        response: { 200: CampaignSchema },
      },
    },
    async ({ params: { id }, body: { version, ...change }, actor }) => {
      const name = change.name === undefined ? {} : { name: change.name.trim() }
      const fields = { ...change, ...name } as Partial<CampaignInput>
      return answer(await write(services, work => updateCampaign(services, work, id, version, fields), { actor }))
    },
  )

  app.delete(
    '/:id',
    { config: edit, schema: { tags, summary: 'Delete a campaign with its messages', params: Path } },
    async ({ params: { id }, actor }, reply) => {
      await write(services, work => deleteCampaign(services, work, id), { actor })
      return reply.code(204).send()
    },
  )
}

const EMPTY = {
  account_id: null,
  category_ids: [],
  message1_template_id: null,
  message1_params: null,
  message2_kind: 'none',
  message2_body: null,
  message2_buttons: null,
  message2_template_id: null,
  message2_params: null,
  fallback_template_id: null,
  fallback_params: null,
  rate_per_minute: null,
} as const

async function schedule(work: Work, id: string, scheduled_at: number): Promise<void> {
  if (scheduled_at <= work.at) {
    const expected = 'a time to come, in milliseconds since 1970'
    throw badFields([{ field: 'body.scheduled_at', expected, received: received(scheduled_at) }])
  }
  const campaign = await lockFor(work, id, 'schedule')
  await refuseUnready(work.trx, id)
  await moveTo(work, campaign, 'scheduled', 'schedule', { scheduled_at })
}

async function startNow(services: Services, work: Work, id: string): Promise<void> {
  const campaign = await lockFor(work, id, 'start')
  await refuseUnready(work.trx, id)
  await start(services, work, campaign)
}

async function resume(services: Services, work: Work, id: string): Promise<void> {
  const campaign = await lockFor(work, id, 'resume')
  if (campaign.started_at === null) await refuseUnready(work.trx, id)
  const started_at = campaign.started_at ?? work.at
  await askForWork(services, work, await moveTo(work, campaign, 'running', 'resume', { reason: null, started_at }))
}

const conducting: Plugin = async (app, { services }) => {
  const move = async (id: string, actor: Actor, run: (work: Work) => Promise<unknown>) => {
    const change = async (work: Work): Promise<Campaign> => {
      await run(work)
      return findCampaign(work.trx, id)
    }
    return answer(await write(services, change, { actor }))
  }
  const about = (summary: string) => ({ tags, summary, params: Path, response: { 200: CampaignSchema } })

  app.post(
    '/:id/schedule',
    { config: conduct, schema: { ...about('Start it at a time to come'), body: Schedule } },
    ({ params: { id }, body, actor }) => move(id, actor, work => schedule(work, id, body.scheduled_at)),
  )
  app.post(
    '/:id/start',
    { config: conduct, schema: about('Freeze its audience and begin to send') },
    ({ params: { id }, actor }) => move(id, actor, work => startNow(services, work, id)),
  )
  app.post(
    '/:id/pause',
    { config: conduct, schema: about('Send no more until it is resumed') },
    ({ params: { id }, actor }) => move(id, actor, work => pause(work, id)),
  )
  app.post('/:id/resume', { config: conduct, schema: about('Go on') }, ({ params: { id }, actor }) =>
    move(id, actor, work => resume(services, work, id)),
  )
  app.post(
    '/:id/cancel',
    { config: conduct, schema: about('End it; who is still queued is skipped') },
    ({ params: { id }, actor }) => move(id, actor, work => cancel(services, work, id)),
  )
  app.post(
    '/:id/retry-failed',
    { config: conduct, schema: { ...about('Send again to those it failed for'), body: RetryBody } },
    ({ params: { id }, body, actor }) =>
      move(id, actor, work => retryFailed(services, work, id, body?.error_class ?? null)),
  )
}

const reading: Plugin = async (app, { services }) => {
  const { caching, cursors, database } = services
  app.get(
    '/:id/stats',
    {
      config: read,
      schema: { tags, summary: 'Funnel, reasons of failure and cost', params: Path, response: { 200: StatsSchema } },
    },
    async ({ params: { id } }, reply) => {
      const load = (): Promise<CampaignStats> => readCampaignStats(database.reader, id)
      const stats = answerWith(reply, await caching.read(READS.campaignStats, [id], load))
      const cost = { ...stats.cost, amounts: [...stats.cost.amounts] }
      return { ...stats, skipped: [...stats.skipped], failures: [...stats.failures], cost }
    },
  )

  app.get(
    '/:id/recipients',
    {
      config: read,
      schema: {
        tags,
        summary: 'What became of each recipient',
        params: Path,
        querystring: RecipientFilterSchema,
        response: { 200: RecipientPage },
      },
    },
    async ({ params: { id }, query: { limit = 50, cursor, status }, actor }) => {
      const db = await listReader(services, actor)
      await findCampaignRow(db, id)
      const page = await listRecipients(db, cursors, id, { limit, cursor, status })
      return { ...page, items: [...page.items] }
    },
  )

  app.get(
    '/:id/preview',
    {
      config: read,
      schema: {
        tags,
        summary: 'Who it would reach, and what they would read',
        params: Path,
        response: { 200: PreviewSchema },
      },
    },
    async ({ params: { id } }) => {
      const { audience, missing, samples } = await previewCampaign(database.reader, id)
      return { audience, missing: [...missing], samples: [...samples] }
    },
  )

  app.get(
    '/:id/export',
    {
      config: { access: 'contacts:export' },
      schema: { tags, summary: 'The report of all recipients as CSV', params: Path },
    },
    async ({ params: { id }, actor }, reply) => {
      const db = await listReader(services, actor)
      await findCampaignRow(db, id)
      reply.header('content-disposition', `attachment; filename="campaign-${id}.csv"`)
      return reply.type('text/csv; charset=utf-8').send(Readable.from(exportRecipients(db, id)))
    },
  )
}

/** Under `/api/v1/campaigns`. */
export const campaignRoutes: Plugin = async (app, { services }) => {
  for (const part of [editing, conducting, reading]) await app.register(part, { services })
}
