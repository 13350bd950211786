import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { ACCOUNT } from './account.ts'
import { control } from './control.ts'
import type { Business, InboundContent } from './envelope.ts'
import { graphApi } from './graph-api.ts'
import { createMessaging, type MessagingCounts, type SentMessage, type Timings } from './messaging.ts'
import { createNoise } from './noise.ts'
import { hidden, type Person, personOfPhone, personOfUserId } from './person.ts'
import { createPump } from './pump.ts'
import { type ChooseOutcome, createScript, type Rule } from './rules.ts'
import { type Clock, createClock } from './schedule.ts'
import { SAMPLE_TEMPLATES, type Template } from './templates.ts'
import { type Batching, createWebhooks, type WebhookCounts } from './webhooks.ts'

/** All that an application needs to use the simulator as its WhatsApp. */
export interface SimulatedAccount extends Business {
  readonly token: string
  readonly appSecret: string
  readonly verifyToken: string
  readonly graphVersion: string
  readonly baseUrl: string
}

export interface SimulatorOptions {
  /** 0, any free one, unless said. */
  readonly port?: number
  /** 127.0.0.1 unless said. */
  readonly host?: string
  /** Where webhooks go; `deliverTo` says it later. Until then they wait. */
  readonly target?: string
  readonly account?: Partial<Omit<SimulatedAccount, 'baseUrl'>>
  readonly templates?: readonly Template[]
  readonly rules?: readonly Rule[]
  /** For messages that no rule matches: delivered and read unless said. */
  readonly otherwise?: ChooseOutcome
  /** Milliseconds since 1970; the wall clock unless said. Whoever gives one calls `settle`. */
  readonly now?: () => number
  /** Whether a real timer tells what is due. Unless said: yes on the wall clock, no with `now`. */
  readonly timer?: boolean
  /** From the acceptance to each status; all 0 unless said. */
  readonly timings?: Timings
  /** None share an envelope unless said. */
  readonly batching?: Batching
  /** Unless said a new one each time, because message ids must not come again after a restart. */
  readonly seed?: string
  /** Refuses free-form messages outside the 24-hour window, as Meta does. True unless said. */
  readonly enforceWindow?: boolean
  /** Messages accepted in a second of the clock, then 130429; no limit unless said. */
  readonly perSecond?: number
  /** Real milliseconds to wait for the target's answer; 10,000 unless said. */
  readonly webhookTimeout?: number
}

export interface Inbound {
  readonly phone?: string
  readonly userId?: string
  readonly name?: string
  /** The webhook knows the person by the user id alone. */
  readonly hidePhone?: boolean
  readonly content: InboundContent
  /** The message of the business that is answered. */
  readonly contextId?: string
}

export interface SimulatorState extends MessagingCounts, WebhookCounts {
  readonly now: number
  readonly target: string | undefined
  /** Notices and envelopes still to be told, due or not. */
  readonly pending: number
}

/** What its owner does with it, from code or over HTTP. */
export interface Controls {
  readonly clock: Clock
  /** The newest 20,000 accepted messages, oldest first. */
  sent(): readonly SentMessage[]
  /** Replaces the rules. */
  script(rules: readonly Rule[]): void
  rules(): readonly Rule[]
  /** A message of a person, now; returns its id. Throws a RangeError without a phone and a user id. */
  inbound(message: Inbound): string
  /** Sets the status and sends the webhook that says so; false when there is no such template. */
  setTemplateStatus(name: string, language: string, status: Template['status']): boolean
  deliverTo(url: string): void
  /** The handshake of a subscription: whether the target gives the challenge back. */
  verifyTarget(): Promise<boolean>
  /**
   * Tells all that is due, in order, also what becomes due by it, and resolves when each was acknowledged or put off
   * after an answer that was not 200. Without a target it does nothing.
   */
  settle(): Promise<void>
  state(): SimulatorState
}

export interface Simulator extends Controls {
  readonly url: string
  readonly app: FastifyInstance
  readonly account: SimulatedAccount
  /** Ends the server and what is being delivered; what is still to be told is forgotten. */
  close(): Promise<void>
}

const AT_ONCE: Timings = { sent: 0, delivered: 0, read: 0 }
const ALONE: Batching = { share: 0, most: 2 }

