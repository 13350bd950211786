/** The filter of the history, as it stands in the address. `from` and `to` are days, as 2026-11-22. */
export interface HistorySearch {
  readonly admin?: string
  readonly entity?: string
  readonly entity_id?: string
  readonly action?: string
  readonly from?: string
  readonly to?: string
}

const NAMES = ['admin', 'entity', 'entity_id', 'action'] as const
const DAY = /^\d{4}-\d{2}-\d{2}$/

export function historySearch(search: Readonly<Record<string, unknown>>): HistorySearch {
  const texts = NAMES.flatMap(name => {
    const value = search[name]
    return typeof value === 'string' && value !== '' && value.length <= 64 ? [[name, value] as const] : []
  })
  const days = (['from', 'to'] as const).flatMap(name => {
    const value = search[name]
    const isDay = typeof value === 'string' && DAY.test(value) && !Number.isNaN(Date.parse(value))
    return isDay ? [[name, value] as const] : []
  })
  return Object.fromEntries([...texts, ...days])
}

const startOf = (day: string, more: number): number => {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  return new Date(year, month - 1, date + more).getTime()
}

/** The filter as the server takes it: whole days of the person's own clock, both of them included. */
export function historyFilter({ from, to, ...rest }: HistorySearch) {
  return {
    ...rest,
    ...(from !== undefined && { from: startOf(from, 0) }),
    ...(to !== undefined && { to: startOf(to, 1) }),
  }
}
