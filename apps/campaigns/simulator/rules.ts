import { digitsOf, lastTwo, type Person } from './person.ts'

/** What a rule looks at. All that is said must hold; nothing said matches everything. */
export interface Match {
  /** With or without the plus. */
  readonly phone?: string
  readonly userId?: string
  /** Of the phone's digits, or of the user id when there is no phone. */
  readonly endsWith?: string
  readonly template?: string
  /** 1 is a template, 2 is what only an open window allows: a text or buttons. */
  readonly step?: 1 | 2
}

/** What happens to a message. Times are milliseconds on the simulator's clock, `answerAfter` excepted. */
export interface Outcome {
  /** A status `delivered`. Left out before `read`, as Meta does for a chat that is open. */
  readonly deliver?: boolean
  readonly read?: boolean
  /** The person answers `after` so long: with the button of that title or payload, or with a text. */
  readonly reply?: { readonly button?: string; readonly text?: string; readonly after?: number }
  /** `answer`: the request is refused. `webhook`: it is accepted, and fails later. */
  readonly fail?: { readonly code: number; readonly at: 'answer' | 'webhook' }
  /** Each webhook comes so many times more. */
  readonly duplicate?: number
  /** Statuses come last first, with the timestamps they should have. */
  readonly reorder?: boolean
  /** All webhooks come so much later. */
  readonly delay?: number
  /** The request is refused for now; `retryAfter` in seconds, as in the header. */
  readonly throttle?: { readonly status?: number; readonly code?: number; readonly retryAfter?: number }
  /** Accepted, and never a webhook. */
  readonly silence?: boolean
  /** Answers and webhooks know the person by the user id alone. */
  readonly hidePhone?: boolean
  /** Accepted, and the connection is cut before the answer. */
  readonly dropAnswer?: boolean
  /** Accepted, and the answer is a gateway's 500 in HTML, or JSON cut short. */
  readonly badAnswer?: 'html' | 'truncated'
  /** Accepted, and the answer takes so many milliseconds of real time. */
  readonly answerAfter?: number
}

export interface Rule {
  readonly match?: Match
  /** For the first so many messages that match; for all when left out. */
  readonly times?: number
  readonly outcome: Outcome
}

/** What a rule is asked about. */
export interface Candidate {
  readonly person: Person
  readonly template?: string
  readonly step: 1 | 2
}

export type ChooseOutcome = (candidate: Candidate) => Outcome

function matches({ phone, userId, endsWith, template, step }: Match, candidate: Candidate): boolean {
  const { person } = candidate
  if (phone !== undefined && digitsOf(phone) !== person.phone) return false
  if (userId !== undefined && userId !== person.userId) return false
  if (endsWith !== undefined && !(person.phone ?? person.userId).endsWith(endsWith)) return false
  if (template !== undefined && template !== candidate.template) return false
  return step === undefined || step === candidate.step
}

export interface Script {
  /** Replaces the rules; their counts start again. */
  set(rules: readonly Rule[]): void
  rules(): readonly Rule[]
  /** The first rule that matches decides, else the default. */
  choose: ChooseOutcome
}

export function createScript(rules: readonly Rule[], otherwise: ChooseOutcome): Script {
  let active: { readonly rule: Rule; used: number }[] = []
  const set = (next: readonly Rule[]): void => {
    active = next.map(rule => ({ rule, used: 0 }))
  }
  set(rules)
  return {
    set,
    rules: () => active.map(({ rule }) => rule),
    choose(candidate) {
      const found = active.find(
        ({ rule: { match = {}, times = Number.POSITIVE_INFINITY }, used }) => used < times && matches(match, candidate),
      )
      if (found === undefined) return otherwise(candidate)
      found.used++
      return found.rule.outcome
    },
  }
}

const SECOND = 1000
const HOUR = 3600 * SECOND
const READ: Outcome = { deliver: true, read: true }

/** The mix of a demonstration: up to and including these last two digits, this happens to a template. */
export const OUTCOMES_BY_NUMBER: readonly { readonly to: number; readonly what: string; readonly outcome: Outcome }[] =
  [
    { to: 39, what: 'read, no reply', outcome: READ },
    { to: 59, what: 'read, taps the first button', outcome: { ...READ, reply: { button: '', after: 20 * SECOND } } },
    {
      to: 69,
      what: 'read, writes back',
      outcome: { ...READ, reply: { text: 'Oui, dites-m’en plus 🙂', after: 45 * SECOND } },
    },
    { to: 79, what: 'delivered, never read', outcome: { deliver: true } },
    { to: 84, what: 'read at once, so never "delivered"', outcome: { read: true } },
    { to: 87, what: 'fails: undeliverable', outcome: { fail: { code: 131026, at: 'webhook' } } },
    { to: 89, what: 'fails: marketing limit of the person', outcome: { fail: { code: 131049, at: 'webhook' } } },
    { to: 90, what: 'fails: stopped marketing', outcome: { fail: { code: 131050, at: 'webhook' } } },
    { to: 91, what: 'refused at once: not in the allowed list', outcome: { fail: { code: 131030, at: 'answer' } } },
    {
      to: 93,
      what: 'everything comes three times, with a tap',
      outcome: { ...READ, duplicate: 2, reply: { button: '', after: 20 * SECOND } },
    },
    { to: 95, what: 'statuses come in the wrong order', outcome: { ...READ, reorder: true } },
    { to: 97, what: 'silent: accepted and nothing more', outcome: { silence: true } },
    { to: 98, what: 'sent, never delivered', outcome: {} },
    {
      to: 99,
      what: 'read, writes back after 30 hours',
      outcome: { ...READ, reply: { text: 'Trop tard ?', after: 30 * HOUR } },
    },
  ]

/** A deterministic mix by the last two digits. What follows in the open window is read and not answered. */
export const outcomeByNumber: ChooseOutcome = ({ person, step }) => {
  if (step === 2) return READ
  return OUTCOMES_BY_NUMBER.find(({ to }) => lastTwo(person) <= to)?.outcome ?? READ
}
