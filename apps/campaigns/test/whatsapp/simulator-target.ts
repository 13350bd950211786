import { verifySignature } from '@kapso/whatsapp-cloud-api/server'
import Fastify from 'fastify'
import { onTestFinished } from 'vitest'
import { createSimulator, type Simulator, type SimulatorOptions } from '../../simulator/simulator.ts'

export interface Webhook {
  readonly bytes: Buffer
  readonly signature: string
  readonly envelope: Envelope
}

export interface Envelope {
  readonly object: string
  readonly entry: readonly { readonly id: string; readonly changes: readonly Change[] }[]
}

interface Change {
  readonly field: string
  readonly value: {
    readonly metadata?: { readonly display_phone_number: string; readonly phone_number_id: string }
    readonly contacts?: readonly Readonly<Record<string, unknown>>[]
    readonly messages?: readonly Item[]
    readonly statuses?: readonly Item[]
    readonly [name: string]: unknown
  }
}

export type Item = { readonly id: string; readonly timestamp: string } & Readonly<Record<string, unknown>>

export interface Target {
  readonly url: string
  readonly webhooks: Webhook[]
  /** What each webhook is answered with; 200 unless said. */
  answer: (webhook: Webhook) => number
  /** Answers wait for this. */
  held: Promise<void>
  /** All statuses and messages, in the order of arrival. */
  items(): Item[]
  statuses(): Item[]
  messages(): Item[]
}

/** The other end of the webhooks: a real server that keeps the exact bytes. */
export async function startTarget(verifyToken = 'simulator-verify-token'): Promise<Target> {
  const app = Fastify({ forceCloseConnections: true })
  const webhooks: Webhook[] = []
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.get<{ Querystring: Record<string, string> }>('/hook', async ({ query }, reply) =>
    query['hub.verify_token'] === verifyToken ? query['hub.challenge'] : reply.code(403).send(),
  )
  app.post<{ Body: Buffer }>('/hook', async ({ body, headers }, reply) => {
    const signature = String(headers['x-hub-signature-256'])
    const webhook = { bytes: body, signature, envelope: JSON.parse(body.toString('utf8')) as Envelope }
    webhooks.push(webhook)
    await target.held
    return reply.code(target.answer(webhook)).send()
  })
  const values = (): Change['value'][] =>
    webhooks.flatMap(({ envelope }) => envelope.entry.flatMap(({ changes }) => changes.map(({ value }) => value)))
  const target: Target = {
    url: `${await app.listen({ port: 0, host: '127.0.0.1' })}/hook`,
    webhooks,
    answer: () => 200,
    held: Promise.resolve(),
    items: () => values().flatMap(({ messages = [], statuses = [] }) => [...messages, ...statuses]),
    statuses: () => values().flatMap(({ statuses = [] }) => statuses),
    messages: () => values().flatMap(({ messages = [] }) => messages),
  }
  onTestFinished(() => app.close())
  return target
}

export const NOON: number = Date.UTC(2026, 5, 15, 12)

export interface Bench {
  readonly simulator: Simulator
  readonly target: Target
  post(body: unknown, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
  /** The code of the error, when it is one. */
  readonly code: number | undefined
  readonly wamid: string
}

/** A simulator on a manual clock that stands at noon, with a target that acknowledges. */
export async function startBench(options: SimulatorOptions = {}): Promise<Bench> {
  const target = await startTarget()
  const simulator = await createSimulator({ now: () => NOON, seed: 'bench', target: target.url, ...options })
  onTestFinished(() => simulator.close())
  const { account } = simulator
  return {
    simulator,
    target,
    async post(body, headers = { authorization: `Bearer ${account.token}` }) {
      const url = `${simulator.url}/v23.0/${account.phoneNumberId}/messages`
      const json = { 'content-type': 'application/json' }
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const response = await fetch(url, { method: 'POST', headers: { ...json, ...headers }, body: text })
      const answer = (await response.json()) as { error?: { code: number }; messages?: { id: string }[] }
      return {
        status: response.status,
        headers: response.headers,
        body: answer,
        code: answer.error?.code,
        wamid: answer.messages?.[0]?.id ?? '',
      }
    },
  }
}

export const base = { messaging_product: 'whatsapp', recipient_type: 'individual' }

/** The sample template in French, to this phone or user id. */
export function offer(to: string, more: object = {}): object {
  const who = to.includes('.') ? { recipient: to } : { to }
  const parameters = ['Zoë', '30 juin'].map(text => ({ type: 'text', text }))
  const tap = [{ type: 'payload', payload: 'YES:1' }]
  const components = [
    { type: 'body', parameters },
    { type: 'button', sub_type: 'quick_reply', index: '0', parameters: tap },
  ]
  return {
    ...base,
    ...who,
    type: 'template',
    template: { name: 'spring_offer', language: { code: 'fr' }, components },
    ...more,
  }
}

export function textTo(to: string, body = 'Bonjour'): object {
  return { ...base, ...(to.includes('.') ? { recipient: to } : { to }), type: 'text', text: { body } }
}

export function verified({ bytes, signature }: Webhook, appSecret: string): boolean {
  return verifySignature({ appSecret, rawBody: bytes, signatureHeader: signature })
}
