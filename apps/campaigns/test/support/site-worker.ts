import { join } from 'node:path'
import { createPasswords } from '../../server/access/passwords.ts'
import { buildApp } from '../../server/app.ts'
import { compose } from '../../server/compose.ts'
import { createWorker } from '../../server/jobs/worker.ts'
import type { SiteOrder, SiteSays, SiteSetup } from './site-process.ts'

/** One process of the application, told what to do by the test: it serves, and settles when it is asked to. */
const setup = JSON.parse(process.argv[2] ?? '{}') as SiteSetup
const say = (message: SiteSays): void => void process.send?.(message)

const now = (): number => setup.now
const { backend, redisUrl } = setup
const store = { backend, detectBudget: '20s' as const, ...(redisUrl === undefined ? {} : { redisUrl }) }
let sent = 0
const services = await compose({
  database: { url: setup.url },
  dataDir: join(setup.directory, 'data'),
  now,
  passwords: createPasswords({ memoryCost: 64, timeCost: 1 }),
  state: store,
  // This is about numbers, and a test asks more often than anybody may.
  rates: { api: { limit: 1_000_000, window: 60_000 } },
  cache: {
    ...store,
    dir: join(setup.directory, 'cache'),
    coalesce: 50,
    logger: { warn: console.error, info: () => undefined },
  },
  whatsapp: {
    // Takes whatever it is given: what becomes of it, the test says by webhooks.
    send: () => Promise.resolve({ outcome: 'accepted', wamid: `wamid.${process.pid}.${++sent}` }),
    templates: () => Promise.resolve([]),
  },
})
await services.caching.cache.ready()
const app = await buildApp(services, { mostLag: 0 })
const worker = createWorker(services)
const address = await app.listen({ port: 0, host: '127.0.0.1' })

async function settle(): Promise<void> {
  await worker.runUntilIdle()
  await services.caching.settle()
}

process.on('message', (order: SiteOrder) => {
  void settle().then(
    () => say({ kind: 'settled', order: order.order }),
    (error: unknown) => say({ kind: 'failed', reason: String(error) }),
  )
})
process.once('disconnect', () => process.exit(0))
say({ kind: 'listening', address })
