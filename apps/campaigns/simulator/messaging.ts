import type { Business, InboundContent, Notice, Pricing } from './envelope.ts'
import type { GraphFault } from './graph-error.ts'
import type { Noise } from './noise.ts'
import { hidden, type Person } from './person.ts'
import type { Outcome, Script } from './rules.ts'
import type { Clock } from './schedule.ts'
import { Refusal, readSendRequest, type SendRequest } from './send-request.ts'
import { bodyOf, buttonsOf, placeholders, type Template } from './templates.ts'
import type { Webhooks } from './webhooks.ts'

/** A message that was accepted. The same message sent twice is here twice. */
export interface SentMessage {
  readonly wamid: string
  /** Milliseconds since 1970 on the simulator's clock. */
  readonly at: number
  readonly person: Person
  readonly type: string
  /** The name of the template. */
  readonly template?: string
  readonly body?: string
  /** `biz_opaque_callback_data`. */
  readonly callbackData?: string
}

/** Milliseconds from the acceptance of a message to each of its statuses. */
export interface Timings {
  readonly sent: number
  readonly delivered: number
  readonly read: number
}

export interface MessagingCounts {
  accepted: number
  refused: number
}

export interface MessagingOptions {
  readonly business: Business
  readonly clock: Clock
  readonly noise: Noise
  readonly script: Script
  readonly timings: Timings
  /** Refuses free-form messages outside the 24 hours after the person's last one. */
  readonly enforceWindow: boolean
  /** Messages accepted in a second of the clock. */
  readonly perSecond: number
  readonly plan: Webhooks['plan']
  readonly pending: () => number
  readonly findTemplate: (name: string, language: string) => Template | undefined
}

/** What the HTTP side has to write, and how badly. */
export interface Answer {
  readonly body: object
  readonly outcome: Outcome
}

export interface Messaging {
  readonly counts: Readonly<MessagingCounts>
  /** Throws a `Refusal`. */
  accept(body: unknown): Answer
  /** Plans a message from a person; returns its id. */
  receive(person: Person, content: InboundContent, due: number, contextId?: string): string
  /** A message of a person has arrived: it opens the window. */
  arrived(notice: Notice): void
  /** The newest, oldest first. */
  sent(): readonly SentMessage[]
}

const WINDOW = 24 * 3_600_000
const MOST_SENT = 20_000
const MOST_WINDOWS = 200_000
/** Beyond this the sender is told to wait, so that nothing is forgotten and memory stays bounded. */
const MOST_PENDING = 200_000

/** Reported: from this day service messages, and utility templates in the window, are charged too. */
const ALL_CHARGED_FROM = Date.UTC(2026, 9, 1)

function pricingOf(category: string, windowOpen: boolean, at: number): Pricing {
  const free = at < ALL_CHARGED_FROM && (category === 'service' || (category === 'utility' && windowOpen))
  return { category, type: free ? 'free_customer_service' : 'regular', billable: !free }
}

function checkTemplate({ content }: SendRequest, template: Template | undefined): void {
  if (content.type !== 'template') return
  const { name, language } = content
  if (template === undefined || template.status === 'PENDING' || template.status === 'REJECTED') {
    throw new Refusal({ code: 132001, details: `template name (${name}) does not exist in ${language}` })
  }
  if (template.status === 'PAUSED')
    throw new Refusal({ code: 132015, details: 'Template is paused due to low quality.' })
  if (template.status === 'DISABLED') throw new Refusal({ code: 132016, details: 'Template is disabled.' })
  const expected = placeholders(bodyOf(template))
  if (content.bodyParameters !== expected) {
    const details = `body: number of localizable_params (${content.bodyParameters}) does not match the expected number of params (${expected})`
    throw new Refusal({ code: 132000, details })
  }
}

