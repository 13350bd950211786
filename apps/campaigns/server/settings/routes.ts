import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { answerWith } from '../caching.ts'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { changeSettings, resetSetting } from './change.ts'
import { isSettingName, SETTING_NAMES, SettingsSchema } from './definitions.ts'
import type { SettingsState } from './settings.ts'

const Change = Type.Partial(SettingsSchema, { additionalProperties: false, minProperties: 1 })

const State = Type.Object({
  values: SettingsSchema,
  /** The settings that nobody has set. */
  defaults: Type.Array(Type.String()),
  /** What each of them is for and may be, as JSON Schema. */
  schema: Type.Unknown(),
})

function shape({ values, chosen }: SettingsState) {
  const defaults = SETTING_NAMES.filter(name => !chosen.includes(name))
  return { values: { ...values }, defaults, schema: SettingsSchema }
}

export const settingsRoutes: FastifyPluginAsyncTypebox<{ services: Services }> = async (app, { services }) => {
  const tags = ['settings']
  const response = { 200: State }

  app.get(
    '/',
    { config: { access: 'settings:read' }, schema: { tags, summary: 'All settings', response } },
    async (_request, reply) => shape(answerWith(reply, await services.settings.serve())),
  )

  const change = {
    config: { access: 'settings:write' as const },
    schema: { tags, summary: 'Change settings', body: Change, response },
  }
  app.patch('/', change, async ({ body, actor }) => shape(await changeSettings(services, actor, body)))

  const Path = Type.Object({ key: Type.String({ maxLength: 64 }) })
  const reset = {
    config: { access: 'settings:write' as const },
    schema: { tags, summary: 'Back to the default', params: Path, response },
  }
  app.delete('/:key', reset, async ({ params: { key }, actor }) => {
    // What is not a setting is not there, whatever else the table holds.
    if (isSettingName(key)) return shape(await resetSetting(services, actor, key))
    throw new Problem(404, `path.key: expected one of ${SETTING_NAMES.join(', ')}, received ${received(key)}`)
  })
}
