import { GraphApiError, WhatsAppClient } from '@kapso/whatsapp-cloud-api'
import { CloudApiRefusal, classify, type ErrorClass } from './errors.ts'
import type { Outgoing, RemoteTemplate, Sent, WhatsApp, WhatsAppAccount } from './port.ts'

/**
 * The real Cloud API behind the port. The library builds, validates and parses; what is ours is the exact outcome: a
 * message is tried again only when it certainly was not sent, because sending twice cannot be undone.
 */
export interface CloudApiOptions {
  /** The platform's unless said. */
  readonly fetch?: typeof globalThis.fetch
  /** Milliseconds for a whole answer, 20,000 unless said. */
  readonly timeout?: number
}

const TIMEOUT = 20_000
const LONGEST_DETAIL = 500
const LONGEST_RETRY_AFTER = 24 * 3_600_000
const TEMPLATE_FIELDS = 'name,language,status,category,quality_score,components'
const TEMPLATES_PER_PAGE = 100
/** An account may have 6,000 templates; a chain longer than this is a loop. */
const MOST_PAGES = 200
/** Codes for what never left this process: an invalid parameter, and a service that cannot be reached. */
const NOT_VALID = 100
const NOT_REACHED = 503

/** Graph quotes a malformed token in its message, so details are cleaned of ours and of whatever looks like one. */
function clean(text: string, { token }: WhatsAppAccount): string {
  const safe = token === '' ? text : text.replaceAll(token, '[token]')
  return safe.replace(/\bEAA[A-Za-z0-9]{8,}/g, '[token]').slice(0, LONGEST_DETAIL)
}

interface Exchange {
  readonly fetch: typeof globalThis.fetch
  /** Whether a request was handed to the network. */
  left(): boolean
}

function createExchange(fetch: typeof globalThis.fetch, signal: AbortSignal): Exchange {
  let left = false
  return {
    left: () => left,
    async fetch(input, init) {
      signal.throwIfAborted()
      // A redirect would carry the message, or the token, to an address that nobody has configured.
      const request = new Request(input, { ...init, signal, redirect: 'manual' })
      left = true
      return fetch(request)
    },
  }
}

function openClient({ token, baseUrl, graphVersion }: WhatsAppAccount, { fetch }: Exchange): WhatsAppClient {
  return new WhatsAppClient({ accessToken: token, baseUrl, graphVersion, fetch })
}

async function post(client: WhatsAppClient, { phoneNumberId }: WhatsAppAccount, message: Outgoing): Promise<unknown> {
  const { to, content, messageId } = message
  const whom = 'phone' in to ? { to: to.phone } : { recipient: to.userId }
  const base = { phoneNumberId, ...whom, bizOpaqueCallbackData: messageId }
  if (content.type === 'text') return client.messages.sendText({ ...base, body: content.body })
  if (content.type === 'interactive') {
    return client.messages.sendInteractiveButtons({ ...base, bodyText: content.body, buttons: [...content.buttons] })
  }
  const { name, language, components } = content
  const template = { name, language: { code: language }, components: components as { type: string }[] }
  return client.messages.sendTemplate({ ...base, template })
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined
}

function readAccepted(answer: unknown): Sent {
  const wamid = field(first(field(answer, 'messages')), 'id')
  if (typeof wamid !== 'string' || wamid === '') {
    return { outcome: 'unknown', detail: 'The answer said that it went well, but held no message id.' }
  }
  const contact = first(field(answer, 'contacts'))
  const waId = field(contact, 'waId')
  const userId = field(contact, 'userId')
  return {
    outcome: 'accepted',
    wamid,
    ...(typeof waId === 'string' && { waId }),
    ...(typeof userId === 'string' && { userId }),
  }
}

/** Whether Meta itself spoke, and not a gateway on the way, whose 502 may hide a message that was sent. */
function hasEnvelope({ raw }: GraphApiError): boolean {
  return typeof field(field(raw, 'error'), 'code') === 'number'
}

function describe(error: GraphApiError, account: WhatsAppAccount): string {
  if (!hasEnvelope(error)) return `HTTP ${error.httpStatus} without a readable error.`
  const text = error.details === undefined ? error.message : `${error.message}: ${error.details}`
  return clean(text, account)
}

function readError(error: GraphApiError, account: WhatsAppAccount): Sent {
  const { httpStatus, code, retry } = error
  const detail = describe(error, account)
  const envelope = hasEnvelope(error)
  // 408 comes from gateways that gave up waiting, which says nothing of the message.
  const certain = envelope || (httpStatus >= 300 && httpStatus < 500 && httpStatus !== 408)
  if (!certain) return { outcome: 'unknown', detail }
  const after = retry.retryAfterMs
  return {
    outcome: 'refused',
    code: envelope ? code : httpStatus,
    errorClass: envelope ? classify(code, httpStatus) : classify(httpStatus),
    detail,
    ...(after !== undefined && { retryAfter: Math.min(after, LONGEST_RETRY_AFTER) }),
  }
}

const NEVER_LEFT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  // The handshake failed, so no request was written.
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

function causeOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined
  const code = field(cause, 'code')
  return typeof code === 'string' ? code : undefined
}

interface Failure {
  /** Whether the other side may have acted on the request. */
  readonly uncertain: boolean
  readonly code: number
  readonly errorClass: ErrorClass
  readonly detail: string
}

