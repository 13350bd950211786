import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Cache } from 'palier'
import { createResponseCache, type Plan, type ResponseCache } from './core.ts'
import { NodeExchange, type NodeForm, type NodeRequest, presetOf } from './node.ts'
import { type CacheResponseOptions, hostOf, type ResponseCacheOptions, type TypeName, type Types } from './options.ts'

/** What `http.createServer` takes; an application of Express is one. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown

export interface FrontRoute<T extends Types, Req> extends CacheResponseOptions<Req> {
  readonly type: TypeName<T>
}

export interface NodeCache<T extends Types> {
  /**
   * A listener in front of another one: a hit never enters the framework, so nothing in it decides who may see the response.
   * `route` says how a request is cached, or undefined to let it pass by; give the same object for requests that are cached
   * alike. An error of `route` or of the listener is answered with status 500, and a warning of the process.
   */
  listen<Req extends NodeRequest = NodeRequest>(
    listener: RequestListener,
    route: (request: Req) => FrontRoute<T, Req> | undefined,
  ): (request: IncomingMessage, response: ServerResponse) => void
}

/** The response cache in front of any listener of Node's HTTP server. The cache stays the caller's, who closes it. */
export function nodeCache<T extends Types>(cache: Cache<T>, options: ResponseCacheOptions = {}): NodeCache<T> {
  const responses: ResponseCache = createResponseCache(hostOf(cache), options)
  return {
    listen<Req extends NodeRequest>(
      listener: RequestListener,
      route: (request: Req) => FrontRoute<T, Req> | undefined,
    ): (request: IncomingMessage, response: ServerResponse) => void {
      const planFor = plansOf<T, Req>(responses)
      const form = formOf(listener)
      return (request, response) => {
        const own = request as Req
        const fail = (error: unknown): void => refuse(response, error)
        let plan: Plan<Req> | undefined
        try {
          const chosen = route(own)
          plan = chosen === undefined ? undefined : planFor(chosen)
        } catch (error) {
          return fail(error)
        }
        if (plan === undefined) return void listener(request, response)
        const next = (): void => start(listener, request, response)
        const exchange = new NodeExchange<Req>(form, plan.route, responses.settled, own, own, response, next)
        return void responses.handle(plan, exchange).catch(fail)
      }
    },
  }
}

/** Plans by the object a route gives; objects made for one request share what is remembered of their type. */
function plansOf<T extends Types, Req>(responses: ResponseCache): (route: FrontRoute<T, Req>) => Plan<Req> {
  const plans = new WeakMap<object, Plan<Req>>()
  const sights = new Map<string, Plan<Req>['sights']>()
  return route => {
    const known = plans.get(route)
    if (known !== undefined) return known
    const { type, ...routeOptions } = route
    const made = responses.plan<Req>(type, routeOptions)
    const shared = sights.get(type) ?? made.sights
    sights.set(type, shared)
    const plan = { ...made, sights: shared }
    plans.set(route, plan)
    return plan
  }
}

function formOf(listener: RequestListener): NodeForm {
  return {
    views: ({ raw }) => [raw],
    preset: ({ response }) => presetOf(response),
    takeOver: () => undefined,
    behind(run) {
      const { raw } = run
      const stage = new ServerResponse(raw)
      return run.capture(stage, true, () => start(listener, raw, stage))
    },
  }
}

/** Runs the listener; a failure of its own is a response with status 500, which is never kept. */
function start(listener: RequestListener, request: IncomingMessage, response: ServerResponse): void {
  const fail = (error: unknown): void => refuse(response, error)
  try {
    const result = listener(request, response)
    if (result instanceof Promise) result.catch(fail)
  } catch (error) {
    fail(error)
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(500, { 'cache-control': 'no-store', 'content-length': 0 })
  response.end()
}
