export { type ClientKeyOptions, clientKey } from './limits/client-key.ts'
export {
  type ExpressHits,
  type ExpressRateLimitSettings,
  type ExpressRateLimitStore,
  type ExpressRateLimitStoreOptions,
  expressRateLimitStore,
} from './limits/express-store.ts'
export {
  type FastifyHits,
  type FastifyHitsCallback,
  type FastifyRateLimitStore,
  type FastifyRateLimitStoreConstructor,
  fastifyRateLimitStore,
} from './limits/fastify-store.ts'
export { type LimitCache, rateLimitCache } from './limits/limit-cache.ts'
export type { LimitHeaders } from './limits/limit-fields.ts'
export {
  type AddressedRequest,
  type LimitedReply,
  type LimitedResponse,
  limitRequests,
  limitRequestsHook,
  type LimitRequestsOptions,
} from './limits/limit-requests.ts'
export type { LimitStoreOptions } from './limits/store-options.ts'
export { countDecisions, type CountedLimiter, sessionMetrics, type SessionMetricsOptions } from './metrics.ts'
export { type ExpressCache, expressCache, type ExpressMiddleware } from './response/express.ts'
export {
  type FastifyCache,
  fastifyCache,
  type FastifyReplyLike,
  type FastifyRequestLike,
  type FastifyRouteCache,
  type FastifyRouteInvalidation,
} from './response/fastify.ts'
export { type FetchCache, fetchCache, type FetchHandler, type FetchWrapper } from './response/fetch.ts'
export { type FrontRoute, type NodeCache, nodeCache, type RequestListener } from './response/front.ts'
export {
  type HonoCache,
  honoCache,
  type HonoCacheOptions,
  type HonoContextLike,
  type HonoMiddleware,
} from './response/hono.ts'
export type { Invalidation } from './response/invalidates.ts'
export type { NodeRequest } from './response/node.ts'
export type { CacheResponseOptions, ResponseCacheOptions, ResponseScope } from './response/options.ts'
export { createSessionCache, type SessionCacheOptions } from './sessions/cache.ts'
export { type ExpressSession, expressSessionStore } from './sessions/express.ts'
export { fastifySessionStore } from './sessions/fastify.ts'
export type { OnConflict, SessionStoreOptions } from './sessions/options.ts'
export type { SessionStore, StoredSession } from './sessions/store.ts'
