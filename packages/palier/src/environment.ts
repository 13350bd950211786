import { badOption } from './errors.ts'
import { type BackendChoice, type CacheOptions, numberOption } from './options.ts'

export type Source = 'option' | 'environment' | 'default'

/** A setting, and where it came from: what `cache.status().configuration` shows. */
export interface Setting<T> {
  readonly value: T
  readonly source: Source
}

export interface Settings {
  readonly enabled: Setting<boolean>
  readonly backend: Setting<BackendChoice>
  readonly dir: Setting<string>
  /** Without the password when shown: see `shownSettings`. */
  readonly redisUrl: Setting<string | undefined>
  readonly redisHost: Setting<string>
  readonly redisPort: Setting<number>
  readonly redisUsername: Setting<string | undefined>
  readonly redisPassword: Setting<string | undefined>
  readonly redisDb: Setting<number>
}

type Environment = Readonly<Record<string, string | undefined>>

const BACKENDS: readonly string[] = ['auto', 'redis', 'filesystem', 'memory']
const TRUE = new Set(['1', 'true', 'yes', 'on'])
const FALSE = new Set(['0', 'false', 'no', 'off'])

function truth(name: string, text: string): boolean {
  const word = text.trim().toLowerCase()
  if (TRUE.has(word)) return true
  if (FALSE.has(word)) return false
  throw badOption(name, 'true or false', text)
}

function backendChoice(name: string, value: unknown): BackendChoice {
  if (typeof value !== 'string' || !BACKENDS.includes(value)) throw badOption(name, BACKENDS.join(', '), value)
  return value as BackendChoice
}

/** A variable that is set but empty counts as not set: hosting panels write such. */
function setting<T>(
  option: T | undefined,
  environment: Environment,
  variable: string,
  read: (name: string, text: string) => T,
  fallback: T,
): Setting<T> {
  if (option !== undefined) return { value: option, source: 'option' }
  const text = environment[variable]
  if (text !== undefined && text !== '') return { value: read(variable, text), source: 'environment' }
  return { value: fallback, source: 'default' }
}

const asText = (_name: string, text: string): string => text
const asNumber =
  (max: number) =>
  (name: string, text: string): number =>
    numberOption(name, /^\d+$/.test(text) ? Number(text) : text, 0, max)

/** Reads options, then the environment, then defaults. Throws PALIER_BAD_OPTION naming the option or variable that is wrong. */
export function readSettings(options: CacheOptions, environment: Environment): Settings {
  if (options.enabled !== undefined && typeof options.enabled !== 'boolean') {
    throw badOption('enabled', 'true or false', options.enabled)
  }
  const backend = options.backend === undefined ? undefined : backendChoice('backend', options.backend)
  return {
    enabled: setting(options.enabled, environment, 'CACHE_ENABLED', truth, true),
    backend: setting(
      backend,
      environment,
      'CACHE_BACKEND',
      (name, text) => backendChoice(name, text.trim().toLowerCase()),
      'auto',
    ),
    dir: setting(options.dir, environment, 'CACHE_DIR', asText, './cache'),
    redisUrl: setting<string | undefined>(options.redisUrl, environment, 'REDIS_URL', asText, undefined),
    redisHost: setting<string>(undefined, environment, 'REDIS_HOST', asText, 'localhost'),
    redisPort: setting<number>(undefined, environment, 'REDIS_PORT', asNumber(65_535), 6379),
    redisUsername: setting<string | undefined>(undefined, environment, 'REDIS_USERNAME', asText, undefined),
    redisPassword: setting<string | undefined>(undefined, environment, 'REDIS_PASSWORD', asText, undefined),
    redisDb: setting<number>(undefined, environment, 'REDIS_DB', asNumber(1_000_000), 0),
  }
}

/** What stands for a password wherever people may see it. */
export const HIDDEN = '***'

/** A Redis URL without its password and query. */
export function shownUrl(url: string): string {
  // Several hosts in one URL are more than a URL knows of.
  if (/^rediss?\+sentinel:\/\//.test(url)) {
    return url.replace(/\?.*$/s, '').replace(/:\/\/([^\s:@/]*):.*@/s, `://$1:${HIDDEN}@`)
  }
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) return '(not a Redis URL)'
  const { protocol, username, password, host, pathname } = new URL(url)
  const user = password === '' ? username : `${username}:${HIDDEN}`
  return `${protocol}//${user === '' ? '' : `${user}@`}${host}${pathname === '/' ? '' : pathname}`
}

/** The settings as people may see them: passwords are replaced, in URLs too. */
export function shownSettings(settings: Settings): Readonly<Record<string, Setting<string>>> {
  const shown = (key: string, value: string | number | boolean | undefined): string => {
    if (value === undefined) return ''
    if (key === 'redisPassword') return HIDDEN
    return key === 'redisUrl' ? shownUrl(String(value)) : String(value)
  }
  return Object.fromEntries(
    Object.entries<Setting<string | number | boolean | undefined>>({ ...settings }).map(([key, { value, source }]) => [
      key,
      { value: shown(key, value), source },
    ]),
  )
}
