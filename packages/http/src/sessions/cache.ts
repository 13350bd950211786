import { badOption, type Cache, type CacheOptions, createCache } from 'palier'

/** Options of `createSessionCache`, all optional; what they mean is said at `createCache`. */
export type SessionCacheOptions = Pick<
  CacheOptions,
  | 'namespace'
  | 'backend'
  | 'redis'
  | 'redisUrl'
  | 'dir'
  | 'store'
  | 'files'
  | 'outage'
  | 'protect'
  | 'deadline'
  | 'detectBudget'
  | 'logger'
  | 'clock'
>

const BACKENDS: Readonly<Record<string, NonNullable<CacheOptions['backend']>>> = {
  auto: 'auto',
  true: 'redis',
  redis: 'redis',
  false: 'filesystem',
  filesystem: 'filesystem',
}

/** Files of sessions are small and none may be taken away for room, so there is room for many. */
export const SESSION_FILES: NonNullable<CacheOptions['files']> = {
  evict: false,
  durable: true,
  maxFiles: 200_000,
  maxBytes: 2 ** 30,
}

/** A write that waits for a busy disk is no outage, so it gets longer than a read of an entry would. Milliseconds. */
const DEADLINE = 1000

/** A variable that is set but empty counts as not set: hosting panels write such. */
function variable(name: string): string | undefined {
  const text = process.env[name]
  return text === undefined || text.trim() === '' ? undefined : text
}

function wantedBackend(): NonNullable<CacheOptions['backend']> {
  const text = variable('SESSIONS_REDIS')
  if (text === undefined) return 'auto'
  const backend = BACKENDS[text.trim().toLowerCase()]
  if (backend !== undefined) return backend
  throw badOption('SESSIONS_REDIS', `one of ${Object.keys(BACKENDS).join(', ')}`, text)
}

/**
 * A Palier cache for sessions alone, in the namespace `sessions` unless said. The backend is that of the option, else of
 * SESSIONS_REDIS: `auto` (the default: Redis if it answers, else files, else memory), `true` or `redis`, `false` or
 * `filesystem`. Files lie in `dir`, else SESSION_DIR, else `./sessions`: written through to the disk, and never evicted for
 * room, so that a full directory refuses new sessions instead of ending old ones (200,000 files and 1 GiB unless `files`
 * says otherwise). A call may take a second (`deadline`), because a disk does. Redis is found as every cache finds it. Works with CACHE_ENABLED=false too, for sessions are no copies of
 * anything. The caller closes it. Throws PALIER_BAD_OPTION naming the option or the variable that is wrong.
 */
export function createSessionCache(options: SessionCacheOptions = {}): Cache {
  return createCache({
    ...options,
    namespace: options.namespace ?? 'sessions',
    enabled: true,
    backend: options.backend ?? wantedBackend(),
    dir: options.dir ?? variable('SESSION_DIR') ?? './sessions',
    deadline: options.deadline ?? DEADLINE,
    files: { ...SESSION_FILES, ...options.files },
  })
}
