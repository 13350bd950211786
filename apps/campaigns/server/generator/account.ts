import { ACCOUNT } from '../../simulator/account.ts'
import { SAMPLE_TEMPLATES } from '../../simulator/templates.ts'
import type { AccountTable, RateTable, TemplateTable } from '../database/schema.ts'
import { uuidv7 } from '../ids.ts'
import { type DataSet, DAY, STREAMS } from './data-set.ts'
import { createRandom } from './random.ts'

/** What a database may hold already although nobody has worked with it: the first start makes the simulator's account. */
export interface Existing {
  readonly accountId?: string | undefined
  /** Ids by `templateKey`. */
  readonly templates: ReadonlyMap<string, string>
  readonly rates: boolean
}

export interface Account {
  readonly id: string
  /** Undefined when there is one. */
  readonly row: AccountTable | undefined
  /** All of them, in a fixed order. */
  readonly templates: readonly TemplateTable[]
  /** Those that are not there yet. */
  readonly newTemplates: readonly TemplateTable[]
  readonly rates: readonly RateTable[]
}

export const templateKey = ({ name, language }: Pick<TemplateTable, 'name' | 'language'>): string =>
  `${name} ${language}`

const MICROS: readonly (readonly [category: string, micros: number, free: number])[] = [
  ['marketing', 80_000, 0],
  ['utility', 30_000, 0],
  ['authentication', 30_000, 0],
  ['service', 30_000, 1000],
]

/** Stopped until the simulator has started and given it its secrets. */
function accountRow(id: string, at: number): AccountTable {
  return {
    id,
    name: 'Simulator',
    provider: 'simulator',
    phone_number_id: ACCOUNT.phoneNumberId,
    waba_id: ACCOUNT.wabaId,
    display_phone: ACCOUNT.displayPhone,
    token_enc: '',
    app_secret_enc: '',
    verify_token_hash: '',
    graph_version: ACCOUNT.graphVersion,
    base_url: 'http://127.0.0.1',
    mps_limit: 80,
    status: 'stopped',
    reason: 'The simulator has not run yet.',
    created_at: at,
    updated_at: at,
  }
}

/** The simulator's account with its templates, and example rates: round numbers, nobody's price list. */
export function makeAccount({ seed, now }: DataSet, existing: Existing): Account {
  const random = createRandom(seed, STREAMS.account)
  const at = now - 400 * DAY
  const newId = (index: number): string => uuidv7(at + index, 0, random.hex16())
  const fresh = newId(0)
  const id = existing.accountId ?? fresh
  const templates = SAMPLE_TEMPLATES.map(({ name, language, category, status, quality_score, components }, index) => {
    const made = newId(1 + index)
    return {
      id: existing.templates.get(templateKey({ name, language })) ?? made,
      account_id: id,
      name,
      language,
      category,
      status,
      quality: quality_score.score,
      components: JSON.stringify(components),
      synced_at: now - DAY / 2,
    }
  })
  const rates = MICROS.map(([category, micros, free_per_month], index) => ({
    id: newId(100 + index),
    category,
    country: '*',
    currency: 'EUR',
    micros,
    free_per_month,
    effective_from: at,
  }))
  return {
    id,
    row: existing.accountId === undefined ? accountRow(id, at) : undefined,
    templates,
    newTemplates: templates.filter(template => !existing.templates.has(templateKey(template))),
    rates: existing.rates ? [] : rates,
  }
}