async function verify(target: string, verifyToken: string): Promise<boolean> {
  const challenge = randomUUID().replace(/\D/g, '')
  const url = new URL(target)
  url.searchParams.set('hub.mode', 'subscribe')
  url.searchParams.set('hub.verify_token', verifyToken)
  url.searchParams.set('hub.challenge', challenge)
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000), redirect: 'manual' })
    return response.status === 200 && (await response.text()) === challenge
  } catch {
    // Nobody listens there, or nobody answers.
    return false
  }
}

function personOf({ phone, userId, name, hidePhone = false }: Inbound): Person {
  if (phone === undefined) {
    if (userId === undefined) throw new RangeError('inbound: expected a phone or a userId, received neither')
    return personOfUserId(userId, name)
  }
  const known = personOfPhone(phone, name)
  const person = userId === undefined ? known : { ...known, userId }
  return hidePhone ? hidden(person) : person
}

function buildApp(): FastifyInstance {
  // The defaults drop what a schema does not know, and a misspelt rule would then do nothing, silently.
  const ajv = { customOptions: { removeAdditional: false as const } }
  const app = Fastify({ ajv, forceCloseConnections: true, bodyLimit: 1024 * 1024 })
  app.removeContentTypeParser('text/plain')
  return app
}

/** All but the sockets. */
function createParts(options: SimulatorOptions, business: typeof ACCOUNT) {
  const {
    now = Date.now,
    timer = options.now === undefined,
    otherwise = () => ({ deliver: true, read: true }),
  } = options
  const noise = createNoise(options.seed ?? randomUUID())
  const templates = [...(options.templates ?? SAMPLE_TEMPLATES)]
  const script = createScript(options.rules ?? [], otherwise)
  const clock = createClock(now, () => pump.wake())
  const webhooks = createWebhooks({
    business,
    appSecret: business.appSecret,
    clock,
    noise,
    batching: options.batching ?? ALONE,
    timeout: options.webhookTimeout ?? 10_000,
    happened: notice => messaging.arrived(notice),
  })
  const pump = createPump(webhooks.drain, webhooks.next, clock.now, timer)
  const messaging = createMessaging({
    business,
    clock,
    noise,
    script,
    timings: options.timings ?? AT_ONCE,
    enforceWindow: options.enforceWindow ?? true,
    perSecond: options.perSecond ?? Number.POSITIVE_INFINITY,
    plan: webhooks.plan,
    pending: () => webhooks.pending,
    findTemplate: (name, language) => templates.find(one => one.name === name && one.language === language),
  })
  webhooks.target = options.target
  return { noise, templates, script, clock, webhooks, pump, messaging }
}

type Parts = ReturnType<typeof createParts>

function controls({ templates, script, clock, webhooks, pump, messaging }: Parts, verifyToken: string): Controls {
  return {
    clock,
    sent: messaging.sent,
    script: script.set,
    rules: script.rules,
    inbound(message) {
      const wamid = messaging.receive(personOf(message), message.content, clock.now(), message.contextId)
      pump.wake()
      return wamid
    },
    setTemplateStatus(name, language, status) {
      const index = templates.findIndex(one => one.name === name && one.language === language)
      const found = templates[index]
      if (found === undefined) return false
      templates[index] = { ...found, status }
      const at = clock.now()
      webhooks.plan(at, { kind: 'template', id: found.id, name, language, event: status, at })
      pump.wake()
      return true
    },
    deliverTo(target) {
      webhooks.target = target
      pump.wake()
    },
    verifyTarget: async () => webhooks.target !== undefined && verify(webhooks.target, verifyToken),
    settle: pump.settle,
    state: () => ({
      now: clock.now(),
      target: webhooks.target,
      pending: webhooks.pending,
      ...messaging.counts,
      ...webhooks.counts,
    }),
  }
}

/** A Cloud API of one's own: the same paths, the same errors, signed webhooks, and people who do as the rules say. */
export async function createSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const secrets = { ...ACCOUNT, ...options.account }
  const parts = createParts(options, secrets)
  const { noise, templates, webhooks, pump, messaging } = parts
  const app = buildApp()
  const { token, verifyToken } = secrets
  const graph = { business: secrets, token, noise, messaging, templates: () => templates, planned: pump.wake }
  const steering = controls(parts, verifyToken)
  await app.register(graphApi, { ...graph, origin: () => url })
  await app.register(control, { ...steering, prefix: '/simulator' })
  const url = await app.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' })
  return {
    ...steering,
    url,
    app,
    account: { ...secrets, baseUrl: url },
    async close() {
      webhooks.close()
      await pump.stop()
      await app.close()
    },
  }
}
