import { randomBytes } from 'node:crypto'
import { badOption } from 'palier'
import type { ReportAnswer, RetentionAnswer } from './api.ts'
import { configOf } from './configuring.ts'
import { healthOf } from './reading.ts'
import { reportText } from './report-text.ts'
import type { Room } from './room.ts'
import type { Route } from './router.ts'
import { createRuns } from './runs.ts'
import { typesOf } from './types.ts'

const UNDO_KEPT = 600_000

/** What is kept about a cache, and a report of it to pass on. */
export function reportRoutes(room: Room): readonly Route[] {
  const { cache, monitor, clock, audit, version } = room
  const runs = createRuns(cache)

  const retention = async (): Promise<RetentionAnswer> => ({
    ...(monitor !== undefined && { history: await monitor.kept() }),
    audit: await audit.kept(),
    tests: { runs: (await runs.read()).length },
    undo: { keep: UNDO_KEPT },
  })

  const report = async (): Promise<ReportAnswer> => {
    const status = cache.status()
    const fleet = await monitor?.fleet()
    const processes = (fleet?.processes ?? []).map(one => {
      const { name, version: theirs, config, state, reason, backend, since, rss } = one
      return { name, version: theirs, config, state, reason, backend, since, ...(rss !== undefined && { rss }) }
    })
    return {
      id: randomBytes(4).toString('hex'),
      at: clock.wall(),
      versions: { palier: version, node: process.version, platform: `${process.platform} ${process.arch}` },
      config: configOf(room),
      health: healthOf(status, monitor),
      trace: status.trace,
      processes,
      types: await typesOf(room),
      tiers: cache.stats().tiers,
      ...(monitor !== undefined && { alerts: monitor.alerts() }),
      // The rest of it is worth having while the backend is out: then most of all.
      tests: await runs.read().catch(() => []),
    }
  }

  const read = (name: string, answer: Route['answer']): Route => ({
    ...{ method: 'GET', path: `/api/cache/${name}`, role: 'viewer', kind: 'read', name },
    answer,
  })
  return [
    read('retention', async () => ({ body: await retention() })),
    read('report', async ({ query }) => {
      const format = query.get('format') ?? 'json'
      if (format !== 'json' && format !== 'text') throw badOption('format', 'json or text', format)
      const told = await report()
      return format === 'json' ? { body: told } : { body: reportText(told), type: 'text/plain; charset=utf-8' }
    }),
  ]
}
