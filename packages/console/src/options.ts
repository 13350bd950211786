import { basename, dirname, join } from 'node:path'
import { badOption, type Logger, systemClock } from 'palier'
import type { Authorize } from './access.ts'
import type { AuditEntry } from './audit.ts'
import type { ConsoleLimits } from './brakes.ts'
import { frameAncestorsOf } from './headers.ts'
import { isFields, onlyFields } from './input.ts'
import type { ConsoleClock, ConsoleMonitor, ManagedCache, WarmUps } from './room.ts'
import { checkedToken, ownToken, readToken } from './token.ts'

/** Options of `createConsole`, all optional: what is not said leaves the console closed to everybody without its token. */
export interface ConsoleOptions {
  /** Access by the means of the host application. */
  readonly authorize?: Authorize
  /** What gives the role `admin`: 32 visible ASCII characters or more, or a file that holds them. */
  readonly token?: string | { readonly file: string }
  /**
   * With neither `authorize` nor `token`: where a random token is written, readable by this user alone. Default
   * `.palier/console-token` in the directory of the cache.
   */
  readonly tokenFile?: string
  /** Figures of all processes, history, `/metrics`. Borrowed: never closed. */
  readonly monitor?: ConsoleMonitor
  readonly warm?: WarmUps
  /** Origins, such as `https://admin.example.org`, whose pages may send changes besides the console's own. Needed where a proxy changes scheme or host. */
  readonly origins?: readonly string[]
  /** Who may show the console in a frame: origins, or `'self'` in single quotes. Default nobody. */
  readonly frameAncestors?: readonly string[]
  /** What the console calls this place, so that nobody takes it for another: `production`. Default the variable `NODE_ENV`, or `development`. */
  readonly environmentName?: string
  /** Called with each change, also refused ones, before the caller is answered. */
  readonly audit?: (entry: AuditEntry) => void | Promise<void>
  readonly limit?: ConsoleLimits
  /** Where log lines go; false: nowhere. Default `console`. */
  readonly logger?: Logger | false
  readonly clock?: ConsoleClock
}

export interface Resolved {
  readonly token: string | undefined
  /** The name of the file that holds it, with the directory it is in. */
  readonly tokenPlace: string | undefined
  readonly frameAncestors: readonly string[]
  readonly environment: string
  readonly authorize: Authorize | undefined
  readonly monitor: ConsoleMonitor | undefined
  readonly warm: WarmUps
  readonly origins: readonly string[]
  readonly audit: ConsoleOptions['audit'] | undefined
  readonly limit: Required<ConsoleLimits>
  readonly log: Logger
  readonly clock: ConsoleClock
}

const FIELDS = [
  ...['authorize', 'token', 'tokenFile', 'monitor', 'warm', 'origins', 'frameAncestors', 'environmentName'],
  ...['audit', 'limit', 'logger', 'clock'],
]
const LIMITS: Required<ConsoleLimits> = { changes: 30, clears: 3, failures: 10 }
const SILENT: Logger = { warn: () => undefined, info: () => undefined }

function limitsOf(limit: unknown): Required<ConsoleLimits> {
  if (limit === undefined) return LIMITS
  if (!isFields(limit)) throw badOption('limit', 'an object', limit)
  onlyFields('limit', limit, Object.keys(LIMITS))
  for (const [name, value] of Object.entries(limit)) {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > 1_000_000) {
      throw badOption(`limit.${name}`, 'a whole number from 1 to 1000000', value)
    }
  }
  return { ...LIMITS, ...limit }
}

function originsOf(origins: unknown): readonly string[] {
  if (origins === undefined) return []
  if (!Array.isArray(origins)) throw badOption('origins', 'a list of origins', origins)
  return origins.map((origin: unknown) => {
    const isOne = typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin
    if (!isOne) throw badOption('origins', "a scheme and a host, such as 'https://admin.example.org'", origin)
    return origin
  })
}

function callable(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw badOption(name, 'a function', value)
}

function checkWarm(warm: unknown): void {
  if (warm === undefined) return
  if (!isFields(warm)) throw badOption('warm', 'an object of functions', warm)
  for (const [name, fill] of Object.entries(warm)) callable(`warm.${name}`, fill ?? null)
}

interface Held {
  readonly token: string | undefined
  readonly tokenPlace: string | undefined
}

/** Enough to find it by, and nothing of where this machine keeps its files. */
const placeOf = (path: string): string => join(basename(dirname(path)), basename(path))

function tokenOf(cache: ManagedCache, options: ConsoleOptions, log: Logger): Held {
  const { token, authorize, tokenFile } = options
  if (token !== undefined) {
    if (typeof token !== 'object' || token === null) {
      return { token: checkedToken('token', token), tokenPlace: undefined }
    }
    if (typeof token.file !== 'string') throw badOption('token.file', 'the path of a file', token.file)
    return { token: readToken('token.file', token.file), tokenPlace: placeOf(token.file) }
  }
  if (authorize !== undefined) return { token: undefined, tokenPlace: undefined }
  if (tokenFile !== undefined && (typeof tokenFile !== 'string' || tokenFile === '')) {
    throw badOption('tokenFile', 'the path of a file', tokenFile)
  }
  const dir = cache.status().configuration['dir']?.value ?? '.'
  const path = tokenFile ?? join(dir, '.palier', 'console-token')
  const made = ownToken(path)
  log.info(`[CACHE CONSOLE] access by the token in ${path}`)
  return { token: made, tokenPlace: placeOf(path) }
}

function environmentOf(name: unknown): string {
  if (name === undefined) return process.env['NODE_ENV'] || 'development'
  if (typeof name !== 'string' || name === '' || name.length > 40) {
    throw badOption('environmentName', 'a text of 1 to 40 characters', name)
  }
  return name
}

/** The options with nothing left open. Throws PALIER_BAD_OPTION naming what is wrong; no token is ever in it. */
export function resolveOptions(cache: ManagedCache, options: ConsoleOptions): Resolved {
  const given: unknown = options
  if (!isFields(given)) throw badOption('options', 'an object', given)
  onlyFields('options', given, FIELDS)
  callable('authorize', options.authorize)
  callable('audit', options.audit)
  checkWarm(options.warm)
  const log = options.logger === false ? SILENT : (options.logger ?? console)
  return {
    log,
    warm: options.warm ?? {},
    ...tokenOf(cache, options, log),
    frameAncestors: frameAncestorsOf(options.frameAncestors),
    environment: environmentOf(options.environmentName),
    authorize: options.authorize,
    monitor: options.monitor,
    origins: originsOf(options.origins),
    audit: options.audit,
    limit: limitsOf(options.limit),
    clock: options.clock ?? systemClock,
  }
}
