import { Bars, Card, IconButton, Progress, Stat, useFormat, useWords, Table } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { type Campaign, type CampaignStats, templatesQuery } from '../../data/campaigns.ts'
import { useClient } from '../../data/context.tsx'
import { accountsQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { skipKeyOf, skipWords, useMeaning } from '../messages/errors.ts'
import { ActionDialog } from './action-dialog.tsx'
import { actionWords } from './actions.ts'
import { usePace } from './live.ts'
import { funnelOf, handledOf, phaseOf } from './progress.ts'
import { pageWords } from './words.ts'

const HOUR_MS = 3_600_000
const MICROS = 1_000_000

function usePhase(): (campaign: Campaign) => string {
  const t = useWords(pageWords)
  const format = useFormat()
  return campaign => {
    const { status, scheduled_at, completed_at } = campaign
    const time = format.dateTime(completed_at ?? campaign.updated_at)
    if (status === 'scheduled' && scheduled_at !== null)
      return t('phase_scheduled', { time: format.dateTime(scheduled_at) })
    if (status === 'cancelled') return t('phase_cancelled', { time })
    if (status === 'failed') return t('phase_failed')
    const phase = phaseOf(campaign)
    return phase === 'over' ? t('phase_over', { time }) : t(`phase_${phase}`)
  }
}

/** What it is doing, how far it is, how fast, for how long still. */
export function RunCard({ campaign, seenAt }: { readonly campaign: Campaign; readonly seenAt: number }): ReactNode {
  const t = useWords(pageWords)
  const format = useFormat()
  const phase = usePhase()
  const { speed, left } = usePace(campaign, seenAt)
  const { total, queued, status, interaction_timeout_h: hours, open_count } = campaign
  const now = phaseOf(campaign)
  const done = handledOf(campaign)
  const parts = [t('handled', { done, total })]
  if (now === 'sending') {
    if (speed === undefined) parts.push(t('measuring'))
    else parts.push(t('speed', { speed: Math.round(speed) }))
    if (left !== undefined && queued > 0) parts.push(t('left', { time: format.duration(left) }))
  }
  return (
    <Card className="run-card">
      <div className="row between">
        <p className="run-state">{phase(campaign)}</p>
        {campaign.started_at !== null && now !== 'planning' && (
          <span className="run-share">{format.percent(total === 0 ? 0 : done / total)}</span>
        )}
      </div>
      {campaign.started_at === null ? (
        <p className="muted">{t('beforeText')}</p>
      ) : (
        <Progress
          label={t('sendingNow')}
          {...(now !== 'planning' && { done, total: Math.max(1, total) })}
          {...(status === 'failed'
            ? { tone: 'down' as const }
            : status === 'paused'
              ? { tone: 'degraded' as const }
              : {})}
          text={<span aria-live="off">{now === 'planning' ? t('planned', { total }) : parts.join(' · ')}</span>}
        />
      )}
      {now === 'awaiting' && <p className="muted">{t('awaitingText', { count: open_count, hours })}</p>}
      {campaign.reason !== null && (
        <p className="run-reason">
          <strong>{t('reason')}</strong> {campaign.reason}
        </p>
      )}
    </Card>
  )
}

function useMoney(): (stats: CampaignStats) => string {
  const t = useWords(pageWords)
  const format = useFormat()
  return ({ cost }) =>
    cost.amounts.length === 0
      ? t('costNone')
      : cost.amounts.map(({ currency, micros }) => format.money(micros / MICROS, currency)).join(' + ')
}

/** The figures that people look for. */
export function Figures({ stats }: { readonly stats: CampaignStats }): ReactNode {
  const t = useWords(pageWords)
  const format = useFormat()
  const money = useMoney()
  const { queued, retrying, awaiting, failed, rates, no_interaction, late, cost } = stats
  return (
    <dl className="stats">
      <Stat
        name={t('queued')}
        value={format.number(queued)}
        more={retrying > 0 ? t('queuedRetrying', { retrying }) : t('queuedMore')}
      />
      <Stat name={t('waiting')} value={format.number(awaiting)} more={t('waitingMore')} />
      <Stat name={t('silent')} value={format.number(no_interaction)} more={t('silentMore', { late })} />
      <Stat
        name={t('failedStat')}
        value={format.number(failed)}
        more={t('failureShare', { share: format.percent(rates.failure, 1) })}
      />
      <Stat
        name={t('cost')}
        value={money(stats)}
        more={
          <>
            {t('costMore', { billable: cost.billable, free: cost.free })}
            {cost.unpriced > 0 && <> {t('costUnpriced', { count: cost.unpriced })}</>}
            {cost.example_rates && <> {t('costExample')}</>}
          </>
        }
      />
    </dl>
  )
}

export function Funnel({
  stats,
  hasMessage2,
}: {
  readonly stats: CampaignStats
  readonly hasMessage2: boolean
}): ReactNode {
  const t = useWords(pageWords)
  const format = useFormat()
  const items = funnelOf(stats, hasMessage2).map(({ key, count, share }) => ({
    key,
    name: t(`step_${key}`),
    value: count,
    text:
      share === undefined
        ? format.number(count)
        : t('funnelShare', { count: format.number(count), share: format.percent(share, 1) }),
    ...(key === 'interacted' || key === 'message2' ? { tone: 'healthy' as const } : {}),
  }))
  return (
    <Card title={t('funnel')}>
      <Bars items={items} />
      <p className="small muted funnel-note">{t('shareOfSent')}</p>
    </Card>
  )
}

/** Why messages failed, in words, with the code of WhatsApp; `campaign`: with a way to send them again. */
export function Failures({
  stats,
  campaign,
}: {
  readonly stats: CampaignStats
  readonly campaign?: Campaign
}): ReactNode {
  const t = useWords(pageWords)
  const action = useWords(actionWords)
  const format = useFormat()
  const meaning = useMeaning()
  const may = useMay()
  const [asked, setAsked] = useState<{ readonly errorClass: string | null } | undefined>(undefined)
  const canRetry = campaign?.actions.includes('retry-failed') === true
  const { failures } = stats
  return (
    <Card title={t('failures')} flush={failures.length > 0}>
      {failures.length === 0 ? (
        <p className="muted">{t('noFailures')}</p>
      ) : (
        <Table label={t('failureCaption')}>
          <thead>
            <tr>
              <th scope="col">{t('colReason')}</th>
              <th scope="col" className="number">
                {t('colCount')}
              </th>
              {canRetry && (
                <th scope="col" className="actions">
                  <span className="visually-hidden">{t('retryThese')}</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {failures.map(({ step, error_class, error_code, count }) => {
              const reason = meaning(error_class, error_code)
              return (
                <tr key={`${step} ${error_class} ${error_code}`}>
                  <th scope="row" className="failure-reason">
                    {reason} {error_code !== null && <code className="kbd">{error_code}</code>}
                    <span className="small muted sub">{t('messageStep', { step })}</span>
                  </th>
                  <td className="number">{format.number(count)}</td>
                  {canRetry && (
                    <td className="actions">
                      <IconButton
                        label={t('retryTheseOf', { reason })}
                        icon="refresh"
                        size="small"
                        unavailable={may('campaigns:run') ? false : action('forbidden')}
                        onClick={() => setAsked({ errorClass: error_class })}
                      />
                    </td>
                  )}
                </tr>
              )
            })}
          </tbody>
        </Table>
      )}
      {asked !== undefined && campaign !== undefined && (
        <ActionDialog
          action="retry-failed"
          campaign={campaign}
          errorClass={asked.errorClass}
          onClose={() => setAsked(undefined)}
        />
      )}
    </Card>
  )
}

export function Skipped({ stats }: { readonly stats: CampaignStats }): ReactNode {
  const t = useWords(pageWords)
  const skip = useWords(skipWords)
  const format = useFormat()
  if (stats.skipped.length === 0) return null
  const items = stats.skipped.map(({ reason, count }) => ({
    key: reason,
    name: skip(skipKeyOf(reason)),
    value: count,
    text: format.number(count),
    tone: 'degraded' as const,
  }))
  return (
    <Card title={t('skipped')}>
      <p className="visually-hidden">{t('skippedCaption')}</p>
      <Bars items={items} />
    </Card>
  )
}

function Message2Card({ stats, campaign }: { readonly stats: CampaignStats; readonly campaign: Campaign }): ReactNode {
  const t = useWords(pageWords)
  const format = useFormat()
  const { queued, sent, failed } = stats.message2
  return (
    <Card title={t('message2Card')}>
      {campaign.message2_kind === 'none' ? (
        <p className="muted">{t('m2None')}</p>
      ) : (
        <dl className="facts">
          <dt>{t('m2Queued')}</dt>
          <dd>{format.number(queued)}</dd>
          <dt>{t('m2Sent')}</dt>
          <dd>{format.number(sent)}</dd>
          <dt>{t('m2Failed')}</dt>
          <dd>{format.number(failed)}</dd>
        </dl>
      )}
    </Card>
  )
}

/** What was decided before it started. */
export function Setup({ campaign }: { readonly campaign: Campaign }): ReactNode {
  const t = useWords(pageWords)
  const format = useFormat()
  const client = useClient()
  const may = useMay()
  const templates = useQuery({ ...templatesQuery(client), enabled: may('templates:read') })
  const accounts = useQuery({ ...accountsQuery(client), enabled: may('accounts:read') })
  const nameOf = (id: string | null): string => {
    const template = templates.data?.value.items.find(one => one.id === id)
    return template === undefined ? '–' : `${template.name} (${template.language})`
  }
  const account = accounts.data?.value.items.find(one => one.id === campaign.account_id)
  const { categories, message2_kind: kind, rate_per_minute: rate, created_at, started_at, completed_at } = campaign
  const rows: readonly (readonly [string, ReactNode])[] = [
    [
      t('audience'),
      categories.map(({ id, name }, i) => (
        <span key={id}>
          {i > 0 && ', '}
          <Link to="/contacts" search={{ category: id }}>
            {name}
          </Link>
        </span>
      )),
    ],
    ['Message 1', nameOf(campaign.message1_template_id)],
    ['Message 2', kind === 'template' ? nameOf(campaign.message2_template_id) : t(`m2Kind_${kind}`)],
    [t('rate'), rate === null ? t('rateNone') : t('ratePerMinute', { rate })],
    [t('timeout'), format.duration(campaign.interaction_timeout_h * HOUR_MS)],
    [t('late'), t(campaign.accept_late ? 'lateYes' : 'lateNo')],
    ...(account === undefined
      ? []
      : [[t('account'), `${account.name} · +${account.display_phone.replace(/^\+/, '')}`] as const]),
    [t('made'), format.dateTime(created_at)],
    ...(started_at === null ? [] : [[t('started'), format.dateTime(started_at)] as const]),
    ...(completed_at === null ? [] : [[t('ended'), format.dateTime(completed_at)] as const]),
  ]
  return (
    <Card title={t('setup')}>
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name} className="fact">
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}

export function Overview({
  campaign,
  stats,
}: {
  readonly campaign: Campaign
  readonly stats: CampaignStats
}): ReactNode {
  const hasMessage2 = campaign.message2_kind !== 'none'
  if (campaign.started_at === null) return <Setup campaign={campaign} />
  return (
    <>
      <Figures stats={stats} />
      <div className="overview-columns">
        <div className="stack">
          <Funnel stats={stats} hasMessage2={hasMessage2} />
          <Failures stats={stats} campaign={campaign} />
        </div>
        <div className="stack">
          <Message2Card stats={stats} campaign={campaign} />
          <Skipped stats={stats} />
          <Setup campaign={campaign} />
        </div>
      </div>
    </>
  )
}
