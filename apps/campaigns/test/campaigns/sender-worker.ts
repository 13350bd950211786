import { join } from 'node:path'
import { compose } from '../../server/compose.ts'
import { DRAINS, HANDLERS } from '../../server/handlers.ts'
import { createWorkLoop } from '../../server/jobs/work-loop.ts'
import type { SenderSetup } from './sender-process.ts'

/** One process that sends: the worker of the application, with the real client. */
const { url, directory, backend } = JSON.parse(process.argv[2] ?? '{}') as SenderSetup
const store = { backend, detectBudget: '20s' as const }
const services = await compose({
  database: { url },
  dataDir: join(directory, 'data'),
  state: store,
  cache: { ...store, dir: join(directory, 'cache'), logger: { warn: console.error, info: () => undefined } },
})
await services.caching.cache.ready()
createWorkLoop(services, { handlers: HANDLERS, drains: DRAINS, ticks: [] }).start()
process.once('disconnect', () => process.exit(0))
process.send?.('ready')
// The worker keeps no process alive by itself.
setInterval(() => undefined, 60_000)
