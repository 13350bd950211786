import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createJobs } from '../../server/jobs/queue.ts'
import type { Services } from '../../server/services.ts'
import { write } from '../../server/work.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { handler, marks } from './support/handlers.ts'
import { openServices } from './support/rig.ts'
import { startWorkerProcess, type WorkerProcess, type WorkerSite } from './support/worker-process.ts'

const NOW = Date.UTC(2026, 5, 15, 12, 3)
const LEASE_MS = 30_000
const JOBS = 300
const PATIENCE = { timeout: 100_000, interval: 20 }

const crew: WorkerProcess[] = []
beforeAll(async () => {
  crew.push(...(await Promise.all(Array.from({ length: 4 }, startWorkerProcess))))
})
afterAll(() => Promise.all(crew.map(worker => worker.kill())))

interface Site {
  readonly services: Services
  readonly at: WorkerSite
  add(name: string, payload: object): Promise<string>
  /** How many jobs of that name there are in each status. */
  count(name: string): Promise<Record<string, number>>
  marks(kind: string): Promise<string[]>
}

/** A database that processes share, and the test's own way to it. */
async function openSite(engine: (typeof ENGINES)[number]): Promise<Site> {
  const url = await freshDatabase(engine)
  const composed = await openServices(() => NOW, { url })
  const handlers = ['quick', 'steps', 'tick'].map(name => handler(name, async () => ({ result: {} })))
  const services = { ...composed, jobs: createJobs({ newId: composed.newId, handlers }) }
  const { writer } = services.database
  return {
    services,
    at: { url, directory: freshDirectory(), now: NOW, stops: false },
    add: async (name, payload) => String(await write(services, work => services.jobs.add(work, { name, payload }))),
    async count(name) {
      const rows = await writer.selectFrom('jobs').select('status').where('name', '=', name).execute()
      const counts: Record<string, number> = {}
      for (const { status } of rows) counts[status] = (counts[status] ?? 0) + 1
      return counts
    },
    marks: async kind => (await marks(writer)).filter(text => text.startsWith(kind)),
  }
}

describe.each(ENGINES)('worker processes on %s', engine => {
  test('four of them run each of 300 jobs once, and an occurrence of a tick once, whatever their clocks say', async () => {
    const site = await openSite(engine)
    const ids: string[] = []
    await write(site.services, async work => {
      for (let n = 0; n < JOBS; n++)
        ids.push(String(await site.services.jobs.add(work, { name: 'quick', payload: {} })))
    })
    await Promise.all(crew.map(worker => worker.open(site.at)))
    await vi.waitFor(async () => expect(await site.count('quick')).toEqual({ done: JOBS }), PATIENCE)
    expect((await site.marks('quick')).sort()).toEqual(ids.map(id => `quick ${id}`).sort())
    await vi.waitFor(async () => expect(await site.count('tick')).toEqual({ done: 1 }), PATIENCE)
    const rows = await site.services.database.writer
      .selectFrom('jobs')
      .selectAll()
      .where('name', '=', 'quick')
      .execute()
    expect(new Set(rows.map(row => row.result)).size).toBeGreaterThan(1)
    expect(new Set(rows.map(row => row.attempts))).toEqual(new Set([1]))
    // One hears of the next occurrence long before the others, and then its clock goes back.
    const [hasty, ...others] = crew
    hasty?.tell({ kind: 'clock', now: NOW + 300_000 })
    await vi.waitFor(async () => expect(await site.count('tick')).toEqual({ done: 2 }), PATIENCE)
    hasty?.tell({ kind: 'clock', now: NOW })
    for (const worker of others) worker.tell({ kind: 'clock', now: NOW + 315_000 })
    for (let n = 0; n < 20; n++) await site.add('quick', {})
    await vi.waitFor(async () => expect(await site.count('quick')).toEqual({ done: JOBS + 20 }), PATIENCE)
    await Promise.all(crew.map(worker => worker.close()))
    expect(await site.count('tick')).toEqual({ done: 2 })
  }, 120_000)

  test('a killed one loses only what it had not saved, and a frozen one can commit nothing once it is replaced', async () => {
    const site = await openSite(engine)
    const [killed, second, third] = crew.splice(0, 3) as [WorkerProcess, WorkerProcess, WorkerProcess]
    crew.push(second, third)
    const all = (steps: number): string[] => Array.from({ length: steps }, (_, n) => `step ${n}`)

    await site.add('steps', { steps: 6, within: 3 })
    const inside = killed.stopped()
    await killed.open({ ...site.at, stops: true })
    await inside
    await killed.kill()
    const replacement = startWorkerProcess()
    expect(await site.marks('step')).toEqual(all(3))
    await second.open({ ...site.at, stops: true, now: NOW + LEASE_MS + 1 })
    await vi.waitFor(async () => expect(await site.count('steps')).toEqual({ done: 1 }), PATIENCE)
    expect(await site.marks('step')).toEqual(all(6))

    await site.services.database.writer.deleteFrom('cache_events').execute()
    const before = second.stopped()
    await site.add('steps', { steps: 4, before: 2 })
    await before
    second.signal('SIGSTOP')
    await third.open({ ...site.at, now: NOW + 2 * LEASE_MS + 2 })
    await vi.waitFor(async () => expect(await site.count('steps')).toEqual({ done: 2 }), PATIENCE)
    await third.close()
    second.tell({ kind: 'go-on' })
    second.signal('SIGCONT')
    // It runs one after the other: when it has done the next, it is done with the one that it lost.
    await site.add('steps', { steps: 0 })
    await vi.waitFor(async () => expect(await site.count('steps')).toEqual({ done: 3 }), PATIENCE)
    expect(await site.marks('step')).toEqual(all(4))
    await second.close()
    crew.push(await replacement)
  }, 120_000)
})