/** What the person answers with: the button of that title or payload, the first one for ''. */
function replyContent(
  { button, text = '👍' }: NonNullable<Outcome['reply']>,
  { content }: SendRequest,
  template: Template | undefined,
): InboundContent {
  if (button === undefined) return { type: 'text', body: text }
  if (content.type === 'interactive') {
    const found = content.buttons.find(({ id, title }) => button === '' || id === button || title === button)
    if (found !== undefined) return { type: 'interactive', ...found }
  }
  if (content.type === 'template') {
    const offered = template === undefined ? [] : buttonsOf(template)
    for (const [index, { type, text: label }] of offered.entries()) {
      const payload = content.payloads.get(index) ?? label
      const meant = button === '' || label === button || payload === button
      if (type === 'QUICK_REPLY' && meant) return { type: 'button', text: label, payload }
    }
  }
  // The message has no such button: a person without one can only write.
  return { type: 'text', body: button === '' ? text : button }
}

interface Told {
  readonly request: SendRequest
  readonly wamid: string
  readonly person: Person
  readonly at: number
  /** Whether the person had written within 24 hours. */
  readonly windowOpen: boolean
  readonly pricing: Pricing
  readonly conversationId: string
}

function statusNotice(
  told: Told,
  status: 'sent' | 'delivered' | 'read' | 'failed',
  at: number,
  fault?: GraphFault,
): Notice {
  const { request, wamid, person, pricing, conversationId } = told
  const { callbackData } = request
  return {
    kind: 'status',
    status,
    wamid,
    person,
    at,
    conversationId,
    pricing,
    ...(fault !== undefined && { fault }),
    ...(callbackData !== undefined && { callbackData }),
  }
}

function statusNotices(told: Told, outcome: Outcome, timings: Timings, fault: GraphFault | undefined): Notice[] {
  const { at } = told
  if (fault !== undefined) return [statusNotice(told, 'failed', at + timings.sent, fault)]
  const notices = [statusNotice(told, 'sent', at + timings.sent)]
  if (outcome.deliver === true) notices.push(statusNotice(told, 'delivered', at + timings.delivered))
  if (outcome.read === true) notices.push(statusNotice(told, 'read', at + timings.read))
  return notices
}

/** When each person last wrote; the ones heard of longest ago are forgotten first. */
interface Windows {
  open(person: Person, at: number): boolean
  heard(person: Person, at: number): void
}

function createWindows(): Windows {
  const last = new Map<string, number>()
  return {
    open: ({ userId }, at) => at - (last.get(userId) ?? -WINDOW) < WINDOW,
    heard({ userId }, at) {
      const newest = Math.max(at, last.get(userId) ?? 0)
      last.delete(userId)
      last.set(userId, newest)
      const [oldest] = last.keys()
      if (last.size > MOST_WINDOWS && oldest !== undefined) last.delete(oldest)
    },
  }
}

/** Throws when a second has had its share, or when too much is still to be told. */
function createPace({ clock, perSecond, pending }: MessagingOptions): { check(): void; count(): void } {
  let second = { start: 0, accepted: 0 }
  return {
    check() {
      const start = Math.floor(clock.now() / 1000)
      if (start !== second.start) second = { start, accepted: 0 }
      if (second.accepted >= perSecond || pending() > MOST_PENDING) throw new Refusal({ code: 130429 })
    },
    count() {
      second.accepted++
    },
  }
}

/** What the script says; throws the refusals among it. */
function choose({ script }: MessagingOptions, { person, content }: SendRequest): Outcome {
  const candidate = content.type === 'template' ? { template: content.name, step: 1 as const } : { step: 2 as const }
  const outcome = script.choose({ person, ...candidate })
  const { throttle, fail } = outcome
  if (throttle !== undefined) {
    const { code = 130429, status = 429, retryAfter } = throttle
    throw new Refusal({ code, status, ...(retryAfter !== undefined && { retryAfter }) })
  }
  if (fail?.at === 'answer') throw new Refusal({ code: fail.code })
  return outcome
}

function sentMessage({ request, wamid, person, at }: Told): SentMessage {
  const { content, callbackData } = request
  return {
    wamid,
    at,
    person,
    type: content.type,
    ...(content.type === 'template' && { template: content.name }),
    ...('body' in content && { body: content.body }),
    ...(callbackData !== undefined && { callbackData }),
  }
}

