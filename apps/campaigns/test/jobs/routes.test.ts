import { expect, test } from 'vitest'
import { SYSTEM } from '../../server/access/actor.ts'
import { ROLE_PERMISSIONS } from '../../server/access/permissions.ts'
import { indexHandlers } from '../../server/jobs/queue.ts'
import { cancelJob, findJob, retryJob } from '../../server/jobs/store.ts'
import { write } from '../../server/work.ts'
import { startApp } from '../support/app.ts'
import { gate, handler, mark, marks } from './support/handlers.ts'
import { startRig } from './support/rig.ts'

const ADMIN = { ...SYSTEM, kind: 'user', userId: null, permissions: ROLE_PERMISSIONS.admin } as const

test('people see all jobs or those they began, page by page, and never a payload', async () => {
  const app = await startApp()
  const agent = await app.as('agent')
  const { services } = app
  const ids: string[] = []
  for (let n = 0; n < 7; n++) {
    const createdBy = n % 2 === 0 ? agent.userId : app.userId
    const job = { name: 'maintenance', payload: { phone: '+33612345678' }, createdBy }
    ids.push(String(await write(services, work => services.jobs.add(work, job))))
  }
  const walk = async (caller: typeof agent, query: string): Promise<string[]> => {
    const found: string[] = []
    for (let cursor = ''; ; ) {
      const answer = await caller.get(`/api/v1/jobs?limit=2${query}${cursor}`)
      expect(answer.statusCode).toBe(200)
      expect(answer.body).not.toContain('+336')
      const page = answer.json<{ items: { id: string }[]; next_cursor: string | null }>()
      found.push(...page.items.map(item => item.id))
      if (page.next_cursor === null) return found
      cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`
    }
  }
  const newest = ids.toReversed()
  expect(await walk(app, '')).toEqual(newest)
  expect(await walk(app, '&name=maintenance&status=queued')).toEqual(newest)
  expect(await walk(app, '&status=done')).toEqual([])
  expect(await walk(agent, '')).toEqual(newest.filter((_, index) => index % 2 === 0))
  const [own, other] = ids as [string, string]
  expect((await agent.get(`/api/v1/jobs/${own}`)).json()).toMatchObject({
    id: own,
    status: 'queued',
    description: null,
  })
  expect((await agent.get(`/api/v1/jobs/${other}`)).statusCode).toBe(404)
  expect((await agent.post(`/api/v1/jobs/${other}/cancel`)).statusCode).toBe(404)
  // A key of somebody who may not: people may stop their own, their keys may not.
  expect((await agent.post(`/api/v1/jobs/${own}/cancel`)).statusCode).toBe(403)
  const bad = await app.get('/api/v1/jobs?status=lost&extra=1')
  expect(
    bad
      .json<{ errors: { field: string }[] }>()
      .errors.map(({ field }) => field)
      .sort(),
  ).toEqual(['query.extra', 'query.status'])
})

test('a job is cancelled and retried once, by whoever may, and the history has it', async () => {
  const app = await startApp()
  const { services } = app
  const ask = () =>
    write(services, work => services.jobs.add(work, { name: 'maintenance', payload: {}, dedupeKey: 'one' }))
  const id = String(await ask())
  const post = (action: string) => app.post(`/api/v1/jobs/${id}/${action}`)
  expect((await post('retry')).statusCode).toBe(409)
  expect((await post('cancel')).json()).toMatchObject({ status: 'cancelled' })
  expect((await post('cancel')).json()).toMatchObject({ status: 409, detail: expect.stringContaining('is cancelled') })
  // The key is free; while another job has it, the old one may not come back.
  const second = String(await ask())
  expect((await post('retry')).json()).toMatchObject({ status: 409, detail: expect.stringContaining('Another job') })
  expect((await app.post(`/api/v1/jobs/${second}/cancel`)).statusCode).toBe(200)
  expect((await post('retry')).json()).toMatchObject({ status: 'queued', attempts: 0, finished_at: null })
  expect(await ask()).toBeUndefined()
  const history = await services.database.reader
    .selectFrom('admin_history')
    .select(['action', 'admin_id'])
    .where('entity', '=', 'job')
    .where('entity_id', '=', id)
    .orderBy('timestamp')
    .orderBy('id')
    .execute()
  expect(history).toEqual(['job.cancel', 'job.retry'].map(action => ({ action, admin_id: app.userId })))
})

test('a running job that is cancelled commits nothing more, and its handler says what people see of it', async () => {
  const [started, cancelled] = [gate(), gate()]
  const handlers = [
    handler(
      'a',
      async ({ services, save, attempt, progress }) => {
        await write(services, async work => {
          await mark(work, services, 'before')
          await save(work, { n: 1 })
        })
        if (progress !== undefined) return { result: { from: progress, attempt } }
        started.open()
        await cancelled.passed
        await write(services, async work => {
          await mark(work, services, 'after')
          await save(work, { n: 2 })
        })
        return { result: {} }
      },
      { describe: payload => ({ file: (payload as { file: string }).file }) },
    ),
  ]
  const { services, worker, add } = await startRig(handlers)
  const known = indexHandlers(handlers)
  const id = String(await add({ name: 'a', payload: { file: 'people.csv', secret: 'x' } }))
  const idle = worker().runUntilIdle()
  await started.passed
  await cancelJob(services, known, ADMIN, id)
  cancelled.open()
  expect(await idle).toMatchObject({ jobs: { a: { lost: 1 } } })
  expect(await marks(services.database.writer)).toEqual(['before'])
  const view = await findJob(services.database.writer, known, ADMIN, id)
  expect(view).toMatchObject({ status: 'cancelled', description: { file: 'people.csv' }, progress: { n: 1 } })
  expect(JSON.stringify(view)).not.toContain('secret')
  await retryJob(services, known, ADMIN, id)
  await worker().runUntilIdle()
  expect(await findJob(services.database.writer, known, ADMIN, id)).toMatchObject({
    status: 'done',
    result: { from: { n: 1 }, attempt: 1 },
  })
})

test('the tick of a cron needs its token, says what it did, and is not for guessing', async () => {
  const app = await startApp()
  const { services } = app
  await write(services, work => services.jobs.add(work, { name: 'maintenance', payload: {}, dedupeKey: 'asked' }))
  const tick = (authorization?: string, query = '') =>
    app.app.inject({
      method: 'POST',
      url: `/internal/tick${query}`,
      headers: authorization === undefined ? {} : { authorization },
    })
  const { tickToken } = services.secrets
  for (const wrong of [
    undefined,
    'Bearer',
    `Bearer ${tickToken}x`,
    tickToken,
    `Bearer ${app.key}`,
    `bearer ${tickToken}`,
  ]) {
    const answer = await tick(wrong, '?seconds=nonsense')
    expect(answer.statusCode).toBe(401)
    expect(answer.body).not.toContain(tickToken)
  }
  expect((await tick(`Bearer ${tickToken}`, '?seconds=0')).statusCode).toBe(400)
  const [one, two] = await Promise.all([tick(`Bearer ${tickToken}`), tick(`Bearer ${tickToken}`)])
  expect([one.statusCode, two.statusCode]).toEqual([200, 200])
  expect(one.json()).toMatchObject({ idle: true, ticks: expect.arrayContaining(['maintenance']) })
  const rows = await services.database.reader
    .selectFrom('jobs')
    .select('status')
    .where('name', '=', 'maintenance')
    .execute()
  expect(rows.map(row => row.status)).toEqual(['done', 'done'])
  expect((await tick(`Bearer ${tickToken}`)).json()).toMatchObject({ idle: true, ticks: [], jobs: {} })
  const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => tick(`Bearer guess-${n}`)))
  const refused = answers.filter(answer => answer.statusCode === 429)
  expect(refused.length).toBeGreaterThan(0)
  expect(Number(refused[0]?.headers['retry-after'])).toBeGreaterThan(0)
})
