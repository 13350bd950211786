import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

const TAGS: readonly (readonly [name: string, description: string])[] = [
  ['auth', 'Logging in and out, one’s own account'],
  ['users', 'People and their roles'],
  ['api-keys', 'Keys for programs'],
  ['contacts', 'Contacts, import and export'],
  ['categories', 'Groups of contacts'],
  ['campaigns', 'Two-step campaigns'],
  ['messages', 'Messages in and out'],
  ['templates', 'Message templates'],
  ['whatsapp', 'Accounts, webhooks, prices'],
  ['content', 'Pages and their revisions'],
  ['media', 'Pictures'],
  ['search', 'Full-text search'],
  ['dashboard', 'Key figures'],
  ['settings', 'Settings'],
  ['history', 'Who changed what'],
  ['jobs', 'Work in the background'],
  ['operations', 'Probes, metrics, events'],
]

/** `/openapi.json`, made from the schemas that check and write the bodies, and a page to browse it at `/docs`. Registered before any route. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Campaigns',
        version,
        description: 'Contacts, WhatsApp campaigns, content and figures. Errors are problem JSON (RFC 9457).',
      },
      tags: TAGS.map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: 'campaigns_session' },
          key: { type: 'http', scheme: 'bearer' },
        },
      },
      security: [{ session: [] }, { key: [] }],
    },
    hideUntagged: true,
  })
  await app.register(async scope => {
    scope.addHook('onRoute', route => {
      route.config = { ...route.config, access: 'public' }
      route.schema = { ...route.schema, hide: true }
    })
    await scope.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })
    scope.get('/openapi.json', async () => app.swagger())
  })
}
