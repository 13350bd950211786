import { Compile } from 'typebox/compile'
import { READS } from '../cache-map.ts'
import type { Caching, Served } from '../caching.ts'
import type { Database } from '../database/open.ts'
import {
  DEFAULT_SETTINGS,
  isSettingName,
  SETTING_NAMES,
  type SettingName,
  type SettingValues,
  SettingsSchema,
} from './definitions.ts'

export interface SettingsState {
  readonly values: SettingValues
  /** Those that somebody has set. The others are the defaults of this version, and change with it. */
  readonly chosen: readonly SettingName[]
}

/** The settings as they are now, in every process: one read through the cache, whose tag each change deletes. */
export interface Settings {
  read(): Promise<SettingValues>
  serve(): Promise<Served<SettingsState>>
}

export interface SettingRow {
  readonly key: string
  readonly value: string
}

const check = Compile(SettingsSchema)

/** A row that an older version wrote, and that the schema of today refuses, counts as not set. */
function accept(state: SettingsState, { key, value }: SettingRow): SettingsState {
  if (!isSettingName(key)) return state
  try {
    const values = { ...state.values, [key]: JSON.parse(value) as unknown }
    return check.Check(values) ? { values, chosen: [...state.chosen, key] } : state
  } catch {
    // Not JSON: not written by this application.
    return state
  }
}

export function settingsOf(rows: readonly SettingRow[]): SettingsState {
  const state = rows.reduce(accept, { values: DEFAULT_SETTINGS, chosen: [] })
  return { ...state, chosen: SETTING_NAMES.filter(name => state.chosen.includes(name)) }
}

export function createSettings(database: Database, caching: Caching): Settings {
  const serve = (): Promise<Served<SettingsState>> =>
    caching.read(READS.settings, [], async () => {
      const rows = await database.reader
        .selectFrom('settings')
        .select(['key', 'value'])
        .where('key', 'in', SETTING_NAMES)
        .execute()
      return settingsOf(rows)
    })
  return { serve, read: async () => (await serve()).value.values }
}
