import type { AdviseOptions } from '../advice/advise.ts'
import { type Clock, systemClock } from '../clock.ts'
import { type Duration, toMilliseconds } from '../duration.ts'
import { badOption } from '../errors.ts'
import { type Logger, numberOption } from '../options.ts'
import type { Alert, AlertLimits } from './alerts.ts'
import { checkWebhook, type Webhook } from './deliver.ts'
import type { MetricSource } from './extra.ts'
import type { Budget } from './health.ts'

/** When an alert is raised; counts are those of all processes together within `window`. */
export interface AlertOptions {
  /** Below so many hits in a hundred reads: "Cache performance degraded". Default 50. */
  readonly hitRate?: number
  /** Above so many misses in a hundred reads of one type. Default 80. */
  readonly missRate?: number
  /** More errors than this: "Too many cache errors". Default 10. */
  readonly errors?: number
  /** More than so much of a budget, in a hundred. Default 90. */
  readonly budget?: number
  /** Fewer reads say nothing about a rate. Default 200. */
  readonly minReads?: number
  /** Default 5 minutes. */
  readonly window?: Duration
}

/** Options of `createMonitor`, all optional. */
export interface MonitorOptions {
  /** How often it looks and tells the other processes what it counted, 1 second to 5 minutes. Default 10 s. */
  readonly every?: Duration
  /** False: `tick` is called by the application or by cron, and no timer is set. Default true. */
  readonly timer?: boolean
  /** False: none. */
  readonly alerts?: AlertOptions | false
  /** Called when an alert begins and when it is over. */
  readonly onAlert?: (alert: Alert) => unknown
  /** Where alerts are posted as JSON: an incoming webhook of Slack, Discord, Teams or Mattermost, or a service of your own. */
  readonly webhook?: string | Webhook
  /** Alerts, advice and one line a minute; false: none. Default `console`. */
  readonly logger?: Logger | false
  /** Metrics beside those of the cache: of sessions, limiters or the application. */
  readonly extra?: readonly MetricSource[]
  /** What is being used up, looked at once a minute. */
  readonly budgets?: () => readonly Budget[] | Promise<readonly Budget[]>
  /** What is looked at once at the start and told in the log, see `advise`; false: nothing. */
  readonly advice?: Omit<AdviseOptions, 'environment'> | false
  /** What the process is called where people see it. Default `node`. */
  readonly processName?: string
  /** Of the application: processes of two versions do not agree, which is worth knowing. */
  readonly version?: string
  readonly clock?: Clock
}

/** The options with nothing left open. */
export interface MonitorSettings {
  readonly every: number
  readonly timer: boolean
  readonly limits: AlertLimits | undefined
  readonly onAlert: ((alert: Alert) => unknown) | undefined
  readonly webhook: Webhook | undefined
  readonly logger: Logger | false
  readonly extra: readonly MetricSource[]
  readonly budgets: () => readonly Budget[] | Promise<readonly Budget[]>
  readonly advice: Omit<AdviseOptions, 'environment'> | false
  readonly processName: string
  readonly version: string
  readonly clock: Clock
}

const FIELDS = [
  ...['every', 'timer', 'alerts', 'onAlert', 'webhook', 'logger', 'extra', 'budgets', 'advice', 'processName'],
  ...['version', 'clock'],
]
const ALERT_FIELDS = ['hitRate', 'missRate', 'errors', 'budget', 'minReads', 'window']

function checkFields(name: string, options: object, fields: readonly string[]): void {
  const odd = Object.keys(options).find(field => !fields.includes(field))
  if (odd !== undefined) throw badOption(`${name}${odd}`, `one of ${fields.join(', ')}`, odd)
}

function limitsOf(options: AlertOptions | false | undefined): AlertLimits | undefined {
  if (options === false) return undefined
  const { hitRate = 50, missRate = 80, errors = 10, budget = 90, minReads = 200, window = '5m' } = options ?? {}
  checkFields('alerts.', options ?? {}, ALERT_FIELDS)
  return {
    hitRate: numberOption('alerts.hitRate', hitRate, 0, 100),
    missRate: numberOption('alerts.missRate', missRate, 0, 100),
    errors: numberOption('alerts.errors', errors, 0, Number.MAX_SAFE_INTEGER),
    budget: numberOption('alerts.budget', budget, 0, 100),
    minReads: numberOption('alerts.minReads', minReads, 1, Number.MAX_SAFE_INTEGER),
    window: toMilliseconds('alerts.window', window, { min: 60_000, max: 3_600_000 }),
  }
}

function optional<T>(name: string, value: T | undefined, is: (value: T) => boolean, expected: string, fallback: T): T {
  if (value === undefined) return fallback
  if (!is(value)) throw badOption(name, expected, value)
  return value
}

/** The logger, made so that it never throws: a look must go on, and a logger that fails has nobody to tell. */
function safeLogger(logger: Logger | false | undefined): Logger | false {
  if (logger === false) return false
  const given = logger ?? console
  if (typeof given.warn !== 'function' || typeof given.info !== 'function') {
    throw badOption('logger', 'an object with warn and info, or false', logger)
  }
  const quietly = (level: 'warn' | 'info', line: string): void => {
    try {
      given[level](line)
    } catch {
      // See above.
    }
  }
  return { warn: line => quietly('warn', line), info: line => quietly('info', line) }
}

/** Throws PALIER_BAD_OPTION for an option that is wrong or unknown. */
export function monitorSettings(options: MonitorOptions): MonitorSettings {
  checkFields('', options, FIELDS)
  const { every = 10_000, onAlert, webhook, extra, budgets, logger, clock = systemClock } = options
  const isFunction = (value: unknown): boolean => typeof value === 'function'
  const isText = (value: string): boolean => typeof value === 'string'
  if (onAlert !== undefined && !isFunction(onAlert)) throw badOption('onAlert', 'a function', onAlert)
  return {
    every: toMilliseconds('every', every, { min: 1000, max: 300_000 }),
    timer: optional('timer', options.timer, value => typeof value === 'boolean', 'true or false', true),
    limits: limitsOf(options.alerts),
    onAlert,
    webhook: webhook === undefined ? undefined : checkWebhook(webhook),
    logger: safeLogger(logger),
    extra: optional('extra', extra, all => Array.isArray(all) && all.every(isFunction), 'an array of functions', []),
    budgets: optional('budgets', budgets, isFunction, 'a function', () => []),
    advice: options.advice ?? {},
    processName: optional('processName', options.processName, isText, 'a text', 'node'),
    version: optional('version', options.version, isText, 'a text', ''),
    clock,
  }
}
