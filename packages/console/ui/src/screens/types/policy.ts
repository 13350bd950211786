import type { ConfigRequest, TypeView } from '../../../../src/api.ts'
import type { Change, Changes } from './changes.ts'

export type Policy = TypeView['policy']

export const UNITS = ['s', 'm', 'h', 'd'] as const
export type Unit = (typeof UNITS)[number]
const MS: Readonly<Record<Unit, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration as it is edited. */
export interface Edited {
  readonly amount: string
  readonly unit: Unit
}

/** Milliseconds in the largest unit in which they are a whole number; otherwise in seconds. */
export function editedOf(ms: number): Edited {
  const unit = ms === 0 ? 'm' : (UNITS.findLast(one => ms % MS[one] === 0) ?? 's')
  return { amount: String(ms / MS[unit]), unit }
}

/** What was typed, in milliseconds; undefined for what is no number, or one below the least. A comma is a decimal point. */
export function millisecondsOf({ amount, unit }: Edited, least: number): number | undefined {
  const text = amount.trim().replace(',', '.')
  const value = text === '' ? Number.NaN : Math.round(Number(text) * MS[unit])
  return Number.isFinite(value) && value >= least ? value : undefined
}

const isSame = (a: Pick<Policy, 'ttl' | 'grace'>, b: Pick<Policy, 'ttl' | 'grace'>): boolean =>
  a.ttl === b.ttl && a.grace === b.grace

/** What would be planned for a type: nothing (undefined) when it is so already, null when the code says so. */
export function changeFor(
  policy: Policy,
  wanted: { readonly ttl: number; readonly grace: number },
): Change | undefined {
  if (isSame(policy, wanted)) return undefined
  return policy.declared !== undefined && isSame(policy.declared, wanted)
    ? null
    : { ttl: wanted.ttl, grace: wanted.grace }
}

/** What says again what was said before these changes. */
export function revertOf(changes: Changes, policies: Readonly<Record<string, Policy>>): ConfigRequest {
  const types = Object.keys(changes).map(type => {
    const policy = policies[type]
    return [type, policy?.declared === undefined ? null : { ttl: policy.ttl, grace: policy.grace }] as const
  })
  return { types: Object.fromEntries(types) }
}

/** One bar of the ages: hits on entries between two ages. */
export interface AgeBar {
  readonly from: number
  /** Undefined: older than all bounds. */
  readonly to: number | undefined
  readonly count: number
}

/** The bars from the first to the last that has something. */
export function barsOf(ages: readonly number[], bounds: readonly number[]): readonly AgeBar[] {
  const bars = ages.map((count, i) => ({ from: bounds[i - 1] ?? 0, to: bounds[i], count }))
  const last = bars.findLastIndex(bar => bar.count > 0)
  return bars.slice(0, last + 1)
}

/** The age below which half of the hits lie, as far as the bars tell; undefined without hits. */
export function halfOf(bars: readonly AgeBar[]): number | undefined {
  const total = bars.reduce((sum, bar) => sum + bar.count, 0)
  let left = total / 2
  for (const { from, to, count } of bars) {
    if (count >= left && count > 0) return from + ((to ?? from * 2) - from) * (left / count)
    left -= count
  }
  return undefined
}
