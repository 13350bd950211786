import { badOption } from 'palier'
import { type Answer, problem } from './answer.ts'
import type { TestAnswer, TestRun, TestsAnswer, TryNowAnswer } from './api.ts'
import { onlyFields } from './input.ts'
import { probe } from './probe.ts'
import { healthOf } from './reading.ts'
import type { Room } from './room.ts'
import type { Call, Route } from './router.ts'
import { createRuns } from './runs.ts'

/** Tries the backend out, one run at a time in a process, and at once when it is out. */
export function testingRoutes({ cache, monitor, clock, log }: Room): readonly Route[] {
  const runs = createRuns(cache)
  let isRunning = false

  /** With the last run like it; a backend that does not take the result is what the result is about. */
  const kept = async (run: TestRun): Promise<TestAnswer> => {
    try {
      const previous = (await runs.add(run)).find(one => one.mode === run.mode && one.backend === run.backend)
      return { ...run, kept: true, ...(previous !== undefined && { previous }) }
    } catch (error) {
      log.warn(`[CACHE CONSOLE] the result of a test was not kept: ${JSON.stringify(String(error))}`)
      return { ...run, kept: false }
    }
  }

  const test = async ({ aim, fields, who }: Call): Promise<Answer> => {
    onlyFields('body', fields, ['mode'])
    const { mode = 'simple' } = fields
    if (mode !== 'simple' && mode !== 'advanced') throw badOption('mode', 'simple or advanced', mode)
    aim(mode)
    if (isRunning) return { problem: problem(409, 'busy', 'a test is running already') }
    isRunning = true
    try {
      const by = { role: who.role, ...(who.name !== undefined && { name: who.name }) }
      return { body: await kept({ mode, at: clock.wall(), by, ...(await probe(cache, clock, mode)) }) }
    } finally {
      isRunning = false
    }
  }

  const tryNow = async ({ fields }: Call): Promise<Answer> => {
    onlyFields('body', fields, [])
    const answer: TryNowAnswer = {
      reached: await cache.operator.tryNow(),
      health: healthOf(cache.status(), monitor),
    }
    return { body: answer }
  }

  const change = { method: 'POST', role: 'operator', kind: 'change' } as const
  return [
    { ...change, path: '/api/cache/test', name: 'test', answer: test },
    { ...change, path: '/api/cache/try-now', name: 'try-now', answer: tryNow },
    {
      method: 'GET',
      path: '/api/cache/tests',
      role: 'viewer',
      kind: 'read',
      name: 'tests',
      answer: async () => {
        const answer: TestsAnswer = { runs: await runs.read() }
        return { body: answer }
      },
    },
  ]
}
