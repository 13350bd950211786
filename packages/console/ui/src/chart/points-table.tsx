import { useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { type Point, pointRate } from '../data/figures.ts'
import { chartWords } from './words.ts'

/** The same numbers as in the picture. */
export function PointsTable({
  title,
  points,
  by,
}: {
  readonly title: string
  readonly points: readonly Point[]
  readonly by: 'time' | 'day'
}): ReactNode {
  const t = useWords(chartWords)
  const format = useFormat()
  const last = points.at(-1)?.at
  // Before the first that is known there is nothing to tell row by row.
  const shown = points.slice(
    Math.max(
      0,
      points.findIndex(point => point.known),
    ),
  )
  return (
    <div className="table-frame chart-table" tabIndex={0} role="group" aria-label={title}>
      <table className="table">
        <caption className="visually-hidden">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{t('time')}</th>
            {(['hits', 'stale', 'misses', 'rate'] as const).map(key => (
              <th key={key} scope="col" className="number">
                {t(key)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map(point => {
            const rate = pointRate(point)
            return (
              <tr key={point.at}>
                <th scope="row">
                  {by === 'day' ? format.dateTime(point.at) : format.time(point.at)}
                  {point.at === last && ` (${t('filling')})`}
                </th>
                {point.known ? (
                  <>
                    <td className="number">{format.number(point.hits)}</td>
                    <td className="number">{format.number(point.stale)}</td>
                    <td className="number">{format.number(point.misses)}</td>
                    <td className="number">{rate === undefined ? '–' : format.percent(rate, 1)}</td>
                  </>
                ) : (
                  <td colSpan={4} className="muted">
                    {t('gap')}
                  </td>
                )}
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
