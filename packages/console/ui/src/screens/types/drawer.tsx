import { Button, Dialog, Icon, Skeleton, Stat, useFormat, useWords } from '@palier/design'
import { type ReactNode, useId, useMemo, useState } from 'react'
import { Link } from 'wouter'
import type { PreviewAnswer, TypesAnswer, TypeView } from '../../../../src/api.ts'
import { ReadsChart } from '../../chart/reads-chart.tsx'
import { useAct } from '../../data/act.ts'
import { useBootstrap } from '../../data/context.ts'
import { pointsOf, rateOf, totalOf } from '../../data/figures.ts'
import { useHistory } from '../../data/history.ts'
import { useHrefOf, useRange } from '../../data/place.ts'
import { planOf } from '../../data/ranges.ts'
import { useWhyNot } from '../../data/roles.ts'
import { Broken } from '../../shell/broken.tsx'
import { RangePicker } from '../../shell/top.tsx'
import { MissReasons } from '../overview/overview.tsx'
import { Editor } from './editor.tsx'
import { barsOf, halfOf } from './policy.ts'
import { words } from './words.ts'

function History({ type }: { readonly type: string }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const [range] = useRange()
  const plan = useMemo(() => planOf(range, true), [range])
  const { data, error, refetch } = useHistory(plan.ring, type)
  const drawn = useMemo(() => {
    if (data === undefined) return undefined
    const sums = totalOf(data.buckets.slice(-plan.count).filter(bucket => bucket.known))
    return { points: pointsOf(data, plan), sums }
  }, [data, plan])
  if (drawn === undefined)
    return error === null ? <Skeleton height="14rem" /> : <Broken error={error} onRetry={() => void refetch()} />
  const { points, sums } = drawn
  if (sums.reads === 0) return <p className="muted">{t('noHistory')}</p>
  const rate = rateOf(sums)
  const summary =
    rate === undefined
      ? t('chartSummary', { count: sums.reads })
      : t('chartSummaryRate', { rate: format.percent(rate, 1), count: sums.reads })
  return <ReadsChart title={t('chart', { type })} summary={summary} points={points} by={plan.by} height={160} />
}

/** How old entries were at their hits, beside how long they live. */
function Ages({ view, bounds }: { readonly view: TypeView; readonly bounds: readonly number[] }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const bars = barsOf(view.ages, bounds)
  const half = halfOf(bars)
  if (half === undefined) return <p className="muted">{t('agesNone')}</p>
  const largest = Math.max(...bars.map(bar => bar.count))
  const { ttl } = view.policy
  const name = ({ from, to }: (typeof bars)[number]): string =>
    to === undefined
      ? t('above', { from: format.duration(from) })
      : from === 0
        ? t('below', { to: format.duration(to) })
        : t('from', { from: format.duration(from), to: format.duration(to) })
  return (
    <div className="stack tight">
      <p>{t('agesSummary', { half: format.duration(half), ttl: format.duration(ttl) })}</p>
      <ol className="ages">
        {bars.map(bar => (
          <li key={bar.from}>
            <span className="small muted">{name(bar)}</span>
            <span className={bar.from >= ttl ? 'age beyond' : 'age'} aria-hidden="true">
              <span style={{ width: `${(bar.count / largest) * 100}%` }} />
            </span>
            <span className="small number">
              {format.compact(bar.count)}
              {bar.from >= ttl && <span className="visually-hidden"> {t('beyond')}</span>}
            </span>
          </li>
        ))}
      </ol>
      <p className="small muted">{t('agesHint')}</p>
    </div>
  )
}

/** Counted only when somebody asks: the backend walks over its entries for it. */
function Held({ type }: { readonly type: string }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const whyNot = useWhyNot()
  const [answer, setAnswer] = useState<PreviewAnswer | undefined>(undefined)
  const { busy, run } = useAct<undefined, PreviewAnswer>(
    client => client.change('POST', 'cache/preview', { target: { kind: 'type', type } }),
    { quiet: true },
  )
  const count = async (): Promise<void> => setAnswer(await run(undefined))
  return (
    <div className="stack tight">
      {answer !== undefined && (
        <p role="status">
          {t(answer.exact ? 'measured' : 'measuredAtLeast', {
            count: answer.entries,
            bytes: format.bytes(answer.bytes),
          })}
          {answer.cost > 0 && ` · ${t('measureCost', { time: format.duration(answer.cost) })}`}
        </p>
      )}
      <div>
        <Button size="small" icon="search" busy={busy} unavailable={whyNot('operator')} onClick={() => void count()}>
          {t('measureNow')}
        </Button>
      </div>
    </div>
  )
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }): ReactNode {
  const id = useId()
  return (
    <section className="stack tight drawer-section" aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      {children}
    </section>
  )
}

function Numbers({ view }: { readonly view: TypeView }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { reads, hitRate, loads, loadErrors, loadMean, misses, stale } = view
  return (
    <dl className="stats small-stats">
      <Stat
        name={t('hitRate')}
        value={hitRate === undefined ? '–' : format.percent(hitRate / 100, 1)}
        {...(hitRate === undefined && { more: t('lowData', { count: reads }) })}
      />
      <Stat name={t('reads')} value={format.compact(reads)} />
      <Stat name={t('misses')} value={format.compact(misses)} />
      {stale > 0 && <Stat name={t('stale')} value={format.compact(stale)} />}
      <Stat
        name={t('loads')}
        value={format.compact(loads)}
        {...(loadErrors > 0 && { more: `${t('loadErrors')} : ${format.number(loadErrors)}` })}
      />
      {loadMean !== undefined && <Stat name={t('mean')} value={format.duration(loadMean)} />}
    </dl>
  )
}

/** One type: what it did, how old its entries are when they are served, and how long they shall live. */
export function TypeDrawer({
  view,
  answer,
  onClose,
}: {
  readonly view: TypeView
  readonly answer: TypesAnswer
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const hrefOf = useHrefOf()
  const { features } = useBootstrap()
  const { type } = view
  return (
    <Dialog title={type} shape="drawer" onClose={onClose}>
      <Numbers view={view} />
      <Section title={t('editor')}>
        <Editor view={view} />
      </Section>
      <Section title={t('ages')}>
        <Ages view={view} bounds={answer.ageBounds} />
      </Section>
      {features.monitor && (
        <section className="stack tight drawer-section" aria-label={t('chart', { type })}>
          <div className="row end">
            <RangePicker />
          </div>
          <History type={type} />
        </section>
      )}
      <Section title={t('topReason')}>
        <MissReasons sums={view} />
      </Section>
      <Section title={t('measure')}>
        <Held type={type} />
      </Section>
      <footer>
        <Link className="button" href={hrefOf('/keys', { type })}>
          <Icon name="key" />
          {t('keys')}
        </Link>
        <Link className="button" href={hrefOf('/clear', { kind: 'type', type })}>
          <Icon name="trash" />
          {t('clear')}
        </Link>
      </footer>
    </Dialog>
  )
}
