import type { Cache } from './cache.ts'
import { type Candidate, detect, givenStore, type Probe } from './detect.ts'
import { badOption } from './errors.ts'
import { createEngine } from './engine.ts'
import { toMilliseconds } from './duration.ts'
import { readSettings, type Settings } from './environment.ts'
import { type AnyPolicy, type CacheOptions, numberOption } from './options.ts'
import { openOutboxJournal } from './stores/file/outbox-journal.ts'
import { fileStore } from './stores/file/store.ts'
import { probeDirectory } from './stores/file/probe.ts'
import { memoryStore, nearStore } from './stores/memory.ts'
import { probeRedis, redisStore, type RedisStoreOptions } from './stores/redis/store.ts'

/** How the configuration reaches Redis: a client, a URL, or host and port. */
export function redisOptions(options: CacheOptions, settings: Settings): RedisStoreOptions {
  const deadline = options.deadline === undefined ? {} : { deadline: toMilliseconds('deadline', options.deadline) }
  if (options.redis !== undefined) {
    return { ...deadline, client: options.redis as NonNullable<RedisStoreOptions['client']> }
  }
  if (settings.redisUrl.value !== undefined) return { ...deadline, url: settings.redisUrl.value }
  const { redisHost, redisPort, redisUsername, redisPassword, redisDb } = settings
  return {
    ...deadline,
    connect: {
      host: redisHost.value,
      port: redisPort.value,
      db: redisDb.value,
      ...(redisUsername.value !== undefined && { username: redisUsername.value }),
      ...(redisPassword.value !== undefined && { password: redisPassword.value }),
    },
  }
}

/** Where nothing is shared, documents take this at most; beyond it those used least go. */
const MEMORY_ROOM_BYTES = 256 * 2 ** 20

function duration(micros: number): string {
  return micros < 1000 ? `${Math.round(micros)} µs` : `${Math.round(micros / 1000)} ms`
}

/** Redis, a directory, memory: best first. */
export function candidatesOf(options: CacheOptions, settings: Settings): readonly Candidate[] {
  checkFileOptions(options)
  const redis = redisOptions(options, settings)
  const named = [settings.redisUrl, settings.redisHost, settings.redisPort]
  const wanted = options.redis !== undefined || named.some(({ source }) => source !== 'default')
  const dir = settings.dir.value
  return [
    {
      backend: 'redis',
      wanted,
      async probe(budget): Promise<Probe> {
        const found = await probeRedis(redis, budget)
        if (!found.ok) return found
        return {
          ok: true,
          detail: `Redis ${found.version} (${found.mode}) wrote, read and deleted a probe in ${duration(found.micros)}`,
        }
      },
      open: () => redisStore(redis),
    },
    {
      backend: 'filesystem',
      wanted: false,
      async probe(): Promise<Probe> {
        const found = await probeDirectory(dir)
        if (!found.ok) return found
        const disk = found.network ? 'network disk' : 'disk'
        return {
          ok: true,
          detail: `the directory ${dir} (${disk}) wrote, renamed, read and deleted a probe in ${duration(found.micros)}`,
        }
      },
      open: () => fileStore({ dir, ...options.files }),
    },
    {
      backend: 'memory',
      wanted: false,
      probe: () =>
        Promise.resolve<Probe>({
          ok: true,
          detail: 'it is always there; lost at restart and not shared between processes',
        }),
      open: () => undefined,
    },
  ]
}

/** A wrong option is the caller's mistake, told at once, and no reason to pass the directory over. */
function checkFileOptions({ files }: CacheOptions): void {
  if (files?.maxBytes !== undefined) numberOption('files.maxBytes', files.maxBytes, 2 ** 20, Number.MAX_SAFE_INTEGER)
  if (files?.maxFiles !== undefined) numberOption('files.maxFiles', files.maxFiles, 500, Number.MAX_SAFE_INTEGER)
  for (const name of ['evict', 'durable'] as const) {
    const value: unknown = files?.[name]
    if (value !== undefined && typeof value !== 'boolean') throw badOption(`files.${name}`, 'true or false', value)
  }
}

/**
 * Makes a cache. Returns at once, never waits for a backend and never throws because of one: the search runs behind,
 * and reads that come earlier wait for it, at most `detectBudget`. Throws PALIER_BAD_OPTION, PALIER_BAD_KEY or
 * PALIER_PROTECTED for options or environment variables that are wrong.
 */
export function createCache<const T extends Readonly<Record<string, AnyPolicy>> = Readonly<Record<never, AnyPolicy>>>(
  options: CacheOptions<T> = {},
): Cache<T> {
  const settings = readSettings(options, process.env)
  const candidates = candidatesOf(options, settings)
  const { store } = options
  const backend = settings.backend.value
  // Files that are the backend themselves have no use for a journal beside them.
  const journalled = store === undefined && (backend === 'auto' || backend === 'redis')
  return createEngine(options, {
    settings,
    nearStore,
    memoryRoom: clock => memoryStore({ clock, maxBytes: MEMORY_ROOM_BYTES }),
    async discover(clock, budget) {
      return store === undefined ? detect(candidates, backend, clock, budget) : givenStore(store)
    },
    ...(journalled && {
      openJournal: (namespace, clock) => openOutboxJournal({ dir: settings.dir.value, channel: namespace, clock }),
    }),
  })
}