/** Why there was no answer. Never the text of the error, in which a header or an address could be quoted. */
function readFailure(error: unknown, left: boolean, stopped: boolean): Failure {
  const cause = causeOf(error)
  if (cause !== undefined && NEVER_LEFT.has(cause)) {
    const detail = `The Cloud API could not be reached (${cause}).`
    return { uncertain: false, code: NOT_REACHED, errorClass: 'transient', detail }
  }
  if (left) {
    const timedOut = error instanceof Error && error.name === 'TimeoutError'
    const why = timedOut ? 'no answer came in time' : 'the connection broke before the answer was whole'
    const detail = `The request left, but ${why}${cause === undefined ? '' : ` (${cause})`}.`
    return { uncertain: true, code: NOT_REACHED, errorClass: 'transient', detail }
  }
  if (stopped) {
    return { uncertain: false, code: NOT_REACHED, errorClass: 'transient', detail: 'Stopped before the request left.' }
  }
  return { uncertain: false, code: NOT_VALID, errorClass: 'parameter', detail: readRefusal(error) }
}

/** The library refused the content, or no request could be made of the account's settings. */
function readRefusal(error: unknown): string {
  const issues = field(error, 'issues')
  const named = Array.isArray(issues)
    ? issues.map(issue => `${String(field(issue, 'path'))}: ${String(field(issue, 'message'))}`).join('; ')
    : 'the content, or the address and token of the account, are not valid'
  return `The request could not be built: ${named}`.slice(0, LONGEST_DETAIL)
}

function within(timeout: number, signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(timeout)
  return signal === undefined ? limit : AbortSignal.any([limit, signal])
}

interface Reach {
  readonly fetch: typeof globalThis.fetch
  readonly timeout: number
}

async function send(reach: Reach, account: WhatsAppAccount, message: Outgoing, caller?: AbortSignal): Promise<Sent> {
  const signal = within(reach.timeout, caller)
  const exchange = createExchange(reach.fetch, signal)
  try {
    return readAccepted(await post(openClient(account, exchange), account, message))
  } catch (error) {
    if (error instanceof GraphApiError) return readError(error, account)
    const { uncertain, ...failure } = readFailure(error, exchange.left(), signal.aborted)
    return uncertain ? { outcome: 'unknown', detail: failure.detail } : { outcome: 'refused', ...failure }
  }
}

async function templates(reach: Reach, account: WhatsAppAccount, caller?: AbortSignal): Promise<RemoteTemplate[]> {
  const signal = within(reach.timeout, caller)
  const exchange = createExchange(reach.fetch, signal)
  try {
    return await listTemplates(openClient(account, exchange), account)
  } catch (error) {
    if (error instanceof CloudApiRefusal) throw error
    const { code, errorClass, detail } = readFailure(error, exchange.left(), signal.aborted)
    throw new CloudApiRefusal(code, errorClass, detail)
  }
}

function readTemplate(value: unknown): RemoteTemplate {
  const text = (name: string): string => {
    const found = field(value, name)
    return typeof found === 'string' ? found : ''
  }
  const score = field(field(value, 'quality_score'), 'score')
  const components = field(value, 'components')
  return {
    name: text('name'),
    language: text('language'),
    category: text('category'),
    status: text('status'),
    quality: typeof score === 'string' ? score : 'UNKNOWN',
    components: Array.isArray(components) ? components : [],
  }
}

interface Page {
  readonly data: readonly unknown[]
  readonly paging: unknown
}

async function readPage(response: Response, account: WhatsAppAccount): Promise<Page> {
  const text = await response.text()
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    // Not JSON at all: told below, by the status or as a list that cannot be read.
    body = undefined
  }
  if (!response.ok) {
    const error = GraphApiError.fromResponse(response, body)
    const code = hasEnvelope(error) ? error.code : response.status
    throw new CloudApiRefusal(code, classify(code, response.status), describe(error, account))
  }
  const data = field(body, 'data')
  if (!Array.isArray(data)) {
    throw new CloudApiRefusal(response.status, 'transient', 'The list of templates could not be read.')
  }
  return { data, paging: field(body, 'paging') }
}

/** The next page, at the account's own origin or not at all: the token goes with the request. */
function nextPage(paging: unknown, { baseUrl }: WhatsAppAccount): URL | undefined {
  const next = field(paging, 'next')
  if (typeof next !== 'string') return undefined
  const url = URL.canParse(next) ? new URL(next) : undefined
  if (url?.origin !== new URL(baseUrl).origin) {
    throw new CloudApiRefusal(NOT_VALID, 'other', 'The list of templates goes on at another address; not followed.')
  }
  // Graph puts the token into the address, where logs would find it; it is sent as a header.
  url.searchParams.delete('access_token')
  return url
}

async function listTemplates(client: WhatsAppClient, account: WhatsAppAccount): Promise<RemoteTemplate[]> {
  const query = { fields: TEMPLATE_FIELDS, limit: TEMPLATES_PER_PAGE }
  const templates: RemoteTemplate[] = []
  let next: URL | undefined
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    // Raw, because the library rewrites the names inside components, which are to be kept as Meta has them.
    const response: Response =
      next === undefined
        ? await client.request('GET', `${account.wabaId}/message_templates`, { query })
        : await client.fetch(next.href)
    const page = await readPage(response, account)
    templates.push(...page.data.map(readTemplate))
    next = nextPage(page.paging, account)
    if (next === undefined) return templates
  }
  throw new CloudApiRefusal(NOT_VALID, 'other', 'The list of templates does not end.')
}

/** The Cloud API over HTTP. */
export function createCloudApi({ fetch = globalThis.fetch, timeout = TIMEOUT }: CloudApiOptions = {}): WhatsApp {
  const reach: Reach = { fetch, timeout }
  return {
    send: (account, message, signal) => send(reach, account, message, signal),
    templates: (account, signal) => templates(reach, account, signal),
  }
}
