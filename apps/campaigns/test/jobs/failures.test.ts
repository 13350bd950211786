import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { backOff, faultText } from '../../server/jobs/retries.ts'
import { write } from '../../server/work.ts'
import { ENGINES } from '../support/engines.ts'
import { gate, handler, mark, marks } from './support/handlers.ts'
import { startRig } from './support/rig.ts'

/** What a handler does that hears the signal. */
async function untilAborted(signal: AbortSignal): Promise<void> {
  await once(signal, 'abort')
  signal.throwIfAborted()
}

test('tries are 2 s, 6 s, 18 s … and at most 15 min apart, each by up to a quarter shorter or longer', () => {
  const tries = [1, 2, 3, 4, 5, 6, 7, 8, 40]
  expect(tries.map(n => backOff(n, 0.5))).toEqual([
    2000, 6000, 18_000, 54_000, 162_000, 486_000, 900_000, 900_000, 900_000,
  ])
  expect([backOff(1, 0), backOff(1, 1)]).toEqual([1500, 2500])
  expect([backOff(9, 0), backOff(9, 1)]).toEqual([675_000, 1_125_000])
})

test('what is told of a failure is one line of 500 characters at most, without secrets', () => {
  const told = (message: string): string => faultText(new Error(message))
  expect(told('cannot reach postgres://me:pa%20ss@db:5432/x')).toBe('cannot reach postgres://(hidden)@db:5432/x')
  expect(told('401 for Authorization: Bearer abc.def')).not.toMatch(/abc/)
  expect(told('{"access_token":"EAAGx12345678","password": "hunter 2"}')).not.toMatch(/EAAG|hunter/)
  expect(told(`key pk_${'a'.repeat(43)} and ${'Zm9v'.repeat(12)}`)).toBe('key (hidden) and (hidden)')
  expect(told('two\nlines\u0000 and\u2028 more')).toBe('two lines and more')
  expect(told('😀'.repeat(400))).toHaveLength(500)
  expect(encodeURIComponent(told(`x${'😀'.repeat(400)}`))).toMatch(/^x(%F0%9F%98%80){249}$/)
  expect(faultText(Object.assign(new Error("Duplicate entry 'ada@example.org'"), { code: 'ER_DUP_ENTRY' }))).toBe(
    'the database refused: ER_DUP_ENTRY',
  )
  expect(faultText(Object.assign(new Error('x'), { code: '23505' }))).toBe('the database refused: 23505')
  expect(faultText(Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' }))).toBe('connect refused')
  expect([faultText(undefined), faultText('words')]).toEqual(['it failed without a reason', 'words'])
})

describe.each(ENGINES)('a job that fails on %s', engine => {
  test('is tried again later, and has failed after its last try; what else is queued goes on', async () => {
    const rig = await startRig(
      [
        handler('a', async ({ attempt }) => {
          throw new Error(`try ${attempt} with token=abcdef`)
        }),
        handler('b', async () => ({ result: {} })),
      ],
      { engine },
    )
    const id = await rig.add({ name: 'a', payload: {}, dedupeKey: 'one' })
    const worker = rig.worker()
    for (const [attempt, least] of [
      [1, 1500],
      [2, 4500],
    ] as const) {
      await rig.add({ name: 'b', payload: {} })
      expect(await worker.runUntilIdle()).toMatchObject({ jobs: { a: { retry: 1 }, b: { done: 1 } }, idle: true })
      const { run_at, ...row } = await rig.job(id)
      expect(row).toMatchObject({
        status: 'queued',
        attempts: attempt,
        last_error: `try ${attempt} with token=(hidden)`,
      })
      expect(run_at).toBeGreaterThanOrEqual(rig.clock.now + least)
      expect(run_at).toBeLessThanOrEqual(rig.clock.now + (least * 5) / 3)
      rig.clock.now = run_at
    }
    expect(await worker.runUntilIdle()).toMatchObject({ jobs: { a: { failed: 1 } } })
    expect(await rig.job(id)).toMatchObject({
      status: 'failed',
      attempts: 3,
      finished_at: rig.clock.now,
      locked_by: null,
    })
    expect(await rig.add({ name: 'a', payload: {}, dedupeKey: 'one' })).toBeDefined()
  })

  test('is not tried again when its handler refuses the payload', async () => {
    const parse = (): never => {
      throw new Error('body.id: expected an id')
    }
    const rig = await startRig([handler('a', async () => ({ result: {} }), { parse })], { engine })
    const id = await rig.add({ name: 'a', payload: {} })
    await rig.worker().runUntilIdle()
    expect(await rig.job(id)).toMatchObject({ status: 'failed', attempts: 1, last_error: 'body.id: expected an id' })
  })

  test('goes back to the queue when the worker closes, as if that try had never been', async () => {
    const started = gate()
    const rig = await startRig(
      [
        handler('polite', async ({ signal }) => {
          started.open()
          await untilAborted(signal)
          return { result: {} }
        }),
      ],
      { engine },
    )
    const id = await rig.add({ name: 'polite', payload: {} })
    const worker = rig.worker()
    worker.start()
    await started.passed
    await worker.close({ within: 5000 })
    expect(await rig.job(id)).toMatchObject({ status: 'queued', attempts: 0, locked_by: null, last_error: null })
  })

  test('is taken from a handler that does not stop in time, which can then commit nothing', async () => {
    const [started, late, over] = [gate(), gate(), gate()]
    let fault: unknown
    const rig = await startRig(
      [
        handler('deaf', async ({ services, save, attempt }) => {
          if (attempt > 1 || fault !== undefined) return { result: {} }
          started.open()
          await late.passed
          await write(services, async work => {
            await mark(work, services, 'too late')
            await save(work, { n: 1 })
          }).catch((error: unknown) => {
            fault = error
          })
          over.open()
          return { result: {} }
        }),
      ],
      { engine },
    )
    const id = await rig.add({ name: 'deaf', payload: {} })
    const first = rig.worker()
    first.start()
    await started.passed
    await first.close({ within: 10 })
    expect(await rig.job(id)).toMatchObject({ status: 'queued', attempts: 0 })
    late.open()
    await over.passed
    expect(String(fault)).toContain('taken over or cancelled')
    expect(await marks(rig.services.database.writer)).toEqual([])
    await rig.worker().runUntilIdle()
    expect(await rig.job(id)).toMatchObject({ status: 'done', attempts: 1 })
  })
})

test('a tick that runs out of time gives back what it began, and the next one goes on', async () => {
  let polite = true
  const rig = await startRig([
    handler('long', async ({ signal }) => {
      if (polite) await untilAborted(signal)
      return { result: {} }
    }),
  ])
  const id = await rig.add({ name: 'long', payload: {} })
  const worker = rig.worker()
  expect(await worker.runUntilIdle({ within: 100 })).toEqual({
    ticks: [],
    jobs: { long: { release: 1 } },
    drained: {},
    idle: false,
  })
  expect(await rig.job(id)).toMatchObject({ status: 'queued', attempts: 0 })
  polite = false
  expect(await worker.runUntilIdle()).toMatchObject({ jobs: { long: { done: 1 } }, idle: true })
})

test('a worker that was started finds what is added, at once when it was added here', async () => {
  const rig = await startRig([handler('a', async () => ({ result: {} }))])
  const worker = rig.worker()
  worker.start()
  const began = performance.now()
  for (let n = 0; n < 5; n++) {
    const id = await rig.add({ name: 'a', payload: {} })
    await vi.waitFor(async () => expect((await rig.job(id)).status).toBe('done'), { interval: 5 })
  }
  // Five polls of a second each, if nothing woke it.
  expect(performance.now() - began).toBeLessThan(3000)
})

test('an idle worker asks the database no more than a few times a second', async () => {
  const rig = await startRig([handler('a', async () => ({ result: {} }))])
  const worker = rig.worker({ drains: [{ name: 'empty', run: async () => 0 }] })
  const { queries } = rig.services.database
  worker.start()
  const before = queries.count
  const began = performance.now()
  await vi.waitFor(() => expect(performance.now() - began).toBeGreaterThan(1500), { timeout: 3000, interval: 50 })
  expect(queries.count - before).toBeLessThanOrEqual(6)
})

test('a drain that wakes its own worker each time leaves turns to everything else', async () => {
  const rig = await startRig([handler('a', async () => ({ result: {} }))])
  const again = { name: 'a', payload: {}, dedupeKey: 'once', keepKey: true }
  await rig.add(again)
  let rounds = 0
  const run = async (): Promise<number> => {
    if (++rounds < 200) await rig.add(again)
    return 0
  }
  rig.worker({ drains: [{ name: 'asks', run }] }).start()
  let before = Number.POSITIVE_INFINITY
  setImmediate(() => {
    before = rounds
  })
  await vi.waitFor(() => expect(rounds).toBeGreaterThanOrEqual(200))
  expect(before).toBeLessThan(200)
})

test('a drain that fails is logged and rests, and neither stops the others nor the jobs', async () => {
  const ran = { bad: 0, good: 0 }
  let left = 3
  const drains = [
    {
      name: 'bad',
      run: async () => {
        ran.bad++
        throw new Error('no')
      },
    },
    {
      name: 'good',
      run: async () => {
        ran.good++
        return left > 0 ? left-- && 1 : 0
      },
    },
  ]
  const rig = await startRig([handler('a', async () => ({ result: {} }))])
  await rig.add({ name: 'a', payload: {} })
  const worker = rig.worker({ drains })
  expect(await worker.runUntilIdle()).toEqual({ ticks: [], jobs: { a: { done: 1 } }, drained: { good: 3 }, idle: true })
  expect(ran.bad).toBe(1)
  rig.clock.now += 2500
  await worker.runUntilIdle()
  expect(ran.bad).toBe(2)
  // Turned back, the clock would make it rest for a day.
  rig.clock.now -= 86_400_000
  await worker.runUntilIdle()
  expect(ran.bad).toBe(3)
})
