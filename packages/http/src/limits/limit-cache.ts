import { badOption, type Cache, type CacheOptions, createCache } from 'palier'

/** What limits need of a cache. */
export type LimitCache = Pick<Cache, 'counter' | 'limiter'>

const BACKENDS = ['auto', 'redis', 'filesystem', 'memory'] as const

function backendFromEnvironment(): (typeof BACKENDS)[number] | undefined {
  const text = process.env['RATE_LIMIT_STORAGE'] ?? ''
  if (text === '') return undefined
  const found = BACKENDS.find(each => each === text.trim().toLowerCase())
  if (found === undefined) throw badOption('RATE_LIMIT_STORAGE', BACKENDS.join(', '), text)
  return found
}

/**
 * A cache to keep limits in, for an application that has none or wants them elsewhere. Its backend is `options.backend`, or what
 * `RATE_LIMIT_STORAGE` says (`auto`, the best there is, `redis`, `filesystem` or `memory`), or that of any cache; where these
 * are is told by `CACHE_DIR` and `REDIS_*`. Its namespace is `limits`, and it counts also where `CACHE_ENABLED` is false. The
 * caller closes it. Throws PALIER_BAD_OPTION naming the variable or option that is wrong.
 */
export function rateLimitCache(options: CacheOptions = {}): Cache {
  const backend = options.backend ?? backendFromEnvironment()
  return createCache({ namespace: 'limits', enabled: true, ...options, ...(backend !== undefined && { backend }) })
}
