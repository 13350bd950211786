import { describe, expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../../../../packages/palier/test/support/redis-server.ts'
import { createJobs } from '../../server/jobs/queue.ts'
import { createTicks } from '../../server/jobs/ticks.ts'
import type { Services } from '../../server/services.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { handler } from './support/handlers.ts'
import { openServices, type RigOptions, startRig } from './support/rig.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const TICKS = [
  { name: 'hourly', pattern: '4 * * * *' },
  { name: 'minutely', pattern: '* * * * *' },
]
const handlers = TICKS.map(({ name }) => handler(name, async () => ({ result: {} })))

async function added({ database }: Services): Promise<string[]> {
  const rows = await database.writer.selectFrom('jobs').select('dedupe_key').orderBy('dedupe_key').execute()
  return rows.map(row => String(row.dedupe_key))
}

/** Of the calling test alone, and gone with it. */
async function redisUrl(): Promise<string> {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  return redis.url
}

describe.each(['memory', 'filesystem', 'redis', 'none'] as const)('five processes with the cache in %s', backend => {
  test.each(backend === 'memory' ? ENGINES : (['sqlite'] as const))(
    'tick each occurrence once, on %s',
    async engine => {
      const clock = { now: Date.UTC(2026, 5, 15, 12, 4, 30) }
      const shared: RigOptions = {
        url: await freshDatabase(engine),
        directory: freshDirectory(),
        backend: backend === 'none' ? 'memory' : backend,
        cache: backend !== 'none',
        ...(backend === 'redis' ? { redisUrl: await redisUrl() } : {}),
      }
      const processes: Services[] = []
      for (let n = 0; n < 5; n++) {
        const composed = await openServices(() => clock.now, shared)
        processes.push({ ...composed, jobs: createJobs({ newId: composed.newId, handlers }) })
      }
      const [first] = processes as [Services]
      const ticks = processes.map(services => createTicks(services, TICKS, handlers))
      const all = async (): Promise<string[]> => (await Promise.all(ticks.map(each => each.run()))).flat().sort()
      const once = ['keep:tick:hourly:2026-06-15T12:04Z', 'keep:tick:minutely:2026-06-15T12:04Z']
      expect(await all()).toEqual(['hourly', 'minutely'])
      expect(await added(first)).toEqual(once)
      // A moment later, and so much later that whoever claimed it would be taken for dead.
      for (const later of [1, 15_000]) {
        clock.now += later
        expect(await all()).toEqual([])
      }
      clock.now += MINUTE
      expect(await all()).toEqual(['minutely'])
      clock.now -= MINUTE
      expect(await all()).toEqual([])
      clock.now += 15_000
      expect(await all()).toEqual([])
      expect(await added(first)).toEqual([...once, 'keep:tick:minutely:2026-06-15T12:05Z'])
    },
  )
})

test('whatever was missed while nothing ran is caught up once', async () => {
  const { services, clock } = await startRig(handlers)
  const before = createTicks(services, TICKS, handlers)
  expect(await before.run()).toEqual(['hourly', 'minutely'])
  clock.now += 30 * HOUR
  for (const ticks of [before, createTicks(services, TICKS, handlers)]) await ticks.run()
  expect((await added(services)).map(key => key.slice(-17))).toEqual([
    '2026-06-15T11:04Z',
    '2026-06-16T17:04Z',
    '2026-06-15T12:00Z',
    '2026-06-16T18:00Z',
  ])
})

test('an occurrence whose claimer died before it added the job is added by another', async () => {
  const { services, clock } = await startRig(handlers)
  await services.caching.cache.once('tick:hourly', '2026-06-15T11:04Z', () => undefined)
  const ticks = createTicks(services, TICKS, handlers)
  expect(await ticks.run()).toEqual(['minutely'])
  clock.now += 9000
  expect(await ticks.run()).toEqual([])
  clock.now += 2000
  expect(await ticks.run()).toEqual(['hourly'])
})

test('a failing database costs no occurrence', async () => {
  const { services, clock } = await startRig(handlers)
  let broken = true
  const jobs: Services['jobs'] = {
    ...services.jobs,
    add: (work, job) => (broken ? Promise.reject(new Error('the database is away')) : services.jobs.add(work, job)),
  }
  const ticks = createTicks({ ...services, jobs }, TICKS, handlers)
  await expect(ticks.run()).rejects.toThrow('the database is away')
  broken = false
  clock.now += 11_000
  await ticks.run()
  clock.now += 11_000
  await ticks.run()
  expect(await added(services)).toHaveLength(2)
})

test('a tick without a handler stops the start', async () => {
  const { worker } = await startRig(handlers)
  expect(() => worker({ ticks: [{ name: 'unheard-of', pattern: '* * * * *' }] })).toThrow(
    'the tick unheard-of has no handler',
  )
})

test('a worker adds the job of a tick and does it', async () => {
  const rig = await startRig(handlers)
  const worker = rig.worker({ ticks: TICKS })
  expect(await worker.runUntilIdle()).toEqual({
    ticks: ['hourly', 'minutely'],
    jobs: { hourly: { done: 1 }, minutely: { done: 1 } },
    drained: {},
    idle: true,
  })
  expect(await worker.runUntilIdle()).toEqual({ ticks: [], jobs: {}, drained: {}, idle: true })
})