function newWamid(noise: Noise, direction: 'in' | 'out'): string {
  const head = direction === 'out' ? 'FQIAERgS' : 'FQIAEhgU'
  return `wamid.HBgL${head}${noise.bytes(18).toString('base64url')}A`
}

/** Plans all that will be told of an accepted message: its statuses, and what the person answers. */
function tell(options: MessagingOptions, told: Told, outcome: Outcome, template: Template | undefined): void {
  const { noise, timings, plan } = options
  const { delay = 0, duplicate = 0, reorder = false, reply } = outcome
  const fault = faultLater(options, told, outcome)
  const notices = statusNotices(told, outcome, timings, fault)
  const times = notices.map(({ at }) => at + delay)
  const planAll = (due: number, notice: Notice): void => {
    for (let copy = 0; copy <= duplicate; copy++) plan(due, notice)
  }
  const order = reorder ? notices.toReversed() : notices
  for (const [index, notice] of order.entries()) planAll(times[index] ?? notice.at, notice)
  if (reply === undefined || fault !== undefined) return
  const { person, wamid: contextId } = told
  const at = told.at + delay + Math.max(reply.after ?? 0, timings.sent)
  const content = replyContent(reply, told.request, template)
  planAll(at, { kind: 'message', wamid: newWamid(noise, 'in'), person, at, content, contextId })
}

/** How it fails after it was accepted. Meta tells of a closed window by webhook too. */
function faultLater({ enforceWindow }: MessagingOptions, told: Told, { fail }: Outcome): GraphFault | undefined {
  if (fail?.at === 'webhook') return { code: fail.code }
  const free = told.request.content.type !== 'template'
  return enforceWindow && free && !told.windowOpen ? { code: 131047 } : undefined
}

function answerTo({ request, wamid, person }: Told): object {
  const contact = {
    input: request.input,
    ...(person.phone !== undefined && { wa_id: person.phone }),
    user_id: person.userId,
  }
  const message = { id: wamid, ...(request.content.type === 'template' && { message_status: 'accepted' }) }
  return { messaging_product: 'whatsapp', contacts: [contact], messages: [message] }
}

export function createMessaging(options: MessagingOptions): Messaging {
  const { business, clock, noise, plan, findTemplate } = options
  const counts: MessagingCounts = { accepted: 0, refused: 0 }
  const sent: SentMessage[] = []
  const windows = createWindows()
  const pace = createPace(options)

  const accept = (body: unknown): Answer => {
    const request = readSendRequest(body)
    const { content } = request
    pace.check()
    if (request.person.phone === business.displayPhone) throw new Refusal({ code: 131021 })
    const template = content.type === 'template' ? findTemplate(content.name, content.language) : undefined
    checkTemplate(request, template)
    const outcome = choose(options, request)
    const person = outcome.hidePhone === true ? hidden(request.person) : request.person
    const at = clock.now()
    const windowOpen = windows.open(person, at)
    const pricing = pricingOf(template?.category.toLowerCase() ?? 'service', windowOpen, at)
    const conversationId = noise.bytes(16).toString('hex')
    const told: Told = { request, wamid: newWamid(noise, 'out'), person, at, windowOpen, pricing, conversationId }
    pace.count()
    counts.accepted++
    sent.push(sentMessage(told))
    // In one piece, because a shift for each message would move the whole list each time.
    if (sent.length > MOST_SENT * 2) sent.splice(0, sent.length - MOST_SENT)
    if (outcome.silence !== true) tell(options, told, outcome, template)
    return { outcome, body: answerTo(told) }
  }

  return {
    counts,
    receive(person, content, due, contextId) {
      const wamid = newWamid(noise, 'in')
      plan(due, { kind: 'message', wamid, person, at: due, content, ...(contextId !== undefined && { contextId }) })
      return wamid
    },
    accept(body) {
      try {
        return accept(body)
      } catch (error) {
        if (error instanceof Refusal) counts.refused++
        throw error
      }
    },
    arrived(notice) {
      if (notice.kind === 'message') windows.heard(notice.person, notice.at)
    },
    sent: () => sent.slice(-MOST_SENT),
  }
}
