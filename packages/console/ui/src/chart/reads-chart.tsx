import { Button, useFormat, useWords } from '@palier/design'
import { type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { type Point, pointRate } from '../data/figures.ts'
import type { Mark, Warming } from './marks.ts'
import { Plot, type PlotProps } from './plot.tsx'
import { PointsTable } from './points-table.tsx'
import { chartWords } from './words.ts'
import './chart.css'

export interface ReadsChartProps {
  readonly title: string
  /** What the picture shows, in a sentence made from the numbers. */
  readonly summary: string
  readonly points: readonly Point[]
  readonly by: 'time' | 'day'
  readonly marks?: readonly Mark[]
  readonly warmings?: readonly Warming[]
  readonly height?: number
}

/** Everything the cursor is on, in words. */
function Legend({
  point,
  isLast,
  by,
  marks,
  hasWarming,
}: {
  readonly point: Point | undefined
  readonly isLast: boolean
  readonly by: 'time' | 'day'
  readonly marks: readonly Mark[]
  readonly hasWarming: boolean
}): ReactNode {
  const t = useWords(chartWords)
  const format = useFormat()
  const rate = point && pointRate(point)
  const entry = (name: string, value: string): string => (point === undefined ? name : t('value', { name, value }))
  return (
    <ul className="legend" aria-live="polite">
      {point !== undefined && (
        <li>
          <strong>{by === 'day' ? format.dateTime(point.at) : format.time(point.at)}</strong>
          {isLast && ` (${t('filling')})`}
        </li>
      )}
      {point?.known === false ? (
        <li>{t('gap')}</li>
      ) : (
        <>
          {(['hits', 'stale', 'misses'] as const).map(key => (
            <li key={key}>
              <span className={`key ${key}`} aria-hidden="true" />
              {entry(t(key), format.number(point?.[key] ?? 0))}
            </li>
          ))}
          <li>
            <span className="key rate" aria-hidden="true" />
            {entry(t('rate'), rate === undefined ? '–' : format.percent(rate, 1))}
          </li>
        </>
      )}
      {point === undefined && hasWarming && (
        <li>
          <span className="key warming" aria-hidden="true" />
          {t('warming')}
        </li>
      )}
      {marks.map(mark => (
        <li key={`${mark.at}${mark.text}`}>
          {t(mark.kind)} · {format.time(mark.at)} · <span lang="en">{mark.text}</span>
        </li>
      ))}
    </ul>
  )
}

const NONE = [] as const

/** The picture in the width there is, with a cursor for the mouse and the arrow keys. */
function Picture({
  title,
  at,
  onPoint,
  ...plot
}: Omit<PlotProps, 'width'> & {
  readonly title: string
  readonly at: number | undefined
  readonly onPoint: (at: number | undefined) => void
}): ReactNode {
  const t = useWords(chartWords)
  const [width, setWidth] = useState(0)
  const frame = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = frame.current
    if (element === null) return
    const resized = new ResizeObserver(() => setWidth(element.clientWidth))
    resized.observe(element)
    return () => resized.disconnect()
  }, [])
  const last = plot.points.length - 1
  const move = (step: number): void => onPoint(Math.max(0, Math.min(last, (at ?? (step > 0 ? -1 : last + 1)) + step)))
  return (
    <div
      ref={frame}
      className="plot-frame"
      style={{ height: `${plot.height}px` }}
      tabIndex={0}
      role="group"
      aria-roledescription={t('chart')}
      aria-label={t('move', { title })}
      onKeyDown={event => {
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
        if (step === 0) return
        event.preventDefault()
        move(step)
      }}
    >
      {width > 0 && <Plot {...plot} width={width} at={at} onPoint={onPoint} />}
    </div>
  )
}

/** Hits, stale hits and misses on top of each other, and the hit rate from 0 to 100 %: a picture, a sentence, a table. */
export function ReadsChart(props: ReadsChartProps): ReactNode {
  const { title, summary, points, by, marks = NONE, warmings = NONE, height = 240 } = props
  const t = useWords(chartWords)
  const [asTable, setAsTable] = useState(false)
  const [at, setAt] = useState<number | undefined>(undefined)
  const id = useId()
  const step = (points[1]?.at ?? 0) - (points[0]?.at ?? 0)
  const point = at === undefined ? undefined : points[at]
  const here = point === undefined ? NONE : marks.filter(mark => mark.at >= point.at && mark.at < point.at + step)
  return (
    <figure className="chart-frame" aria-labelledby={id}>
      <figcaption className="chart-head">
        <span>
          <strong id={id}>{title}</strong> <span className="muted">{summary}</span>
        </span>
        <Button kind="quiet" size="small" icon={asTable ? 'pulse' : 'list'} onClick={() => setAsTable(!asTable)}>
          {t(asTable ? 'chart' : 'table')}
        </Button>
      </figcaption>
      {asTable ? (
        <PointsTable title={title} points={points} by={by} />
      ) : (
        <>
          <Picture {...{ title, points, by, marks, warmings, height, at }} onPoint={setAt} />
          <Legend
            point={point}
            isLast={at === points.length - 1}
            by={by}
            marks={here}
            hasWarming={warmings.length > 0}
          />
        </>
      )}
    </figure>
  )
}
