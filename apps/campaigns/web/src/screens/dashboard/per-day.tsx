import { Chart } from '@palier/design/chart'
import '@palier/design/chart.css'
import { useFormat, useWords } from '@palier/design'
import { type ReactNode, useMemo } from 'react'
import type { DashboardValue } from './figures.ts'
import { words } from './words.ts'

/** Messages per day as a picture, a sentence and a table. */
export function PerDay({ days }: { readonly days: DashboardValue['per_day'] }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { times, series, summary } = useMemo(() => {
    const counts = days.map(one => one.count)
    // Noon: the day stays the same day in every time zone that people live in.
    const at = days.map(one => Date.parse(`${one.day}T12:00:00Z`))
    const most = Math.max(0, ...counts)
    const total = counts.reduce((sum, count) => sum + count, 0)
    const best = at[counts.indexOf(most)] ?? 0
    return {
      times: at,
      series: [{ key: 'messages', name: t('messages'), colour: 'accent' as const, values: counts, filled: true }],
      summary: total === 0 ? t('perDayEmpty') : t('perDaySummary', { total, day: format.day(best), most }),
    }
  }, [days, t, format])
  return <Chart title={t('perDay')} summary={summary} times={times} series={series} by="day" />
}
