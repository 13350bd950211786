import { Bars, Card, CodeBlock, Empty, Loading, Stat, useFormat, useWords } from '@palier/design'
import { type ReactNode, useMemo } from 'react'
import { Link } from 'wouter'
import { marksOf, warmingsOf } from '../../chart/marks.ts'
import { ReadsChart } from '../../chart/reads-chart.tsx'
import { useBootstrap } from '../../data/context.ts'
import {
  avoidedOf,
  between,
  LEAST_READS,
  lowest,
  type Point,
  pointsOf,
  rateOf,
  reasonsOf,
  type Sums,
  totalOf,
} from '../../data/figures.ts'
import { useHistory } from '../../data/history.ts'
import { useHrefOf, useRange } from '../../data/place.ts'
import { backOf, planOf, type Range, SPANS } from '../../data/ranges.ts'
import { reasonWords } from '../../data/reasons.ts'
import { useSnapshot } from '../../data/snapshot.ts'
import { useTypes } from '../../data/types.ts'
import { Broken } from '../../shell/broken.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { concernsOf } from './attention.ts'
import { words } from './words.ts'

/** The sums of the range, and of what it is compared with; undefined where the history does not reach back so far. */
function useSums(range: Range) {
  const plan = useMemo(() => planOf(range), [range])
  const main = useHistory(plan.ring)
  const older = useHistory(range === '30d' ? 'days' : 'hours')
  return useMemo(() => {
    if (main.data === undefined) return { error: main.error, retry: main.refetch }
    const points = pointsOf(main.data, plan)
    const sums = totalOf(main.data.buckets.slice(-plan.count).filter(bucket => bucket.known))
    const then = older.dataUpdatedAt - backOf(range)
    const before = older.data && between(older.data, then - SPANS[range], then)
    return { error: null, retry: main.refetch, points, sums, before }
  }, [main.data, main.error, main.refetch, older.data, older.dataUpdatedAt, plan, range])
}

/** How a number changed, as a sentence; undefined where there is nothing to compare it with. */
function useDelta(
  range: Range,
): (now: number | undefined, before: number | undefined, inPoints?: boolean) => string | undefined {
  const t = useWords(words)
  const format = useFormat()
  return (now, before, inPoints = false) => {
    if (now === undefined || before === undefined || (!inPoints && before === 0)) return undefined
    const change = inPoints ? Math.round((now - before) * 1000) / 10 : Math.round((now / before - 1) * 100) / 100
    const signed = (text: string): string => `${change > 0 ? '+' : '−'}${text}`
    const size = Math.abs(change)
    const delta =
      change === 0 ? t('same') : signed(inPoints ? t('points', { delta: format.number(size) }) : format.percent(size))
    return t(range === '30d' ? 'before' : range === '7d' ? 'weekBefore' : 'lastWeek', { delta })
  }
}

