import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Services } from '../services.ts'
import { apiKeyRoutes } from './api-key-routes.ts'
import { authRoutes, resetRoutes } from './auth-routes.ts'
import { userRoutes } from './user-routes.ts'

/** People, their sessions and their keys. Served under `/api/v1`. */
export const accessRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  await app.register(authRoutes, { services, prefix: '/auth' })
  await app.register(resetRoutes, { services, prefix: '/auth/password' })
  await app.register(userRoutes, { services, prefix: '/users' })
  await app.register(apiKeyRoutes, { services, prefix: '/api-keys' })
}
