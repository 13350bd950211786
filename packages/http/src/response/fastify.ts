import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Cache } from 'palier'
import { linesOf } from './capture.ts'
import { createResponseCache, type Plan, type ResponseCache } from './core.ts'
import { type Invalidation, invalidator } from './invalidates.ts'
import { isCovered, narrow, type Narrowed } from './narrow.ts'
import { NodeExchange, type NodeForm, type NodeRun } from './node.ts'
import { type CacheResponseOptions, hostOf, type ResponseCacheOptions, type TypeName, type Types } from './options.ts'
import { chosenTarget } from './request-key.ts'
import { shadowing } from './shadow.ts'
import type { Captured } from './storable.ts'

interface Injected {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, OutgoingHttpHeader | undefined>>
  readonly rawPayload: Uint8Array
}

/** What is used of a request of Fastify. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage
  readonly url: string
  readonly server: {
    inject(options: { method: 'GET'; url: string; headers: Record<string, string | string[]> }): PromiseLike<Injected>
  }
}

/** What is used of a reply of Fastify. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse
  readonly statusCode: number
  hijack(): unknown
  send(payload?: unknown): unknown
  getHeaders(): Readonly<Record<string, OutgoingHttpHeader | undefined>>
}

/** Options to give to a route, or to spread into those it has. */
export interface FastifyRouteCache {
  readonly preHandler: (request: FastifyRequestLike, reply: FastifyReplyLike, done: (error?: Error) => void) => void
}

export interface FastifyRouteInvalidation {
  readonly onSend: (request: FastifyRequestLike, reply: FastifyReplyLike, payload: unknown) => Promise<unknown>
}

export interface FastifyCache<T extends Types> {
  /**
   * Options of a route whose responses are kept in the given type. The cache answers in a `preHandler`, behind the hooks that
   * decide who may see them; a hit is written at once, and no `onSend` hook sees it. Throws PALIER_BAD_OPTION for options
   * that are wrong.
   */
  cacheResponse<Req extends FastifyRequestLike = FastifyRequestLike>(
    type: TypeName<T>,
    options: CacheResponseOptions<Req>,
  ): FastifyRouteCache
  /** Options of a route that deletes what its handler has changed before the response leaves. */
  invalidates<Req extends FastifyRequestLike = FastifyRequestLike>(
    changed: Invalidation | ((request: Req) => Invalidation),
  ): FastifyRouteInvalidation
}

type Preset = ReadonlyMap<string, OutgoingHttpHeader>

/** A request that this process sends to itself, to make a response anew behind the back of a client. */
interface Refresh {
  preset: Preset
  narrowed?: Narrowed
}

function presetOf(reply: FastifyReplyLike): Preset {
  const preset = new Map<string, OutgoingHttpHeader>()
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) preset.set(name, value)
  return preset
}

async function inject<Req extends FastifyRequestLike>(
  request: Req,
  { route }: Plan<Req>,
  refreshes: AsyncLocalStorage<Refresh>,
): Promise<Captured> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(request.raw.headers)) {
    if (value !== undefined && name !== 'connection' && isCovered(name, route)) headers[name] = value
  }
  const url = route.query === undefined ? request.url : chosenTarget(request.url, route.query)
  const refresh: Refresh = { preset: new Map() }
  const answer = await refreshes.run(refresh, async () => {
    // Fastify begins only when it is waited for: that must happen in here.
    const injected = await request.server.inject({ method: 'GET', url, headers })
    return injected
  })
  return {
    kind: 'whole',
    status: answer.statusCode,
    headers: linesOf(Object.entries(answer.headers)),
    inherited: new Map([...refresh.preset].map(([name, value]) => [name, String(value)])),
    body: answer.rawPayload,
    read: refresh.narrowed?.read,
  }
}

/** Calls `told` when the handler has answered: Fastify sends what a handler returns in the same way. */
function onSend(reply: FastifyReplyLike, told: () => void): void {
  const shadows = shadowing(reply)
  const send = reply.send.bind(reply)
  shadows.value('send', (payload: unknown) => {
    shadows.restore()
    told()
    return send(payload)
  })
}

/** A class, because one is made for every hit. */
class FastifyForm implements NodeForm {
  readonly #request: FastifyRequestLike
  readonly #reply: FastifyReplyLike
  readonly #send: () => Promise<Captured>

  constructor(request: FastifyRequestLike, reply: FastifyReplyLike, send: () => Promise<Captured>) {
    this.#request = request
    this.#reply = reply
    this.#send = send
  }

  views(): readonly object[] {
    return [this.#request.raw, this.#request]
  }

  preset(): Preset {
    return presetOf(this.#reply)
  }

  takeOver({ response }: NodeRun, preset: Preset): void {
    this.#reply.hijack()
    for (const [name, value] of preset) response.setHeader(name, value)
  }

  behind(): Promise<Captured> {
    return this.#send()
  }

  onHandled(told: () => void): void {
    onSend(this.#reply, told)
  }
}

/** The response cache as options of Fastify routes. The cache stays the caller's, who closes it. */
export function fastifyCache<T extends Types>(cache: Cache<T>, options: ResponseCacheOptions = {}): FastifyCache<T> {
  const host = hostOf(cache)
  const responses: ResponseCache = createResponseCache(host, options)
  const refreshes = new AsyncLocalStorage<Refresh>()

  function handle<Req extends FastifyRequestLike>(
    plan: Plan<Req>,
    request: Req,
    reply: FastifyReplyLike,
    done: (error?: Error) => void,
  ): void {
    const refresh = refreshes.getStore()
    if (refresh !== undefined) {
      refresh.preset = presetOf(reply)
      const narrowed = narrow(request.raw, reply.raw, [request.raw, request], plan.route)
      refresh.narrowed = narrowed
      onSend(reply, () => narrowed.handled())
      return done()
    }
    const form = new FastifyForm(request, reply, () => inject(request, plan, refreshes))
    const { settled } = responses
    const exchange = new NodeExchange<Req>(form, plan.route, settled, request, request.raw, reply.raw, () => done())
    responses.handle(plan, exchange).catch((error: unknown) => {
      done(error instanceof Error ? error : new Error(String(error)))
    })
  }

  return {
    cacheResponse<Req extends FastifyRequestLike>(type: TypeName<T>, routeOptions: CacheResponseOptions<Req>) {
      const plan = responses.plan(type, routeOptions)
      return {
        preHandler: (request, reply, done) => handle(plan, request as Req, reply, done),
      } satisfies FastifyRouteCache
    },
    invalidates<Req extends FastifyRequestLike>(changed: Invalidation | ((request: Req) => Invalidation)) {
      const forget = invalidator(host, changed)
      return {
        async onSend(request, reply, payload) {
          if (reply.statusCode < 400) await forget(request as Req)
          return payload
        },
      } satisfies FastifyRouteInvalidation
    },
  }
}
