import { type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react'
import uPlot from 'uplot'
import { Button } from '../controls.tsx'
import { useAppearance, useFormat, useWords } from '../settings.tsx'
import { defineWords } from '../words.ts'

const words = defineWords(
  { table: 'Table', chart: 'Chart', time: 'Time', move: '{title}. Arrow keys move along the time axis.' },
  {
    table: 'Tableau',
    chart: 'Graphique',
    time: 'Heure',
    move: '{title}. Les flèches déplacent le curseur dans le temps.',
  },
)

export type SeriesColour = 'hit' | 'miss' | 'stale' | 'quiet' | 'accent' | 'degraded'

export interface Series {
  readonly key: string
  readonly name: string
  readonly colour: SeriesColour
  /** One for each time; null is a gap: nobody measured then. */
  readonly values: readonly (number | null)[]
  /** Lines are told apart by dash as well as by colour. */
  readonly dashed?: boolean
  /** Filled down to the series before it, or to the axis. Such series are stacked in their order. */
  readonly filled?: boolean
  /** Its own axis on the right, from 0 to 1, written as a percentage. */
  readonly share?: boolean
}

/** A moment worth knowing: a clear, a failover. */
export interface ChartMark {
  readonly at: number
  readonly text: string
}

export interface ChartProps {
  readonly title: string
  /** What the picture shows, in a sentence made from the numbers. */
  readonly summary: string
  /** Milliseconds since 1970, ascending. */
  readonly times: readonly number[]
  readonly series: readonly Series[]
  readonly marks?: readonly ChartMark[]
  /** `day`: the axis and the table write days, not hours. */
  readonly by?: 'time' | 'day'
  /** Writes a value; a plain number unless said. */
  readonly write?: (value: number) => string
  readonly height?: number
}

const VARIABLES: Readonly<Record<SeriesColour, string>> = {
  hit: '--series-hit',
  miss: '--series-miss',
  stale: '--series-stale',
  quiet: '--series-quiet',
  accent: '--accent',
  degraded: '--degraded',
}

/** A canvas knows no variables and no `light-dark()`: the browser works the colour out on an element. */
function colourReader(element: HTMLElement): (variable: string) => string {
  const probe = document.createElement('span')
  element.append(probe)
  return variable => {
    probe.style.color = `var(${variable})`
    return getComputedStyle(probe).color
  }
}

/** Adds up the filled series, lowest last, as they are drawn on top of each other. */
function stacked(series: readonly Series[]): readonly (readonly (number | null)[])[] {
  const filled = series.filter(one => one.filled)
  return series.map(one => {
    if (!one.filled) return one.values
    const below = filled.slice(filled.indexOf(one))
    return one.values.map((value, i) =>
      value === null ? null : below.reduce((sum, each) => sum + (each.values[i] ?? 0), 0),
    )
  })
}

// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- uPlot's own name for it exists in its types alone
const RIGHT = 1 as uPlot.Axis.Side

const faded = (colour: string): string => colour.replace(/^rgb\(([^)]*)\)$/, 'rgba($1, 0.22)')

function draw(
  target: HTMLElement,
  props: ChartProps,
  write: (value: number) => string,
  label: (at: number) => string,
): uPlot {
  const { times, series, marks = [], height = 220, by = 'time' } = props
  const colour = colourReader(target)
  const [grid, text] = [colour('--line'), colour('--muted')]
  const hasShare = series.some(one => one.share)
  const axis = {
    stroke: text,
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1, size: 4 },
    font: '12px system-ui',
  }
  const showMarks = (plot: uPlot): void => {
    const { ctx, bbox } = plot
    ctx.save()
    ctx.strokeStyle = text
    ctx.setLineDash([3, 3])
    for (const mark of marks) {
      const x = Math.round(plot.valToPos(mark.at / 1000, 'x', true))
      if (x < bbox.left || x > bbox.left + bbox.width) continue
      ctx.beginPath()
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bbox.top + bbox.height)
      ctx.stroke()
    }
    ctx.restore()
  }
  const options: uPlot.Options = {
    width: Math.max(120, target.clientWidth),
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.08)] }, share: { range: [0, 1] } },
    axes: [
      {
        ...axis,
        size: 34,
        values: (_plot, splits) => splits.map(at => label(at * 1000)),
        space: by === 'day' ? 70 : 60,
      },
      { ...axis, size: 56, values: (_plot, splits) => splits.map(write) },
      ...(hasShare
        ? [
            {
              ...axis,
              scale: 'share',
              side: RIGHT,
              size: 48,
              grid: { show: false },
              values: (_plot: uPlot, splits: number[]) => splits.map(share => `${Math.round(share * 100)} %`),
            },
          ]
        : []),
    ],
    series: [
      {},
      ...series.map(one => {
        const stroke = colour(VARIABLES[one.colour])
        return {
          label: one.name,
          scale: one.share ? 'share' : 'y',
          stroke,
          width: 2,
          points: { show: times.length < 2 },
          ...(one.filled && { fill: faded(stroke) }),
          ...(one.dashed && { dash: [6, 4] }),
        }
      }),
    ],
    hooks: { draw: [showMarks] },
  }
  const data = [times.map(at => at / 1000), ...stacked(series).map(values => [...values])] as uPlot.AlignedData
  return new uPlot(options, data, target)
}

