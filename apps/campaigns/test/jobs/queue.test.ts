import { describe, expect, test } from 'vitest'
import { write } from '../../server/work.ts'
import { ENGINES } from '../support/engines.ts'
import { gate, handler, mark, marks } from './support/handlers.ts'
import { startRig } from './support/rig.ts'

const done = async () => ({ result: {} })

describe.each(ENGINES)('the queue on %s', engine => {
  test('has a job when the transaction that asked for it is committed, and only then', async () => {
    const { services, add, job, jobs, worker } = await startRig([handler('a', done)], { engine })
    const undone = write(services, async work => {
      await services.jobs.add(work, { name: 'a', payload: {} })
      throw new Error('undo it')
    })
    await expect(undone).rejects.toThrow('undo it')
    expect(await jobs()).toEqual([])
    const id = await add({ name: 'a', payload: { text: 'é "quoted" \u0000' }, createdBy: 'somebody' })
    expect(await worker().runUntilIdle()).toMatchObject({ jobs: { a: { done: 1 } }, idle: true })
    expect(await job(id)).toMatchObject({ status: 'done', attempts: 1, locked_by: null, created_by: 'somebody' })
    await expect(add({ name: 'b', payload: {} })).rejects.toThrow('nothing handles jobs named b')
  })

  test('keeps one job of a key however many ask for it at once, until it has ended', async () => {
    const { add, jobs, worker } = await startRig([handler('a', done)], { engine })
    const ask = (): Promise<string | undefined> => add({ name: 'a', payload: {}, dedupeKey: 'one' })
    const ids = await Promise.all(Array.from({ length: 20 }, ask))
    expect(ids.filter(id => id !== undefined)).toHaveLength(1)
    expect(await jobs()).toHaveLength(1)
    await worker().runUntilIdle()
    expect(await ask()).toBeDefined()
    expect(await ask()).toBeUndefined()
  })

  test('keeps the key of an occurrence for ever', async () => {
    const { add, jobs, worker } = await startRig([handler('a', done)], { engine })
    const ask = (): Promise<string | undefined> => add({ name: 'a', payload: {}, dedupeKey: 'noon', keepKey: true })
    const ids = await Promise.all(Array.from({ length: 10 }, ask))
    expect(ids.filter(id => id !== undefined)).toHaveLength(1)
    await worker().runUntilIdle()
    expect(await ask()).toBeUndefined()
    expect(await jobs()).toMatchObject([{ status: 'done' }])
  })

  test('runs a job once more when it was asked for while it ran, since it may have looked before', async () => {
    const [started, ended] = [gate(), gate()]
    let runs = 0
    const run = async () => {
      runs++
      started.open()
      await ended.passed
      return { result: { runs } }
    }
    const { add, job, worker } = await startRig([handler('a', run)], { engine })
    const id = await add({ name: 'a', payload: {}, dedupeKey: 'one' })
    const idle = worker().runUntilIdle()
    await started.passed
    for (let asked = 0; asked < 3; asked++)
      expect(await add({ name: 'a', payload: {}, dedupeKey: 'one' })).toBeUndefined()
    ended.open()
    await idle
    expect(runs).toBe(2)
    expect(await job(id)).toMatchObject({ status: 'done', result: '{"runs":2}', attempts: 1 })
  })

  test('brings a waiting job forward for whoever needs it sooner, but not one that has just failed', async () => {
    let outcome: 'later' | 'fail' | 'done' = 'later'
    let runs = 0
    const rig = await startRig(
      [
        handler('a', async ({ services }) => {
          runs++
          if (outcome === 'fail') throw new Error('not today')
          return outcome === 'later' ? { againAt: services.now() + 3_600_000 } : { result: {} }
        }),
      ],
      { engine },
    )
    const { add, job, clock } = rig
    const worker = rig.worker()
    const ask = (runAt?: number) =>
      add({ name: 'a', payload: {}, dedupeKey: 'one', ...(runAt === undefined ? {} : { runAt }) })
    const id = await ask()
    await worker.runUntilIdle()
    expect((await job(id)).run_at).toBe(clock.now + 3_600_000)
    await ask(clock.now + 7_200_000)
    await ask(clock.now + 60_000)
    expect((await job(id)).run_at).toBe(clock.now + 60_000)
    outcome = 'fail'
    await ask()
    await worker.runUntilIdle()
    expect(runs).toBe(2)
    const { run_at } = await job(id)
    expect(run_at).toBeGreaterThan(clock.now)
    await ask()
    await worker.runUntilIdle()
    expect(await job(id)).toMatchObject({ run_at, attempts: 1 })
    clock.now = run_at
    outcome = 'done'
    await worker.runUntilIdle()
    expect(await job(id)).toMatchObject({ status: 'done', last_error: null })
  })

  test('takes the most urgent first, then the oldest, and nothing before its time', async () => {
    const order: unknown[] = []
    const run = async ({ payload }: { payload: unknown }) => {
      order.push((payload as { n: number }).n)
      return { result: {} }
    }
    const { add, clock, worker } = await startRig([handler('a', run)], { engine })
    const at = clock.now
    await add({ name: 'a', payload: { n: 3 }, runAt: at - 1 })
    await add({ name: 'a', payload: { n: 2 }, runAt: at - 2 })
    await add({ name: 'a', payload: { n: 4 } })
    await add({ name: 'a', payload: { n: 1 }, priority: 5 })
    await add({ name: 'a', payload: { n: 5 }, runAt: at + 1, priority: 9 })
    await worker().runUntilIdle()
    expect(order).toEqual([1, 2, 3, 4])
    clock.now++
    await worker().runUntilIdle()
    expect(order).toEqual([1, 2, 3, 4, 5])
  })

  test('runs the jobs of one queue one after the other, and queues beside each other', async () => {
    let [slow, most] = [0, 0]
    const met = gate()
    const [first, second] = [gate(), gate()]
    const tools = await startRig(
      [
        handler('one', async () => {
          most = Math.max(most, ++slow)
          first.open()
          await second.passed
          slow--
          return { result: {} }
        }),
        handler('two', async () => {
          await first.passed
          second.open()
          met.open()
          return { result: {} }
        }),
      ],
      { engine },
    )
    for (let n = 0; n < 3; n++) await tools.add({ name: 'one', payload: {} })
    await tools.add({ name: 'two', payload: {} })
    expect(await tools.worker().runUntilIdle()).toMatchObject({ jobs: { one: { done: 3 }, two: { done: 1 } } })
    await met.passed
    expect(most).toBe(1)
  })

  test('saves progress with the work itself, or neither', async () => {
    const rig = await startRig(
      [
        handler('a', async ({ services, progress, save, attempt }) => {
          const from = (progress as { n: number } | undefined)?.n ?? 0
          await write(services, async work => {
            await mark(work, services, `step ${from + 1}`)
            await save(work, { n: from + 1 })
          })
          const torn = write(services, async work => {
            await mark(work, services, 'never')
            await save(work, { n: 99 })
            throw new Error(`lost at try ${attempt}`)
          })
          await torn
          return { result: {} }
        }),
      ],
      { engine },
    )
    const id = await rig.add({ name: 'a', payload: {} })
    const worker = rig.worker()
    // Each try saves something new, so the count of tries begins anew each time.
    for (let round = 1; round <= 4; round++) {
      await worker.runUntilIdle()
      expect(await rig.job(id)).toMatchObject({ status: 'queued', attempts: 1, progress: `{"n":${round}}` })
      rig.clock.now += 3_600_000
    }
    expect(await marks(rig.services.database.writer)).toEqual(['step 1', 'step 2', 'step 3', 'step 4'])
  })
})
