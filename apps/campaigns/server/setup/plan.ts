import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Text } from '@palier/console'
import type { DeclaredType, PlannedType } from 'palier/setup'
import { CACHE_TYPES, type CachePolicies, type CacheType, type ReadScope } from '../cache-map.ts'
import type { CachingOptions } from '../caching.ts'

/** What an installation decided about the cache beside its backend. In the data directory, for all processes. */
type Plan = Pick<CachingOptions, 'files' | 'types'>

const fileOf = (dataDir: string): string => join(dataDir, 'cache-plan.json')
const previousOf = (dataDir: string): string => `${fileOf(dataDir)}.previous`

/** An entry that is gone at once: the shortest life there is. */
const NEVER = { ttl: 1, grace: 0 }

/**
 * The types that an installation may ask about, with the widest scope of their reads. `user` and `wrote` are not among
 * them: who somebody is and what they have just written must be known, whatever is chosen.
 */
const OFFERED: Readonly<Partial<Record<CacheType, { readonly scope: ReadScope } & Text>>> = {
  dashboard: { scope: 'role', en: 'figures of the dashboard', fr: 'chiffres du tableau de bord' },
  stats: { scope: 'shared', en: 'counts of messages', fr: 'nombres de messages' },
  categories: { scope: 'shared', en: 'categories and their contacts', fr: 'catégories et leurs contacts' },
  analytics: { scope: 'shared', en: 'results of a campaign', fr: 'résultats d’une campagne' },
  content: { scope: 'role', en: 'pages in the editor', fr: 'pages dans l’éditeur' },
  page: { scope: 'shared', en: 'published pages', fr: 'pages publiées' },
  search: { scope: 'role', en: 'results of a search', fr: 'résultats d’une recherche' },
  catalogue: { scope: 'shared', en: 'WhatsApp accounts and templates', fr: 'comptes et modèles WhatsApp' },
  settings: { scope: 'shared', en: 'settings', fr: 'réglages' },
}

/** What each of them holds, for people. */
export const TYPE_TEXTS: Readonly<Record<string, Text>> = Object.fromEntries(
  Object.entries(OFFERED).map(([name, { en, fr }]) => [name, { en, fr }]),
)

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

/** The times of `cache-map.ts`: one number with its unit. */
const milliseconds = (text: string): number => Number.parseInt(text, 10) * (UNITS[text.at(-1) ?? ''] ?? 1)

export const DECLARED: readonly DeclaredType[] = Object.entries(OFFERED).map(([name, { scope, en }]) => {
  const { ttl, grace } = CACHE_TYPES[name as CacheType]
  return {
    name,
    ttl: milliseconds(ttl),
    grace: milliseconds(grace),
    scope: scope === 'shared' ? 'public' : scope,
    description: en,
  }
})

/** The plan, or none. Throws when the file is there and cannot be read. */
export function readPlan(dataDir: string): Plan {
  const file = fileOf(dataDir)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Plan) : {}
}

/** Puts a plan in force for whoever starts from now on; the one before it is kept for `takeBackPlan`. */
export function writePlan(dataDir: string, types: readonly PlannedType[], files: Plan['files']): void {
  const file = fileOf(dataDir)
  const policies = types
    .filter(({ name }) => Object.hasOwn(OFFERED, name))
    .map(({ name, ttl, grace, privacy }) => [name, privacy === 'never' ? NEVER : { ttl, grace }])
  const plan: Plan = { types: Object.fromEntries(policies) as CachePolicies, ...(files !== undefined && { files }) }
  mkdirSync(dirname(file), { recursive: true })
  rmSync(previousOf(dataDir), { force: true })
  if (existsSync(file)) renameSync(file, previousOf(dataDir))
  writeFileSync(`${file}.t`, `${JSON.stringify(plan)}\n`, { mode: 0o600 })
  renameSync(`${file}.t`, file)
}

/** The plan as it was before the last one. */
export function takeBackPlan(dataDir: string): void {
  if (existsSync(previousOf(dataDir))) renameSync(previousOf(dataDir), fileOf(dataDir))
  else rmSync(fileOf(dataDir), { force: true })
}
