import { rateLimitCache } from '../../src/index.ts'
import { type LimitedSite, limitedSite, WAYS } from './limit-site.ts'

/*
 * A process that serves limited requests, 50 in ten minutes, in every way there is. `limit-worker.ts BACKEND PLACE` prints a
 * line of JSON with the URLs; PLACE is a directory or the URL of a Redis. Ends with its input.
 */
const [backend = '', place = ''] = process.argv.slice(2)
const where =
  backend === 'redis' ? ({ backend, redisUrl: place } as const) : ({ backend: 'filesystem', dir: place } as const)
// Deadlines are tried elsewhere; here a busy machine must not look like an outage.
const cache = rateLimitCache({ ...where, deadline: 10_000, detectBudget: 30_000, logger: false })
await cache.ready()
const options = { cache, limit: 50, window: 600_000, onOutage: 'closed' } as const
const sites: LimitedSite[] = []
for (const way of WAYS) sites.push(await limitedSite(way, { ...options, name: way }))
process.stdout.write(`${JSON.stringify(sites.map(({ url }) => url))}\n`)
process.stdin.resume()
process.stdin.on('end', () => process.exit())
