import { rateLimitCache } from '../../src/limits/limit-cache.ts'
import { type LimitedSite, limitedSite, WAYS } from './limit-site.ts'

/*
 * A process that serves limited requests, 50 in ten minutes, in every way there is. `limit-worker.ts DIR URL` prints a line of
 * JSON: for the directory and for the Redis the URLs of its sites. Ends with its input.
 */
const [dir = '', redisUrl = ''] = process.argv.slice(2)
// Deadlines are tried elsewhere; here a busy machine must not look like an outage.
const patient = { deadline: 10_000, detectBudget: 30_000, logger: false } as const
const sites = { filesystem: new Array<LimitedSite>(), redis: new Array<LimitedSite>() }
for (const backend of ['filesystem', 'redis'] as const) {
  const cache = rateLimitCache({ ...patient, backend, dir, redisUrl })
  await cache.ready()
  const options = { cache, limit: 50, window: 600_000, onOutage: 'closed' } as const
  for (const way of WAYS) sites[backend].push(await limitedSite(way, { ...options, name: way }))
}
const urls = { filesystem: sites.filesystem.map(({ url }) => url), redis: sites.redis.map(({ url }) => url) }
process.stdout.write(`${JSON.stringify(urls)}\n`)
process.stdin.resume()
process.stdin.on('end', () => process.exit())
