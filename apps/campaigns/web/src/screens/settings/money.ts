import type { Rate } from '../../data/settings.ts'

const MICROS = 1_000_000

/** A price as it is typed, with no more digits than it has: 80000 micros are "0.08". */
export function priceText(micros: number): string {
  const text = (micros / MICROS).toFixed(6)
  return text.replace(/0{1,4}$/, '')
}

/** Micros of what was typed, with a point or a comma; undefined for what is no price. */
export function readPrice(text: string): number | undefined {
  const plain = text.trim().replace(',', '.')
  if (!/^\d{1,4}(?:\.\d{0,6})?$/.test(plain)) return undefined
  const micros = Math.round(Number(plain) * MICROS)
  return micros <= 1_000_000_000 ? micros : undefined
}

/** A row of the table of prices while it is typed. */
export interface RateRow {
  readonly key: number
  readonly category: string
  readonly country: string
  readonly currency: string
  readonly price: string
  readonly free: string
  /** A day, as 2026-11-22. */
  readonly from: string
}

export type RateField = Exclude<keyof RateRow, 'key'>

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

export const rowOf = (rate: Rate, key: number): RateRow => ({
  key,
  category: rate.category,
  country: rate.country,
  currency: rate.currency,
  price: priceText(rate.micros),
  free: String(rate.free_per_month),
  from: dayOf(rate.effective_from),
})

/** What is wrong with a row, by field; `same`: another row is about the same. */
export function rowProblems(row: RateRow, rows: readonly RateRow[]): ReadonlySet<RateField | 'same'> {
  const problems = new Set<RateField | 'same'>()
  if (!/^[a-z_]{1,32}$/.test(row.category)) problems.add('category')
  if (!/^(?:[A-Z]{2}|\*)$/.test(row.country.trim().toUpperCase())) problems.add('country')
  if (!/^[A-Z]{3}$/.test(row.currency.trim().toUpperCase())) problems.add('currency')
  if (readPrice(row.price) === undefined) problems.add('price')
  if (!/^\d{1,7}$/.test(row.free.trim()) || Number(row.free) > 1_000_000) problems.add('free')
  if (Number.isNaN(Date.parse(row.from))) problems.add('from')
  const identity = ({ category, country, from }: RateRow): string =>
    JSON.stringify([category, country.trim().toUpperCase(), from])
  if (rows.some(other => other.key !== row.key && identity(other) === identity(row))) problems.add('same')
  return problems
}

/**
 * Rows without problems, as the server takes them. A day that was not touched keeps the time of day that it was stored
 * with.
 */
export function ratesOf(rows: readonly RateRow[], stored: ReadonlyMap<number, Rate>): Rate[] {
  return rows.map(row => {
    const before = stored.get(row.key)
    const from = before !== undefined && dayOf(before.effective_from) === row.from ? before.effective_from : undefined
    return {
      category: row.category,
      country: row.country.trim().toUpperCase(),
      currency: row.currency.trim().toUpperCase(),
      micros: readPrice(row.price) ?? 0,
      free_per_month: Number(row.free),
      effective_from: from ?? Date.parse(row.from),
    }
  })
}
