import type { Actor } from '../access/actor.ts'
import { forUpdate, upsert } from '../database/portable.ts'
import type { Services } from '../services.ts'
import { write, type Work } from '../work.ts'
import { SETTING_NAMES, type SettingName, type SettingValues } from './definitions.ts'
import { settingsOf, type SettingsState } from './settings.ts'

async function readState({ trx }: Work): Promise<SettingsState> {
  const rows = await trx.selectFrom('settings').select(['key', 'value']).where('key', 'in', SETTING_NAMES).execute()
  return settingsOf(rows)
}

/**
 * Changes of settings happen one after the other, so that the history says what each of them found. A setting that
 * was never set has no row to lock; the row that names the database is always there.
 */
async function readAlone(work: Work): Promise<SettingsState> {
  await work.trx
    .selectFrom('settings')
    .select('key')
    .where('key', '=', 'database_id')
    .$call(forUpdate(work.engine))
    .executeTakeFirstOrThrow()
  return await readState(work)
}

/** Sets what is given, valid already; what is so already is left alone. Returns all settings as they are now. */
export async function changeSettings(
  services: Services,
  actor: Actor,
  change: Partial<SettingValues>,
): Promise<SettingsState> {
  return await write(
    services,
    async work => {
      const { values, chosen } = await readAlone(work)
      const names = Object.keys(change) as SettingName[]
      for (const key of names) {
        const value = JSON.stringify(change[key])
        if (chosen.includes(key) && JSON.stringify(values[key]) === value) continue
        const row = { key, value, updated_by: work.actor.userId, updated_at: work.at }
        await upsert(work.trx, work.engine, 'settings', row, ['key'], ['value', 'updated_by', 'updated_at'])
        await work.record({
          action: 'update',
          entity: 'setting',
          id: key,
          before: { value: values[key] },
          after: { value: change[key] },
        })
        work.touch('settings')
      }
      return {
        values: { ...values, ...change },
        chosen: SETTING_NAMES.filter(key => chosen.includes(key) || names.includes(key)),
      }
    },
    { actor },
  )
}

/** Takes a setting back to the default of this version. Returns all settings as they are now. */
export async function resetSetting(services: Services, actor: Actor, key: SettingName): Promise<SettingsState> {
  return await write(
    services,
    async work => {
      const before = await readAlone(work)
      const { numDeletedRows } = await work.trx.deleteFrom('settings').where('key', '=', key).executeTakeFirst()
      const after = await readState(work)
      if (numDeletedRows > 0n) {
        const [old, now] = [before.values[key], after.values[key]]
        await work.record({
          action: 'reset',
          entity: 'setting',
          id: key,
          before: { value: old },
          after: { value: now },
        })
        work.touch('settings')
      }
      return after
    },
    { actor },
  )
}
