/**
 * The error codes of the Cloud API as data: what each means, and what the sender does about it. Codes decide, never
 * titles, which Meta rewords. The same codes come in answers and in the statuses of webhooks. What has one was refused for
 * certain: a code that is not listed is `other`, because a stored `unknown` is a message that may have been sent.
 */
export type ErrorClass =
  | 'token'
  | 'throttled'
  | 'window'
  | 'recipient'
  | 'policy'
  | 'opt_out'
  | 'template'
  | 'parameter'
  | 'transient'
  | 'account'
  | 'other'

/**
 * - `retry`: the same message again, after `retryDelay`, a bounded number of times.
 * - `fail`: this message is over; the campaign goes on.
 * - `stop_campaign`: no message of it can pass before somebody has changed something.
 * - `pause_campaign`: going on would make it worse; somebody resumes it.
 * - `opt_out`: over, and the contact wants no more marketing.
 */
export type ErrorAction = 'retry' | 'fail' | 'stop_campaign' | 'pause_campaign' | 'opt_out'

const CODES: Readonly<Record<Exclude<ErrorClass, 'other'>, readonly number[]>> = {
  token: [0, 3, 10, 190, 131005],
  throttled: [4, 80007, 130429, 131048, 131056, 131064],
  window: [131047],
  recipient: [130472, 131021, 131026, 131030],
  policy: [131049],
  opt_out: [131050],
  template: [132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016],
  parameter: [33, 100, 131008, 131009, 131051, 131052, 131053, 131062, 135000],
  transient: [1, 2, 131000, 131016, 131057, 133004],
  account: [368, 130497, 131031, 131037, 131042, 131045, 131063, 133010],
}

const CLASS_OF: ReadonlyMap<number, ErrorClass> = new Map(
  Object.entries(CODES).flatMap(([name, codes]) => codes.map(code => [code, name as ErrorClass] as const)),
)

const PERMISSIONS = { from: 200, to: 299 }
const STATUSES = { from: 300, to: 599 }

function classifyStatus(status: number): ErrorClass {
  if (status === 401 || status === 403) return 'token'
  if (status === 429) return 'throttled'
  if (status >= 500) return 'transient'
  return status >= 400 ? 'parameter' : 'other'
}

/** The class of a code, or of the HTTP status when the code says nothing. A code from 300 to 599 that is no error code is a status itself. */
export function classify(code: number, httpStatus?: number): ErrorClass {
  const known = CLASS_OF.get(code)
  if (known !== undefined) return known
  if (code >= PERMISSIONS.from && code <= PERMISSIONS.to) return 'token'
  if (httpStatus !== undefined) return classifyStatus(httpStatus)
  return code >= STATUSES.from && code <= STATUSES.to ? classifyStatus(code) : 'other'
}

const ACTIONS: Readonly<Record<ErrorClass, ErrorAction>> = {
  token: 'stop_campaign',
  throttled: 'retry',
  window: 'fail',
  recipient: 'fail',
  // Marketing the person has had enough of today: an explicit retry may come a day later, the campaign does not wait.
  policy: 'fail',
  opt_out: 'opt_out',
  template: 'stop_campaign',
  parameter: 'fail',
  transient: 'retry',
  account: 'stop_campaign',
  other: 'fail',
}

/** Too many people blocked or reported the number, or it has been restricted: more messages lower its quality further. */
const PAUSING: ReadonlySet<number> = new Set([131048, 131064])

/** What the sender does with an error of this code. */
export function actionOf(errorClass: ErrorClass, code: number): ErrorAction {
  return PAUSING.has(code) ? 'pause_campaign' : ACTIONS[errorClass]
}

/** Too many messages to the same person in a short time: Meta prescribes 4^n seconds. */
const PAIR_LIMIT = 131056

const SECOND = 1000
const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Throttled counters empty over minutes to an hour, so their first delay is longer. */
const BACKOFF = {
  transient: { base: SECOND, most: 5 * 60 * SECOND },
  throttled: { base: 4 * SECOND, most: 15 * 60 * SECOND },
}

/**
 * Milliseconds before attempt number `attempt + 1`; `attempt` counts those made, from 1. Exponential with full jitter and
 * bounded, so that a thousand messages refused together do not come back together. `random` gives 0 up to 1, not
 * included. A longer wait that the answer asked for (`retryAfter`) goes first.
 */
export function retryDelay(errorClass: ErrorClass, attempt: number, random: () => number, code?: number): number {
  const exponent = Math.min(Math.max(Math.trunc(attempt), 1), 30)
  if (errorClass === 'policy') return DAY + Math.floor(random() * HOUR)
  if (code === PAIR_LIMIT) return Math.min(SECOND * 4 ** exponent, HOUR)
  const { base, most } = errorClass === 'throttled' ? BACKOFF.throttled : BACKOFF.transient
  return Math.floor(random() * Math.min(most, base * 2 ** exponent))
}

/** Why the Cloud API did not answer a question other than a send. The message holds no secret and may be shown. */
export class CloudApiRefusal extends Error {
  readonly code: number
  readonly errorClass: ErrorClass

  constructor(code: number, errorClass: ErrorClass, detail: string) {
    super(detail)
    this.name = 'CloudApiRefusal'
    this.code = code
    this.errorClass = errorClass
  }
}
