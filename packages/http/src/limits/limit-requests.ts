import { badOption, checkFields, type Limited, type Limiter } from 'palier'
import { boundedKey, clientKey } from './client-key.ts'
import { checkHeaders, checkPolicyName, type Field, type LimitHeaders, limitFields, waitOf } from './limit-fields.ts'

export interface LimitRequestsOptions<R> {
  /** What is limited. Default: the client, by `clientKey` of its address as the framework knows it. Long keys are hashed. */
  readonly key?: (request: R) => string | Promise<string>
  /** How much a request takes, from 0, which only looks, to the limit. Default 1. */
  readonly cost?: (request: R) => number
  /** True for requests that are not limited. */
  readonly skip?: (request: R) => boolean
  /** What clients know the policy by, in printable ASCII. Default: the name of the limiter. */
  readonly name?: string
  /** Default `draft-8`. A denied request has a `Retry-After` whatever is chosen. */
  readonly headers?: LimitHeaders | false
  /**
   * Tells clients in draft-8 which key they were counted under, as a part of its SHA-256. Anybody can find out a key of few
   * possible ones from it, such as an address. Default false.
   */
  readonly partition?: boolean
  /** For the default key: see `clientKey`. */
  readonly ipv6Prefix?: number
}

/** What is asked of a request of node:http, Express or Fastify when no key is given. */
export interface AddressedRequest {
  readonly ip?: string | undefined
  readonly socket?: { readonly remoteAddress?: string | undefined } | undefined
}

/** What is asked of a response of node:http or Express. */
export interface LimitedResponse {
  statusCode: number
  readonly headersSent: boolean
  getHeader(name: string): unknown
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

/** What is asked of a reply of Fastify. */
export interface LimitedReply {
  getHeader(name: string): unknown
  header(name: string, value: string): unknown
  code(status: number): unknown
  send(body: string): unknown
}

interface Verdict {
  readonly fields: readonly Field[]
  /** Absent when the request may go on. */
  readonly denied?: { readonly status: number; readonly body: string }
}

type Judge<R> = (request: R) => Promise<Verdict>

const FIELDS = ['key', 'cost', 'skip', 'name', 'headers', 'partition', 'ipv6Prefix']
const PROBLEMS = 'https://iana.org/assignments/http-problem-types'
const PASS: Verdict = { fields: [] }

function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw badOption(name, 'a function', value)
}

function problem(decision: Limited, name: string): { readonly status: number; readonly body: string } {
  if (decision.source === 'policy') {
    const type = `${PROBLEMS}#temporary-reduced-capacity`
    return { status: 503, body: JSON.stringify({ type, title: 'Requests cannot be counted now', status: 503 }) }
  }
  const told = { type: `${PROBLEMS}#quota-exceeded`, title: 'Too many requests', status: 429 }
  return { status: 429, body: JSON.stringify({ ...told, 'violated-policies': [name] }) }
}

function createJudge<R extends object>(limiter: Limiter, options: LimitRequestsOptions<R>): Judge<R> {
  checkFields('options', options, FIELDS)
  const { key, cost, skip, name = limiter.name, headers = 'draft-8', partition = false, ipv6Prefix = 56 } = options
  for (const [field, value] of Object.entries({ key, cost, skip })) checkFunction(field, value)
  checkHeaders(headers)
  checkPolicyName(name)
  if (typeof partition !== 'boolean') throw badOption('partition', 'true or false', partition)
  clientKey('::1', { ipv6Prefix })
  const policy = { name, limit: limiter.limit, window: limiter.window }
  const keyOf =
    key ??
    ((request: R) => {
      const { ip, socket }: AddressedRequest = request
      return clientKey(ip ?? socket?.remoteAddress, { ipv6Prefix })
    })

  return async request => {
    if (skip?.(request) === true) return PASS
    const id = boundedKey(await keyOf(request))
    const decision = await limiter.take(id, cost?.(request) ?? 1)
    const fields = headers === false ? [] : limitFields(headers, policy, decision, partition ? id : undefined)
    if (decision.allowed) return { fields }
    const more = [
      { name: 'Retry-After', value: String(waitOf(decision)), joins: false },
      { name: 'Cache-Control', value: 'no-store', joins: false },
      { name: 'Content-Type', value: 'application/problem+json', joins: false },
    ]
    return { fields: [...fields, ...more], denied: problem(decision, name) }
  }
}

/** A field beside what it says already, where it may say several things. */
function joined({ value, joins }: Field, before: unknown): string {
  return joins && typeof before === 'string' && before !== '' ? `${before}, ${value}` : value
}

/**
 * Middleware for node:http and Express that takes from a limiter for every request: `app.use(limitRequests(limiter))`. What is
 * denied is answered here, with 429, or with 503 where an outage and the policy `closed` denied it, as a problem of RFC 9457.
 * Several may follow one another: the fields of draft-8 tell of each. Behind a proxy say `trust proxy` first. Errors, of `key`
 * for instance, go to `next`. Throws PALIER_BAD_OPTION.
 */
export function limitRequests<R extends object = AddressedRequest>(
  limiter: Limiter,
  options: LimitRequestsOptions<R> = {},
): (request: NoInfer<R>, response: LimitedResponse, next: (error?: unknown) => void) => void {
  const judge = createJudge(limiter, options)
  return (request, response, next) => {
    judge(request).then(({ fields, denied }) => {
      if (response.headersSent) return denied === undefined ? next() : undefined
      for (const each of fields) response.setHeader(each.name, joined(each, response.getHeader(each.name)))
      if (denied === undefined) return next()
      response.statusCode = denied.status
      response.end(denied.body)
    }, next)
  }
}

/** The same as a hook of Fastify: `app.addHook('onRequest', limitRequestsHook(limiter))`. Behind a proxy say `trustProxy` first. */
export function limitRequestsHook<R extends object = AddressedRequest>(
  limiter: Limiter,
  options: LimitRequestsOptions<R> = {},
): (request: NoInfer<R>, reply: LimitedReply) => Promise<unknown> {
  const judge = createJudge(limiter, options)
  return async (request, reply) => {
    const { fields, denied } = await judge(request)
    for (const each of fields) reply.header(each.name, joined(each, reply.getHeader(each.name)))
    if (denied === undefined) return undefined
    reply.code(denied.status)
    return reply.send(denied.body)
  }
}
