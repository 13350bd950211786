import cluster from 'node:cluster'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cache, Policies, Status } from '../cache.ts'
import { redisOptions } from '../create.ts'
import { readSettings, type Settings } from '../environment.ts'
import { namespacePrefix } from '../key.ts'
import type { CacheOptions } from '../options.ts'
import { DISK_BUDGET, judgeDisk, readDisk } from './disk.ts'
import type { Finding } from './finding.ts'
import { judgeRedis, judgeSurroundings, readRedis, readSurroundings } from './redis.ts'

/** What `advise` is told beside the cache. */
export interface AdviseOptions {
  /**
   * The options the cache was made with. Left out, Redis is looked at only where the environment says where it is, for a
   * password is never told by a cache.
   */
  readonly made?: CacheOptions
  /** True: sessions, limits or other state lives in the same backend, and must not be evicted. Default false. */
  readonly keepsState?: boolean
  /** Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

type Environment = Readonly<Record<string, string | undefined>>

/** So many owners of directories in /home make a machine a shared one. */
const MANY = 3

/** Whether other people have accounts here. */
export async function isSharedMachine(): Promise<boolean> {
  try {
    const names = await readdir('/home')
    const owners = await Promise.all(names.slice(0, 50).map(name => stat(join('/home', name)).then(one => one.uid)))
    return new Set(owners).size >= MANY
  } catch {
    return false
  }
}

function aboutConfiguration(status: Status, { redisUrl, backend }: Settings, environment: Environment): Finding[] {
  const found: Finding[] = []
  const say = (level: Finding['level'], text: string, advice: string): void =>
    void found.push({ level, about: 'configuration', text, advice })
  if (!status.enabled) {
    say('note', 'The cache is disabled: each read goes to the source.', 'Set CACHE_ENABLED=true to use it.')
    return found
  }
  const urlGiven = (environment['REDIS_URL'] ?? '') !== ''
  const chosen = backend.value === 'filesystem' || backend.value === 'memory'
  if (chosen && (urlGiven || (environment['REDIS_HOST'] ?? '') !== '')) {
    const text = `Redis is configured and not used: the backend is set to ${backend.value}.`
    say('warning', text, 'Take CACHE_BACKEND away to use Redis, or REDIS_URL and REDIS_HOST to leave it.')
  } else if (urlGiven && redisUrl.source === 'option') {
    say('note', 'REDIS_URL is not used: the code says another URL.', 'Say it in one place only.')
  } else if (urlGiven && (environment['REDIS_HOST'] ?? '') !== '') {
    say('note', 'REDIS_HOST is not used: REDIS_URL goes before it.', 'Say it in one place only.')
  }
  const refused = status.trace.find(step => step.backend === 'redis' && step.outcome === 'refused')
  if (refused !== undefined && (urlGiven || redisUrl.source !== 'default') && status.backend !== 'redis') {
    const text = `Redis is configured and cannot be used: ${refused.why}.`
    say('warning', text, `${refused.hint ?? 'See the search for a backend in status().trace'}.`)
  }
  return found
}

/** Process managers say in the environment that they run several of a kind. */
function hasSiblings(environment: Environment): boolean {
  const several = Number(environment['WEB_CONCURRENCY'] ?? environment['instances'] ?? 1) > 1
  return cluster.isWorker || several || Number(environment['NODE_APP_INSTANCE'] ?? 0) > 0
}

function aboutProcesses(status: Status, environment: Environment): Finding[] {
  const found: Finding[] = []
  const warn = (text: string, advice: string): void =>
    void found.push({ level: 'warning', about: 'processes', text, advice })
  if (status.backend === 'memory' && hasSiblings(environment)) {
    const text = 'Several processes run, and each has a cache of its own: what one deletes the others go on serving.'
    warn(text, 'Give them Redis, or a directory they share (CACHE_DIR).')
  }
  if (status.tiers.some(tier => tier.role === 'near' && tier.state === 'in doubt') && status.tiers.length > 1) {
    const text =
      'The bus between the processes is not heard, so nothing is served from memory: each read asks the backend.'
    warn(text, 'Let this user SUBSCRIBE and PUBLISH (ACL rule &palier:*), or give the directory to all processes.')
  }
  return found
}

function aboutState(policy: string | undefined, maxmemory: number | undefined): Finding[] {
  if (policy === undefined || !policy.startsWith('allkeys-') || maxmemory === 0) return []
  const text = `Sessions and limits live in a Redis that evicts any key when it is full (${policy}): people lose their sessions.`
  return [
    {
      level: 'warning',
      about: 'redis',
      text,
      advice:
        'Give sessions a Redis with noeviction; volatile-ttl, which takes first what ends first, is the next best.',
    },
  ]
}

async function aboutRedis(namespace: string, settings: Settings, options: AdviseOptions): Promise<readonly Finding[]> {
  const { made, keepsState = false } = options
  if (made === undefined && settings.redisUrl.source === 'default' && settings.redisHost.source === 'default') return []
  const where = redisOptions(made ?? {}, settings)
  const [facts, around, shared] = await Promise.all([
    readRedis(where),
    readSurroundings(where, namespacePrefix(namespace)),
    isSharedMachine(),
  ])
  const state = keepsState ? aboutState(facts.policy, facts.maxmemory) : []
  return [...judgeRedis(facts), ...state, ...judgeSurroundings(around, shared)]
}

/**
 * What in the surroundings of a cache will hurt one day, in plain words: an eviction policy that drops sessions, an open
 * Redis on a shared machine, processes that do not hear of each other, a directory under a web root. Waits until the
 * backend is known; never rejects because a server or a disk cannot be asked. Rejects with PALIER_BAD_OPTION.
 */
export async function advise<T extends Policies>(
  cache: Cache<T>,
  options: AdviseOptions = {},
): Promise<readonly Finding[]> {
  const { environment = process.env, made } = options
  const settings = readSettings(made ?? {}, environment)
  const status = await cache.ready()
  const found = [...aboutConfiguration(status, settings, environment), ...aboutProcesses(status, environment)]
  if (status.backend === 'redis') {
    found.push(...(await aboutRedis(status.namespace, settings, options).catch(() => [])))
  }
  if (status.backend === 'filesystem') {
    const dir = status.configuration['dir']?.value ?? settings.dir.value
    const { maxBytes = DISK_BUDGET.maxBytes, maxFiles = DISK_BUDGET.maxFiles } = made?.files ?? {}
    found.push(
      ...(await readDisk(dir).then(
        facts => judgeDisk(facts, { maxBytes, maxFiles }),
        () => [],
      )),
    )
  }
  return found
}
