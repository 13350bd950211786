import {
  Bars,
  Button,
  Card,
  Empty,
  Failure,
  Loading,
  Pill,
  Skeleton,
  Stat,
  useFormat,
  useWords,
  Table,
} from '@palier/design'
import { Link, useNavigate } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useMemo } from 'react'
import { usePending } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useStats } from '../../data/use-stats.ts'
import { campaignStatusWords, campaignTones, messageStatusWords } from '../../data/statuses.ts'
import { FreshnessNote } from '../../shell/freshness-note.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { type DashboardValue, figuresOf, withPending } from './figures.ts'
import { words } from './words.ts'
import './dashboard.css'

const PerDay = lazy(() => import('./per-day.tsx').then(module => ({ default: module.PerDay })))

const DAY_MS = 86_400_000

function KeyFigures({ value, isOld }: { readonly value: DashboardValue; readonly isOld: boolean }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const figures = figuresOf(value)
  const share = (part: number, whole: number): string => (whole === 0 ? t('none') : format.percent(part / whole))
  return (
    <section aria-label={t('numbers')}>
      <dl className={isOld ? 'stats kpis stale' : 'stats kpis'}>
        <Stat name={t('contacts')} value={format.number(figures.contacts)} more={t('contactsMore')} />
        <Stat
          name={t('fresh')}
          value={format.number(figures.fresh)}
          more={t('freshMore', { share: share(figures.fresh, figures.contacts) })}
        />
        <Stat name={t('messages')} value={format.number(figures.messages)} more={t('messagesMore')} />
        <Stat
          name={t('readRate')}
          value={figures.readRate === null ? t('none') : format.percent(figures.readRate)}
          more={t('readMore', { read: figures.read, sent: figures.sent })}
        />
        <Stat
          name={t('running')}
          value={format.number(figures.running)}
          more={t('runningMore', { count: figures.campaigns })}
        />
        <Stat
          name={t('problems')}
          value={format.number(figures.problems)}
          more={t('problemsMore', { share: share(figures.problems, figures.messages) })}
        />
        <Stat
          name={t('median')}
          value={figures.medianReadMs === null ? t('none') : format.duration(figures.medianReadMs)}
          more={t('medianMore')}
        />
      </dl>
    </section>
  )
}

function Campaigns({ rows }: { readonly rows: DashboardValue['campaigns'] }): ReactNode {
  const t = useWords(words)
  const name = useWords(campaignStatusWords)
  const format = useFormat()
  return (
    <Card title={t('campaigns')} flush>
      <Table label={t('campaigns')}>
        <thead>
          <tr>
            <th scope="col">{t('campaignState')}</th>
            <th scope="col" className="number">
              {t('campaignCount')}
            </th>
            <th scope="col" className="number">
              {t('campaignSent')}
            </th>
            <th scope="col" className="number">
              {t('campaignRead')}
            </th>
            <th scope="col" className="number">
              {t('campaignRate')}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={row.status}>
              <th scope="row">
                <Link to="/campaigns" search={{ status: row.status }} className="plain">
                  <Pill tone={campaignTones[row.status]}>{name(row.status)}</Pill>
                </Link>
              </th>
              <td className="number">{format.number(row.count)}</td>
              <td className="number">{format.number(row.sent)}</td>
              <td className="number">{format.number(row.read)}</td>
              <td className="number">{row.sent === 0 ? t('none') : format.percent(row.read_rate)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

function Breakdowns({ value }: { readonly value: DashboardValue }): ReactNode {
  const t = useWords(words)
  const status = useWords(messageStatusWords)
  const format = useFormat()
  const reason = (problem: DashboardValue['problems'][number]): string => {
    if (problem.status === 'no_interaction') return t('silent')
    // A code is a name, not an amount: 131026, not 131,026.
    return problem.error_code === null ? t('failedUnknown') : t('failedCode', { code: String(problem.error_code) })
  }
  return (
    <div className="columns">
      <Card title={t('byStatus')}>
        <Bars
          items={value.messages.by_status.map(one => ({
            key: one.status,
            name: status(one.status),
            value: one.count,
            text: format.number(one.count),
          }))}
        />
      </Card>
      <Card title={t('byCategory')} actions={<Link to="/categories">{t('others')}</Link>}>
        <Bars
          items={value.categories.map(one => ({
            key: one.id,
            name: (
              <Link to="/contacts" search={{ category: one.id }}>
                {one.name}
              </Link>
            ),
            value: one.contact_count,
            text: format.number(one.contact_count),
          }))}
        />
      </Card>
      <Card title={t('reasons')}>
        {value.problems.length === 0 ? (
          <Empty icon="check" title={t('reasonsEmpty')}>
            {t('reasonsEmptyText')}
          </Empty>
        ) : (
          <Bars
            items={value.problems.map(one => ({
              key: `${one.status}${one.error_code ?? ''}`,
              name: reason(one),
              value: one.count,
              text: format.number(one.count),
              tone: one.status === 'failed' ? 'down' : 'degraded',
            }))}
          />
        )}
      </Card>
    </div>
  )
}

function Numbers({ value, isOld }: { readonly value: DashboardValue; readonly isOld: boolean }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const navigate = useNavigate()
  if (value.contacts.total === 0 && value.messages.total === 0) {
    const toImport = (
      <Button kind="primary" icon="upload" onClick={() => void navigate({ to: '/contacts/import' })}>
        {t('import')}
      </Button>
    )
    return (
      <Card>
        <Empty icon="gauge" title={t('newTitle')} action={toImport}>
          {t('newText')}
        </Empty>
      </Card>
    )
  }
  return (
    <>
      <KeyFigures value={value} isOld={isOld} />
      <Card>
        <Suspense fallback={<Skeleton height="16rem" />}>
          <PerDay days={value.per_day} />
        </Suspense>
      </Card>
      <Breakdowns value={value} />
      <Campaigns rows={value.campaigns} />
      <p className="small muted">{t('computed', { ms: format.precise(value.computed_ms) })}</p>
    </>
  )
}

/** The numbers of the last 30 days, exact after every write, with where they came from and how old they are. */
export function Dashboard(): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const format = useFormat()
  const pending = usePending()
  const { data, error, isFetching, refetch } = useStats()
  const value = useMemo(
    () => (data === undefined ? undefined : withPending(data.value, pending, data.asked)),
    [data, pending],
  )
  const again = (): void => void refetch()
  const period =
    value === undefined
      ? undefined
      : t('lead', {
          from: format.day(value.period.from),
          to: format.day(value.period.from + (value.period.days - 1) * DAY_MS),
        })
  return (
    <>
      <PageHead title={t('title')} lead={period}>
        {data !== undefined && <FreshnessNote answer={data} busy={isFetching} onRefresh={again} />}
      </PageHead>
      {value === undefined && error === null && <Loading lines={6} height="5rem" onRetry={again} />}
      {value === undefined && error !== null && <Failure {...say(error)} onRetry={again} />}
      {value !== undefined && <Numbers value={value} isOld={error !== null || data?.offline === true} />}
    </>
  )
}
