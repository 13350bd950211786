import type { FastifyInstance } from 'fastify'
import { accessRoutes } from './access/routes.ts'
import { campaignRoutes } from './campaigns/routes.ts'
import { categoryList, categoryRoutes } from './categories/routes.ts'
import { contactRoutes } from './contacts/routes.ts'
import { publicPageRoutes } from './content/public-routes.ts'
import { contentRoutes } from './content/routes.ts'
import { dashboardRoutes } from './dashboard/routes.ts'
import { eventRoutes } from './events/routes.ts'
import { historyRoutes } from './history/routes.ts'
import { mailRoutes } from './mail/routes.ts'
import { jobRoutes } from './jobs/routes.ts'
import { tickRoute } from './jobs/tick-route.ts'
import { mediaFileRoutes, mediaRoutes } from './media/routes.ts'
import { messageRoutes, messageStats } from './messages/routes.ts'
import { cacheConsole } from './operations/cache-console.ts'
import { cacheEventRoutes } from './operations/cache-events.ts'
import { metricsRoute } from './operations/metrics-route.ts'
import { probeRoutes } from './operations/probes.ts'
import { searchRoutes } from './search/routes.ts'
import type { Services } from './services.ts'
import { settingsRoutes } from './settings/routes.ts'
import { templateRoutes } from './templates/routes.ts'
import { accountRoutes } from './whatsapp/account-routes.ts'
import { rateRoutes } from './whatsapp/rate-routes.ts'
import { webhookRoutes } from './whatsapp/webhook-routes.ts'

const V1 = '/api/v1'

/** Every route of the application, under the addresses it is known by: `/api/v1/…`, and the short ones some clients use. */
export async function registerRoutes(app: FastifyInstance, services: Services): Promise<void> {
  const at = (prefix: string) => ({ services, prefix })
  await app.register(accessRoutes, at(V1))
  await app.register(historyRoutes, at(`${V1}/admin/history`))
  await app.register(mailRoutes, at(`${V1}/settings/mail`))
  await app.register(contactRoutes, at(`${V1}/contacts`))
  await app.register(categoryRoutes, at(`${V1}/categories`))
  await app.register(messageRoutes, at(`${V1}/messages`))
  await app.register(campaignRoutes, at(`${V1}/campaigns`))
  await app.register(templateRoutes, at(`${V1}/templates`))
  await app.register(rateRoutes, at(`${V1}/whatsapp/rates`))
  await app.register(settingsRoutes, at(`${V1}/settings`))
  await app.register(contentRoutes, at(`${V1}/content`))
  await app.register(mediaRoutes, at(`${V1}/media`))
  await app.register(searchRoutes, at(`${V1}/search`))
  for (const plugin of [publicPageRoutes, mediaFileRoutes]) await app.register(plugin, { services })
  await app.register(jobRoutes, at(`${V1}/jobs`))
  await app.register(accountRoutes, at(`${V1}/whatsapp/accounts`))
  await app.register(webhookRoutes, at('/webhooks/whatsapp'))
  await app.register(tickRoute, { services })
  for (const prefix of [`${V1}/categories`, '/categories']) await app.register(categoryList, at(prefix))
  for (const prefix of [`${V1}/messages/stats`, '/messages/stats']) await app.register(messageStats, at(prefix))
  for (const prefix of [`${V1}/dashboard`, '/api/dashboard']) await app.register(dashboardRoutes, at(prefix))
  await app.register(cacheEventRoutes, at(`${V1}/cache-events`))
  for (const plugin of [probeRoutes, metricsRoute, eventRoutes, cacheConsole]) await app.register(plugin, { services })
}
