import { resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import { candidatesOf, redisOptions } from '../create.ts'
import { type Backend, type Candidate, type Detection, detect } from '../detect.ts'
import { readSettings, type Settings } from '../environment.ts'
import { PalierError } from '../errors.ts'
import { namespacePrefix } from '../key.ts'
import type { CacheOptions } from '../options.ts'
import type { SharedStore } from '../store.ts'
import { addressOf, targetOf } from '../stores/redis/target.ts'
import type { Arguments } from './arguments.ts'

/** Longer than an application waits at its start: here nobody waits for a page. */
const BUDGET = 3000

/** Where the command looks, found out as `createCache` does. */
export interface Place {
  readonly options: CacheOptions
  readonly settings: Settings
  /** Milliseconds the search for a backend may take. */
  readonly budget: number
}

/** Throws PALIER_BAD_OPTION for an option or a variable that is wrong. */
export function placeOf(given: Arguments, environment: Readonly<Record<string, string | undefined>>): Place {
  const { namespace, backend, dir, redisUrl, maxBytes, maxFiles } = given
  const files = { ...(maxBytes !== undefined && { maxBytes }), ...(maxFiles !== undefined && { maxFiles }) }
  const options: CacheOptions = {
    logger: false,
    ...(namespace !== undefined && { namespace }),
    ...(backend !== undefined && { backend: backend as NonNullable<CacheOptions['backend']> }),
    ...(dir !== undefined && { dir }),
    ...(redisUrl !== undefined && { redisUrl }),
    ...(Object.keys(files).length > 0 && { files }),
  }
  return { options, settings: readSettings(options, environment), budget: BUDGET }
}

/** The backends of a place, best first. */
export function candidates({ options, settings }: Place): readonly Candidate[] {
  return candidatesOf(options, settings)
}

/** Below this namespace nothing is ever found: a read of it shows that a store is awake. */
const NOWHERE = `${namespacePrefix('palier-doctor')}e::nothing`
const RETRY = 20

/**
 * Resolves when the store has answered once, or after `ms`. The first answer takes longest (a client is loaded, a
 * connection made), and a command that ends after one call must not take that for a store that hangs.
 */
export async function awake(store: SharedStore, ms: number): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    try {
      await store.get(NOWHERE)
      return
    } catch (error) {
      // Whatever else it says, it says so: the real call will say it again to whoever reports it.
      if (!(error instanceof PalierError) || error.code !== 'PALIER_STORE_TIMEOUT') return
      await new Promise(resolve => setTimeout(resolve, RETRY))
    }
  }
}

/** Searches as the application does; whoever calls this closes the store. */
export async function findBackend(place: Place): Promise<Detection> {
  const found = await detect(candidates(place), place.settings.backend.value, systemClock, place.budget)
  if (found.store !== undefined) await awake(found.store, place.budget)
  return found
}

/** Where a backend is, as people read it. Never a password. */
export function whereabouts(backend: Backend, { options, settings }: Place): string {
  if (backend === 'filesystem') return resolve(settings.dir.value)
  if (backend === 'memory') return 'the memory of each process'
  try {
    const { url, connect } = redisOptions(options, settings)
    const target = targetOf(url, connect)
    return target.db === 0 ? addressOf(target) : `${addressOf(target)}, database ${target.db}`
  } catch {
    // A URL that cannot be read: the search says so, and this is only a caption.
    return 'REDIS_URL, which is not a Redis URL'
  }
}

/** Whether somebody said where Redis is, rather than nobody having said anything. */
function redisIsConfigured({ settings }: Place): boolean {
  return settings.redisUrl.value !== undefined || settings.redisHost.source !== 'default'
}

/** Why Redis was passed over although somebody configured it; undefined otherwise. */
export function passedOver(place: Place, found: Detection): string | undefined {
  const step = found.trace.find(one => one.backend === 'redis' && one.outcome === 'refused')
  if (step === undefined || !redisIsConfigured(place)) return undefined
  return `Redis is configured but cannot be used, so this is about the ${found.backend} backend: ${step.why}`
}

/** Why the backend asked for by name is not the one found; undefined when it is. */
export function refusedByName(found: Detection): string | undefined {
  if (!found.fellBack) return undefined
  const [step] = found.trace.filter(one => one.outcome === 'refused')
  return step === undefined ? found.why : `${step.backend} was asked for and cannot be used: ${step.why} (${step.hint})`
}

/** Closing must not undo what was done: a failure to close is told by nobody and changes nothing. */
export async function closeQuietly(store: SharedStore | undefined): Promise<void> {
  await store?.close().catch(() => undefined)
}
