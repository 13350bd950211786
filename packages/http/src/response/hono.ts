import { AsyncLocalStorage } from 'node:async_hooks'
import { badOption, type Cache } from 'palier'
import { createResponseCache, type ResponseCache } from './core.ts'
import { createFetchExchange } from './fetch.ts'
import { type Invalidation, invalidator } from './invalidates.ts'
import { type Shadows, shadowing } from './shadow.ts'
import { type CacheResponseOptions, hostOf, type ResponseCacheOptions, type TypeName, type Types } from './options.ts'

/** What is used of a context of Hono. */
export interface HonoContextLike {
  readonly req: { raw: Request }
  get res(): Response
  set res(response: Response | undefined)
  readonly env: unknown
  /** What earlier middleware has set. */
  readonly var: object
  readonly get: unknown
}

export type HonoMiddleware<C> = (context: C, next: () => Promise<void>) => Promise<Response | void>

export interface HonoCacheOptions extends ResponseCacheOptions {
  /**
   * Sends a request through the application again, `(request, env) => app.fetch(request, env)`: how an old response is made anew
   * behind a client's back. Without it the client waits, and gets the old response only when the handler fails.
   */
  readonly fetch?: (request: Request, env: unknown) => Response | Promise<Response>
}

export interface HonoCache<T extends Types> {
  /** Middleware that keeps the responses of what follows it in the given type. Throws PALIER_BAD_OPTION for options that are wrong. */
  cacheResponse<C extends HonoContextLike = HonoContextLike>(
    type: TypeName<T>,
    options: CacheResponseOptions<C>,
  ): HonoMiddleware<C>
  /** Middleware that deletes what the handlers after it have changed, before their response leaves. */
  invalidates<C extends HonoContextLike = HonoContextLike>(
    changed: Invalidation | ((context: C) => Invalidation),
  ): HonoMiddleware<C>
}

/** Tells when a handler reads what middleware before the cache has left in the context: it may be of one client. */
function watch(context: HonoContextLike, tell: () => void): Shadows {
  const shadows = shadowing(context)
  const { var: before, get } = context
  const left = new Set(Object.keys(before).filter(name => Reflect.get(before, name) !== undefined))
  if (left.size === 0 || typeof get !== 'function') return shadows
  shadows.value('get', (name: string) => {
    if (left.has(name)) tell()
    return (get as (name: string) => unknown)(name)
  })
  shadows.getter('var', () => {
    tell()
    return before
  })
  return shadows
}

/** The response cache as middleware of Hono. The cache stays the caller's, who closes it. */
export function honoCache<T extends Types>(cache: Cache<T>, options: HonoCacheOptions = {}): HonoCache<T> {
  const { fetch, ...rest } = options
  if (fetch !== undefined && typeof fetch !== 'function') throw badOption('fetch', 'a function', fetch)
  const host = hostOf(cache)
  const responses: ResponseCache = createResponseCache(host, rest)
  /** Set while this process sends a request to itself. */
  const refreshes = new AsyncLocalStorage<true>()

  return {
    cacheResponse<C extends HonoContextLike>(type: TypeName<T>, routeOptions: CacheResponseOptions<C>) {
      const plan = responses.plan(type, routeOptions)
      return async (context: C, next: () => Promise<void>) => {
        if (refreshes.getStore() === true) return next()
        const request = context.req.raw
        let read: string | undefined
        const run = async (own: Request): Promise<Response> => {
          const watched =
            own === request || plan.route.scope !== 'public' ? undefined : watch(context, () => (read = 'var'))
          context.req.raw = own
          try {
            await next()
          } finally {
            watched?.restore()
            context.req.raw = request
          }
          const { res } = context
          // Hono adds the headers of the response that was set before to the next one.
          context.res = undefined
          return res
        }
        const behind = fetch && ((own: Request) => refreshes.run(true, async () => fetch(own, context.env)))
        const parts = { request, route: plan.route, settled: responses.settled, run, behind, read: () => read }
        context.res = await responses.handle(plan, createFetchExchange(context, parts))
      }
    },
    invalidates(changed) {
      const forget = invalidator(host, changed)
      return async (context, next) => {
        await next()
        if (context.res.status < 400) await forget(context)
      }
    },
  }
}
