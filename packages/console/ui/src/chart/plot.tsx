import { useFormat } from '@palier/design'
import { type ReactNode, useId, useMemo } from 'react'
import { type Point, pointRate } from '../data/figures.ts'
import type { Mark, MarkKind, Warming } from './marks.ts'
import { roundMoments, roundSteps, runsOf } from './scale.ts'

export interface PlotProps {
  readonly points: readonly Point[]
  readonly by: 'time' | 'day'
  readonly marks: readonly Mark[]
  readonly warmings: readonly Warming[]
  readonly width: number
  readonly height: number
}

const LEFT = 48
const RIGHT = 46
const TOP = 16
const BOTTOM = 24
const LABEL_WIDTH = 78

/** Shapes, so that marks differ by more than their place. */
const SIGNS: Readonly<Record<MarkKind, string>> = {
  start: 'M0-5 4 0H1.5v5h-3V0H-4z',
  clear: 'M-4-4 4 4M4-4-4 4',
  failover: 'M0-5 5 4H-5z',
  policy: 'M-4 4l1-3 5-5 2 2-5 5z',
}

/** Where a moment and an amount lie. */
interface Scales {
  readonly x: (at: number) => number
  readonly y: (reads: number) => number
  readonly rateY: (rate: number) => number
  readonly column: number
  readonly step: number
  readonly ticks: readonly number[]
}

function scalesOf({ points, width, height }: Pick<PlotProps, 'points' | 'width' | 'height'>): Scales {
  const from = points[0]?.at ?? 0
  const step = Math.max(1, (points[1]?.at ?? from + 1) - from)
  const to = (points.at(-1)?.at ?? from) + step
  const ticks = roundSteps(Math.max(1, ...points.map(point => point.reads)))
  const most = ticks.at(-1) ?? 1
  const [wide, high] = [width - LEFT - RIGHT, height - TOP - BOTTOM]
  const x = (at: number): number => LEFT + Math.max(0, Math.min(1, (at - from) / (to - from))) * wide
  const rateY = (share: number): number => TOP + (1 - share) * high
  return { x, y: reads => rateY(reads / most), rateY, column: wide / Math.max(1, points.length), step, ticks }
}

/** One path for all columns of a series, which lie upon those below. */
function columnsOf(
  points: readonly Point[],
  scales: Scales,
  top: (point: Point) => number,
  base: (point: Point) => number,
): string {
  const gap = scales.column > 5 ? 1 : 0
  const line = (value: number): string => value.toFixed(1)
  return points
    .filter(point => point.known && top(point) > base(point))
    .map(point => {
      const [x, y, foot] = [scales.x(point.at), scales.y(top(point)), scales.y(base(point))]
      return `M${line(x)} ${line(y)}h${line(scales.column - gap)}V${line(foot)}h${line(gap - scales.column)}z`
    })
    .join('')
}

function rateLines(
  points: readonly Point[],
  { x, rateY, step }: Scales,
): readonly (readonly (readonly [number, number])[])[] {
  const rated = points.map(point => ({ at: point.at, rate: pointRate(point) }))
  return runsOf(rated, point => point.rate !== undefined).map(run =>
    run.map(point => [x(point.at + step / 2), rateY(point.rate ?? 0)] as const),
  )
}

function Axes({ plot, scales }: { readonly plot: PlotProps; readonly scales: Scales }): ReactNode {
  const format = useFormat()
  const { points, by, width, height } = plot
  const { x, y, rateY, ticks } = scales
  const moments = roundMoments(
    points[0]?.at ?? 0,
    points.at(-1)?.at ?? 0,
    Math.max(2, Math.floor((width - LEFT - RIGHT) / LABEL_WIDTH)),
    {
      days: by === 'day',
      offset: -new Date(points[0]?.at ?? 0).getTimezoneOffset() * 60_000,
    },
  )
  return (
    <>
      {ticks.map(tick => (
        <g key={tick}>
          <path className="grid" d={`M${LEFT} ${y(tick)}H${width - RIGHT}`} />
          <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end">
            {format.compact(tick)}
          </text>
        </g>
      ))}
      {[0, 0.5, 1].map(share => (
        <text key={share} x={width - RIGHT + 8} y={rateY(share) + 4}>
          {format.percent(share)}
        </text>
      ))}
      {moments.map(at => (
        <g key={at}>
          <path className="grid" d={`M${x(at)} ${height - BOTTOM}v4`} />
          <text x={x(at)} y={height - 5} textAnchor="middle">
            {by === 'day' ? format.day(at) : format.time(at)}
          </text>
        </g>
      ))}
    </>
  )
}

