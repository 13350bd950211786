import { pino } from 'pino'
import { createCacheOutbox } from '../../../server/cache-outbox.ts'
import { openCaching } from '../../../server/caching.ts'
import { openDatabase } from '../../../server/database/open.ts'
import { createIdSource } from '../../../server/ids.ts'
import { createJobs } from '../../../server/jobs/queue.ts'
import { createWorkLoop } from '../../../server/jobs/work-loop.ts'
import { createMetrics } from '../../../server/operations/metrics.ts'
import type { Services } from '../../../server/services.ts'
import { write } from '../../../server/work.ts'
import { handler, mark } from './handlers.ts'
import type { WorkerOrder, WorkerSays, WorkerSite } from './worker-process.ts'

/** One process that does jobs, told by the test where, what time it is, and when to go on. */
const say = (message: WorkerSays): void => void process.send?.(message)
let now = 0
let stops = false
let goOn = (): void => undefined
let close = (): Promise<void> => Promise.resolve()

/** Tells the test, and stands there until it may go on. */
function stop(): Promise<void> {
  const passed = new Promise<void>(resolve => {
    goOn = resolve
  })
  say('stopped')
  return passed
}

interface Steps {
  readonly steps: number
  /** The number of the step before which, and of the one in whose transaction, the first worker of the job stops. */
  readonly before?: number
  readonly within?: number
}

const handlers = [
  handler('quick', async ({ id, services, save }) => {
    await write(services, async work => {
      await mark(work, services, `quick ${id}`)
      await save(work, { done: true })
    })
    return { result: { pid: process.pid } }
  }),
  handler(
    'steps',
    async ({ payload, progress, services, save, attempt }) => {
      const { steps, before, within } = payload as Steps
      const first = attempt === 1 && stops
      for (let n = (progress as { n: number } | undefined)?.n ?? 0; n < steps; n++) {
        if (first && n === before) await stop()
        await write(services, async work => {
          await mark(work, services, `step ${n}`)
          await save(work, { n: n + 1 })
          if (first && n === within) await stop()
        })
      }
      return { result: {} }
    },
    { maxAttempts: 10 },
  ),
  handler('tick', async () => ({ result: {} })),
]

async function open(site: WorkerSite): Promise<void> {
  now = site.now
  stops = site.stops
  const clock = (): number => now
  const database = await openDatabase({ url: site.url, pool: { size: 2, overflow: 4 } })
  const caching = openCaching({
    databaseId: database.id,
    backend: 'filesystem',
    dir: `${site.directory}/cache`,
    detectBudget: '20s',
    logger: { warn: () => undefined, info: () => undefined },
  })
  await caching.cache.ready()
  const newId = createIdSource(clock)
  const outbox = createCacheOutbox({ database, caching, newId, now: clock, enabled: true })
  const jobs = createJobs({ newId, handlers })
  const parts: Partial<Services> = {
    database,
    caching,
    outbox,
    newId,
    now: clock,
    jobs,
    log: pino({ level: 'silent' }),
    metrics: createMetrics(),
  }
  // All that jobs use of them.
  const services = parts as Services
  const ticks = [{ name: 'tick', pattern: '*/5 * * * *' }]
  const worker = createWorkLoop(services, { handlers, drains: [], ticks })
  worker.start()
  close = async () => {
    await worker.close()
    await outbox.close()
    await caching.close()
    await database.close()
  }
}

process.on('message', (order: WorkerOrder) => {
  if (order.kind === 'clock') now = order.now
  else if (order.kind === 'open') void open(order.site).then(() => say('opened'))
  else if (order.kind === 'close') void close().then(() => say('closed'))
  else goOn()
})
process.once('disconnect', () => process.exit(0))
say('ready')
