import type { ServerResponse } from 'node:http'
import type { Cache } from 'palier'
import { createResponseCache } from './core.ts'
import { type Invalidation, invalidator } from './invalidates.ts'
import { NodeExchange, type NodeForm, type NodeRequest, presetOf } from './node.ts'
import { holdEnd } from './node-invalidates.ts'
import { type CacheResponseOptions, hostOf, type ResponseCacheOptions, type TypeName, type Types } from './options.ts'

/** What Express 4 and 5 and connect run before a handler. */
export type ExpressMiddleware<Req> = (request: Req, response: ServerResponse, next: (error?: unknown) => void) => void

export interface ExpressCache<T extends Types> {
  /**
   * Middleware that keeps the responses of the handlers after it in the given type. It stands behind whatever decides who may
   * see them. Throws PALIER_BAD_OPTION for options that are wrong.
   */
  cacheResponse<Req extends NodeRequest = NodeRequest>(
    type: TypeName<T>,
    options: CacheResponseOptions<Req>,
  ): ExpressMiddleware<Req>
  /** Middleware that deletes what the handlers after it have changed, before the end of their response leaves. */
  invalidates<Req extends NodeRequest = NodeRequest>(
    changed: Invalidation | ((request: Req) => Invalidation),
  ): ExpressMiddleware<Req>
}

const FORM: NodeForm = {
  views: ({ raw }) => [raw],
  preset: ({ response }) => presetOf(response),
  takeOver: () => undefined,
  async behind(run) {
    const { response, next } = run
    await run.answered()
    // Those who listened to this response have heard its end; from here on it is a stage.
    response.removeAllListeners()
    response.statusCode = 200
    response.statusMessage = ''
    return run.capture(response, true, next)
  },
}

/** The response cache as middleware of Express 4 and 5, and of connect. The cache stays the caller's, who closes it. */
export function expressCache<T extends Types>(cache: Cache<T>, options: ResponseCacheOptions = {}): ExpressCache<T> {
  const host = hostOf(cache)
  const responses = createResponseCache(host, options)
  return {
    cacheResponse(type, routeOptions) {
      const plan = responses.plan(type, routeOptions)
      const { settled } = responses
      return (request, response, next) => {
        const exchange = new NodeExchange(FORM, plan.route, settled, request, request, response, () => next())
        responses.handle(plan, exchange).catch(next)
      }
    },
    invalidates(changed) {
      const forget = invalidator(host, changed)
      return (request, response, next) => {
        holdEnd(response, () => forget(request))
        next()
      }
    },
  }
}