function Moments({
  plot,
  scales,
  hatch,
}: {
  readonly plot: PlotProps
  readonly scales: Scales
  readonly hatch: string
}): ReactNode {
  const { points, marks, warmings, height } = plot
  const [from, to] = [points[0]?.at ?? 0, (points.at(-1)?.at ?? 0) + scales.step]
  return (
    <>
      {warmings
        .filter(one => one.to > from && one.from < to)
        .map(one => (
          <rect
            key={one.from}
            fill={`url(#${hatch})`}
            x={scales.x(one.from)}
            y={TOP}
            width={Math.max(1, scales.x(one.to) - scales.x(one.from))}
            height={height - TOP - BOTTOM}
          />
        ))}
      {marks
        .filter(mark => mark.at >= from && mark.at < to)
        .map(mark => (
          <g
            key={`${mark.at}${mark.text}`}
            className={`mark ${mark.kind}`}
            transform={`translate(${scales.x(mark.at)} 8)`}
          >
            <path className="mark-line" d={`M0 8V${height - BOTTOM - 8}`} />
            <path className="mark-sign" d={SIGNS[mark.kind]} />
          </g>
        ))}
    </>
  )
}

/** The picture alone; what it shows is said beside it. */
export function Plot(
  plot: PlotProps & { readonly at: number | undefined; readonly onPoint: (at: number | undefined) => void },
): ReactNode {
  const { points, width, height, at, onPoint } = plot
  const hatch = useId()
  const scales = useMemo(() => scalesOf({ points, width, height }), [points, width, height])
  const settled = points.slice(0, -1)
  const filling = points.slice(-1)
  const layers = (some: readonly Point[]) => [
    [
      'hits',
      columnsOf(
        some,
        scales,
        point => point.hits,
        () => 0,
      ),
    ] as const,
    [
      'stale',
      columnsOf(
        some,
        scales,
        point => point.hits + point.stale,
        point => point.hits,
      ),
    ] as const,
    [
      'misses',
      columnsOf(
        some,
        scales,
        point => point.reads,
        point => point.hits + point.stale,
      ),
    ] as const,
  ]
  const pointed = at === undefined ? undefined : points[at]
  const pointAt = (clientX: number, left: number): void => {
    const index = Math.floor((clientX - left - LEFT) / scales.column)
    onPoint(index >= 0 && index < points.length ? index : undefined)
  }
  return (
    <svg
      className="plot"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      aria-hidden="true"
      onMouseMove={event => pointAt(event.clientX, event.currentTarget.getBoundingClientRect().left)}
      onMouseLeave={() => onPoint(undefined)}
    >
      <pattern id={hatch} width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <path className="hatch" d="M0 0V7" />
      </pattern>
      <Axes plot={plot} scales={scales} />
      <Moments plot={plot} scales={scales} hatch={hatch} />
      {layers(settled).map(([name, d]) => (
        <path key={name} className={`column ${name}`} d={d} />
      ))}
      {layers(filling).map(([name, d]) => (
        <path key={name} className={`column filling ${name}`} d={d} />
      ))}
      {rateLines(points, scales).map(line => {
        const [first] = line
        if (first === undefined) return null
        return line.length === 1 ? (
          <circle key={first[0]} className="rate-point" cx={first[0]} cy={first[1]} r="2.5" />
        ) : (
          <polyline key={first[0]} className="rate-line" points={line.map(point => point.join(',')).join(' ')} />
        )
      })}
      {pointed !== undefined && (
        <rect
          className="cursor"
          x={scales.x(pointed.at)}
          y={TOP}
          width={scales.column}
          height={height - TOP - BOTTOM}
        />
      )}
    </svg>
  )
}