/** Values over time: a picture, the same as a sentence, and the same as a table. Moves with the arrow keys. */
export function Chart(props: ChartProps): ReactNode {
  const { title, summary, times, series, marks = [], by = 'time', height = 220 } = props
  const t = useWords(words)
  const format = useFormat()
  const { isDark, language } = useAppearance()
  const [asTable, setAsTable] = useState(false)
  const [at, setAt] = useState<number | undefined>(undefined)
  const target = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const id = useId()
  const label = useMemo(() => (by === 'day' ? format.day : format.time), [by, format])
  const write = useMemo(() => props.write ?? format.compact, [props.write, format])

  useEffect(() => {
    const element = target.current
    if (element === null || asTable) return
    const made = draw(element, props, write, label)
    plot.current = made
    made.over.addEventListener('mousemove', () => setAt(made.cursor.idx ?? undefined))
    made.over.addEventListener('mouseleave', () => setAt(undefined))
    const resized = new ResizeObserver(() => made.setSize({ width: Math.max(120, element.clientWidth), height }))
    resized.observe(element)
    return () => {
      resized.disconnect()
      made.destroy()
      element.replaceChildren()
    }
    // Drawn anew when the theme or the language changes, too: a canvas keeps the colours and words it was drawn with.
    // oxlint-disable-next-line react/exhaustive-effect-dependencies -- they decide what is read from the page while drawing
  }, [props, asTable, isDark, language, write, label, height])

  const valueOf = (one: Series, i: number): string => {
    const value = one.values[i]
    if (value === null || value === undefined) return '–'
    return one.share ? format.percent(value) : write(value)
  }
  const move = (step: number): void => {
    const next = Math.max(0, Math.min(times.length - 1, (at ?? (step > 0 ? -1 : times.length)) + step))
    setAt(next)
    const left = plot.current?.valToPos((times[next] ?? 0) / 1000, 'x')
    if (left !== undefined) plot.current?.setCursor({ left, top: 0 })
  }
  const whenOf = (i: number): string => (by === 'day' ? format.date(times[i] ?? 0) : format.dateTime(times[i] ?? 0))
  return (
    <figure className="chart-frame" aria-labelledby={id}>
      <figcaption className="row between">
        <span>
          <strong id={id}>{title}</strong>
          <span className="muted"> {summary}</span>
        </span>
        <Button kind="quiet" size="small" icon={asTable ? 'pulse' : 'list'} onClick={() => setAsTable(!asTable)}>
          {t(asTable ? 'chart' : 'table')}
        </Button>
      </figcaption>
      {asTable ? (
        <div className="table-frame chart-table" tabIndex={0} role="group" aria-label={title}>
          <table className="table">
            <caption className="visually-hidden">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{t('time')}</th>
                {series.map(one => (
                  <th key={one.key} scope="col" className="number">
                    {one.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, i) => (
                <tr key={time}>
                  <th scope="row">{whenOf(i)}</th>
                  {series.map(one => (
                    <td key={one.key} className="number">
                      {valueOf(one, i)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div
          className="chart-canvas"
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
          <div ref={target} aria-hidden="true" />
        </div>
      )}
      <ul className="legend" aria-live="polite">
        {at !== undefined && <li>{whenOf(at)}</li>}
        {series.map(one => (
          <li key={one.key}>
            <span className={one.dashed ? `swatch dashed ${one.colour}` : `swatch ${one.colour}`} aria-hidden="true" />
            {at === undefined ? one.name : `${one.name}: ${valueOf(one, at)}`}
          </li>
        ))}
        {at !== undefined &&
          marks
            .filter(mark => nearest(times, mark.at) === at)
            .map(mark => <li key={`${mark.at}${mark.text}`}>{mark.text}</li>)}
      </ul>
    </figure>
  )
}

function nearest(times: readonly number[], at: number): number {
  let best = 0
  for (const [i, time] of times.entries()) if (Math.abs(time - at) < Math.abs((times[best] ?? 0) - at)) best = i
  return best
}