function Numbers({
  sums,
  before,
  range,
}: {
  readonly sums: Sums
  readonly before: Sums | undefined
  readonly range: Range
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const delta = useDelta(range)
  const rate = rateOf(sums)
  const more = (text: string, change: string | undefined): ReactNode => (
    <>
      {text}
      {change !== undefined && <span className="delta">{change}</span>}
    </>
  )
  const answered = sums.hits + sums.stale
  return (
    <dl className="stats">
      <Stat
        name={t('hitRate')}
        value={rate === undefined ? '–' : format.percent(rate, 1)}
        more={more(
          rate === undefined ? t('lowData', { count: sums.reads }) : '',
          delta(rate, before && rateOf(before), true),
        )}
      />
      <Stat
        name={t('saved')}
        value={format.duration(sums.savedMs)}
        more={more(t('savedMore'), delta(sums.savedMs, before?.savedMs))}
      />
      <Stat
        name={t('answered')}
        value={format.compact(answered)}
        more={more(t('answeredMore', { count: sums.reads }), delta(answered, before && before.hits + before.stale))}
      />
      <Stat
        name={t('avoided')}
        value={format.compact(avoidedOf(sums))}
        more={more(t('avoidedMore'), delta(avoidedOf(sums), before && avoidedOf(before)))}
      />
    </dl>
  )
}

function Reads({
  points,
  sums,
  range,
}: {
  readonly points: readonly Point[]
  readonly sums: Sums
  readonly range: Range
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { events, snapshot } = useSnapshot()
  const { by } = planOf(range)
  const from = points[0]?.at ?? 0
  const now = snapshot?.at ?? from
  const marks = useMemo(() => marksOf(events).filter(event => event.at >= from), [events, from])
  const warmings = useMemo(() => warmingsOf(events, now), [events, now])
  const summary = useMemo(() => {
    const rate = rateOf(sums)
    const low = lowest(points)
    if (rate === undefined) return t('summaryLow')
    if (low === undefined || low.rate > rate - 0.01) return t('summaryEven', { rate: format.percent(rate, 1) })
    const width = (points[1]?.at ?? low.at) - from
    const isAfterClear = marks.some(({ kind, at }) => kind === 'clear' && at >= low.at - width && at < low.at + width)
    return t('summary', {
      rate: format.percent(rate, 1),
      low: format.percent(low.rate),
      time: by === 'day' ? format.dateTime(low.at) : format.time(low.at),
      cause: isAfterClear ? t('afterClear') : '',
    })
  }, [points, sums, marks, from, by, t, format])
  return (
    <Card aria-label={t('chart')}>
      <ReadsChart title={t('chart')} summary={summary} points={points} by={by} marks={marks} warmings={warmings} />
    </Card>
  )
}

export function MissReasons({ sums }: { readonly sums: Pick<Sums, 'missReasons'> }): ReactNode {
  const t = useWords(words)
  const reason = useWords(reasonWords)
  const format = useFormat()
  const reasons = reasonsOf(sums)
  const all = reasons.reduce((total, [, count]) => total + count, 0)
  if (reasons.length === 0) return <p className="muted">{t('noMisses')}</p>
  return (
    <Bars
      items={reasons.map(([name, count]) => ({
        key: name,
        name: reason(name),
        value: count,
        text: all < LEAST_READS ? format.number(count) : `${format.number(count)} · ${format.percent(count / all)}`,
        ...(name === 'store' || name === 'damaged' ? { tone: 'degraded' as const } : {}),
      }))}
    />
  )
}

function Attention(): ReactNode {
  const t = useWords(words)
  const reason = useWords(reasonWords)
  const format = useFormat()
  const hrefOf = useHrefOf()
  const { data, error, refetch } = useTypes()
  if (data === undefined)
    return error === null ? <Loading lines={3} /> : <Broken error={error} onRetry={() => void refetch()} />
  const concerns = concernsOf(data.types)
  if (concerns.length === 0) {
    return <p className="muted">{t(data.types.some(type => type.reads > 0) ? 'noAttention' : 'noTypes')}</p>
  }
  return (
    <ul className="stack tight">
      {concerns.map(({ type, kind, value, reason: why }) => {
        const said =
          kind === 'lowRate' ? t('lowRate', { rate: format.percent(value / 100) }) : t(kind, { count: value })
        return (
          <li key={type} className="concern">
            <Link href={hrefOf('/types', { type })}>{type}</Link>
            <span className="small muted">
              {why === undefined ? said : t('mostly', { rate: said, reason: reason(why).toLowerCase() })}
            </span>
          </li>
        )
      })}
    </ul>
  )
}

function Below({ sums }: { readonly sums: Pick<Sums, 'missReasons'> }): ReactNode {
  const t = useWords(words)
  const hrefOf = useHrefOf()
  return (
    <div className="columns">
      <Card title={t('why')}>
        <MissReasons sums={sums} />
      </Card>
      <Card title={t('attention')} actions={<Link href={hrefOf('/types')}>{t('all')}</Link>}>
        <Attention />
      </Card>
    </div>
  )
}

/** What this process counted since it began: all that there is without a history. */
function OwnFigures({ children }: { readonly children: ReactNode }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const stats = useSnapshot().snapshot?.stats
  if (stats === undefined) return null
  const rate = rateOf({ reads: stats.total_requests, hits: stats.hits, stale: stats.stale_hits })
  return (
    <>
      <dl className="stats">
        <Stat
          name={t('hitRate')}
          value={rate === undefined ? '–' : format.percent(rate, 1)}
          more={rate === undefined ? t('lowData', { count: stats.total_requests }) : t('own')}
        />
        <Stat
          name={t('answered')}
          value={format.compact(stats.hits + stats.stale_hits)}
          more={t('answeredMore', { count: stats.total_requests })}
        />
      </dl>
      {children}
      <Below sums={{ missReasons: stats.miss_reasons }} />
    </>
  )
}

function WithoutMonitor(): ReactNode {
  const t = useWords(words)
  return (
    <OwnFigures>
      <Card title={t('noMonitor')}>
        <div className="stack tight">
          <p>{t('noMonitorText')}</p>
          <CodeBlock label={t('code')} text={'createConsole(cache, { monitor: createMonitor(cache) })'} />
        </div>
      </Card>
    </OwnFigures>
  )
}

function WithMonitor(): ReactNode {
  const t = useWords(words)
  const [range] = useRange()
  const { points, sums, before, error, retry } = useSums(range)
  const reads = useSnapshot().snapshot?.stats.total_requests ?? 0
  if (error !== null && points === undefined) {
    // The history lies in the backend; what this process counted itself is here.
    return (
      <OwnFigures>
        <Card>
          <Broken error={error} onRetry={() => void retry()} />
        </Card>
      </OwnFigures>
    )
  }
  if (points === undefined || sums === undefined) {
    return <Loading text={t('reading')} lines={3} height="7rem" onRetry={() => void retry()} />
  }
  if (sums.reads === 0) {
    const isNew = reads === 0
    return (
      <Card>
        <Empty icon="gauge" title={t(isNew ? 'emptyTitle' : 'emptyRange')}>
          {t(isNew ? 'empty' : 'emptyRangeText')}
        </Empty>
      </Card>
    )
  }
  return (
    <>
      <Numbers sums={sums} before={before} range={range} />
      <Reads points={points} sums={sums} range={range} />
      <Below sums={sums} />
    </>
  )
}

export function Overview(): ReactNode {
  const t = useWords(words)
  const { features } = useBootstrap()
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      {features.monitor ? <WithMonitor /> : <WithoutMonitor />}
    </>
  )
}
