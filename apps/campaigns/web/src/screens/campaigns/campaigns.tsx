import {
  Button,
  Card,
  Empty,
  Failure,
  Icon,
  Loading,
  Progress,
  Select,
  useFormat,
  useWords,
  Table,
} from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { type Campaign, campaignsQuery } from '../../data/campaigns.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type CampaignStatus, campaignStatusWords } from '../../data/statuses.ts'
import { useMay } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { ActionButton, ActionMenu, CampaignPill } from './campaign-actions.tsx'
import { handledOf, phaseOf, shareOf, UNDER_WAY } from './progress.ts'
import { TemplatesButton } from './templates-panel.tsx'
import { listWords } from './words.ts'
import './campaigns.css'

const STATUSES = Object.keys(campaignStatusWords.en) as readonly CampaignStatus[]
const statusOf = (text: string | undefined): CampaignStatus | undefined => STATUSES.find(status => status === text)

function useProgressText(): (campaign: Campaign) => string {
  const t = useWords(listWords)
  return campaign => {
    const { total } = campaign
    const phase = phaseOf(campaign)
    if (phase === 'planning') return t('planning', { total })
    if (phase === 'awaiting') return t('awaiting')
    return t('of', { done: handledOf(campaign), total })
  }
}

function CampaignProgress({ campaign }: { readonly campaign: Campaign }): ReactNode {
  const t = useWords(listWords)
  const text = useProgressText()
  const { status, total, name } = campaign
  if (campaign.started_at === null) return <span className="small muted">{t('notStarted')}</span>
  // A full bar says nothing where all is over.
  if (phaseOf(campaign) === 'over') return <span className="small muted">{text(campaign)}</span>
  const isPlanning = phaseOf(campaign) === 'planning'
  return (
    <Progress
      label={t('progressOf', { name })}
      {...(!isPlanning && { done: handledOf(campaign), total: Math.max(1, total) })}
      {...(status === 'failed' ? { tone: 'down' as const } : status === 'paused' ? { tone: 'degraded' as const } : {})}
      text={text(campaign)}
    />
  )
}

function useWhen(): (campaign: Campaign) => string {
  const t = useWords(listWords)
  const format = useFormat()
  return ({ status, scheduled_at, started_at, completed_at, created_at }) => {
    if (status === 'scheduled' && scheduled_at !== null)
      return t('scheduledFor', { time: format.dateTime(scheduled_at) })
    if (completed_at !== null) return t('endedAt', { time: format.date(completed_at) })
    if (started_at !== null) return t('startedAt', { time: format.date(started_at) })
    return t('createdAt', { time: format.date(created_at) })
  }
}

function useAudience(): (campaign: Campaign) => string {
  const t = useWords(listWords)
  return ({ categories }) =>
    categories.length === 0
      ? t('noAudience')
      : t('audienceOf', { names: categories.map(({ name }) => name).join(', ') })
}

/** A campaign that needs eyes now. */
function UnderWayCard({ campaign }: { readonly campaign: Campaign }): ReactNode {
  const t = useWords(listWords)
  const format = useFormat()
  const { id, name, status, sent, read, interacted } = campaign
  const rates = { read: format.percent(shareOf(read, sent)), replied: format.percent(shareOf(interacted, sent)) }
  return (
    <li className="card under-way">
      <div className="row between nowrap">
        <h3 className="truncate">
          <Link to="/campaigns/$id" params={{ id }}>
            {name}
          </Link>
        </h3>
        <CampaignPill status={status} />
      </div>
      <CampaignProgress campaign={campaign} />
      <div className="row between">
        <span className="small muted">{t('stats', rates)}</span>
        <span className="row">
          <ActionButton campaign={campaign} action={status === 'running' ? 'pause' : 'resume'} size="small" />
          <ActionMenu campaign={campaign} label={t('actionsOf', { name })} besides={['pause', 'resume']} />
        </span>
      </div>
    </li>
  )
}

function UnderWay(): ReactNode {
  const t = useWords(listWords)
  const client = useClient()
  const running = useInfiniteQuery(campaignsQuery(client, 'running'))
  const paused = useInfiniteQuery(campaignsQuery(client, 'paused'))
  const campaigns = [running, paused].flatMap(({ data }) => data?.pages.flatMap(page => page.value.items) ?? [])
  if (campaigns.length === 0) return null
  return (
    <section className="stack tight" aria-labelledby="under-way">
      <h2 id="under-way">{t('underWay')}</h2>
      <ul className="under-way-list">
        {campaigns.map(campaign => (
          <UnderWayCard key={campaign.id} campaign={campaign} />
        ))}
      </ul>
    </section>
  )
}

function CampaignRow({ campaign }: { readonly campaign: Campaign }): ReactNode {
  const t = useWords(listWords)
  const format = useFormat()
  const when = useWhen()
  const audience = useAudience()
  const { id, name, status, sent, read, interacted } = campaign
  const share = (part: number): string => (sent === 0 ? '–' : format.percent(part / sent))
  return (
    <tr>
      <th scope="row" className="campaign-name">
        <Link to="/campaigns/$id" params={{ id }}>
          {name}
        </Link>
        <span className="small muted truncate">{audience(campaign)}</span>
        <span className="small muted narrow-only">{when(campaign)}</span>
        <span className="narrow-only">
          <CampaignPill status={status} />
        </span>
      </th>
      <td className="wide-only">
        <CampaignPill status={status} />
      </td>
      <td className="campaign-progress wide-only">
        <CampaignProgress campaign={campaign} />
      </td>
      <td className="number wide-only">{share(read)}</td>
      <td className="number wide-only">{share(interacted)}</td>
      <td className="small muted wide-only when">{when(campaign)}</td>
      <td className="actions">
        <ActionMenu campaign={campaign} label={t('actionsOf', { name })} isOpenLink />
      </td>
    </tr>
  )
}

function NewLink({ text }: { readonly text: string }): ReactNode {
  const t = useWords(listWords)
  const may = useMay()
  if (!may('campaigns:write')) {
    return (
      <Button kind="primary" icon="plus" unavailable={t('newForbidden')}>
        {text}
      </Button>
    )
  }
  return (
    <Link className="button primary" to="/campaigns/new">
      <Icon name="plus" />
      {text}
    </Link>
  )
}

function EmptyList({ status }: { readonly status: CampaignStatus | undefined }): ReactNode {
  const t = useWords(listWords)
  const state = useWords(campaignStatusWords)
  if (status === undefined) {
    return (
      <Empty icon="send" title={t('emptyTitle')} action={<NewLink text={t('emptyAction')} />}>
        {t('emptyText')}
      </Empty>
    )
  }
  const drop = (
    <Link className="button" to="/campaigns">
      {t('dropFilter')}
    </Link>
  )
  return (
    <Empty icon="filter" title={t('filteredTitle')} action={drop}>
      {t('filteredText', { state: state(status) })}
    </Empty>
  )
}

function CampaignTable({ status }: { readonly status: CampaignStatus | undefined }): ReactNode {
  const t = useWords(listWords)
  const client = useClient()
  const say = useProblem()
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    campaignsQuery(client, status),
  )
  if (data === undefined) {
    if (error === null) return <Loading lines={6} height="3.25rem" onRetry={() => void refetch()} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
  }
  const all = data.pages.flatMap(page => page.value.items)
  // What is under way stands above already.
  const shown = status === undefined ? all.filter(one => !UNDER_WAY.includes(one.status)) : all
  if (all.length === 0) return <EmptyList status={status} />
  return (
    <>
      <Table label={t('all')}>
        <thead>
          <tr>
            <th scope="col">{t('name')}</th>
            <th scope="col" className="wide-only">
              {t('state')}
            </th>
            <th scope="col" className="wide-only">
              {t('progress')}
            </th>
            <th scope="col" className="number wide-only">
              {t('readRate')}
            </th>
            <th scope="col" className="number wide-only">
              {t('replyRate')}
            </th>
            <th scope="col" className="wide-only">
              {t('when')}
            </th>
            <th scope="col" className="actions">
              <span className="visually-hidden">{t('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map(campaign => (
            <CampaignRow key={campaign.id} campaign={campaign} />
          ))}
        </tbody>
      </Table>
      {hasNextPage && (
        <div className="list-foot">
          <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t('more')}
          </Button>
        </div>
      )}
    </>
  )
}

/** The list: what is under way first, then all others, newest first. */
export function Campaigns(): ReactNode {
  const t = useWords(listWords)
  const state = useWords(campaignStatusWords)
  const navigate = useNavigate()
  const status = statusOf(useSearch({ from: '/shell/campaigns' }).status)
  const choose = (value: string): void => {
    void navigate({ to: '/campaigns', search: value === '' ? {} : { status: value }, replace: true })
  }
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')}>
        <TemplatesButton />
        <NewLink text={t('new')} />
      </PageHead>
      {status === undefined && <UnderWay />}
      <Card
        flush
        title={status === undefined ? t('others') : t('all')}
        actions={
          <div className="head-filter">
            <Select
              label={t('filter')}
              value={status ?? ''}
              choices={[
                { value: '', label: t('filterAll') },
                ...STATUSES.map(one => ({ value: one, label: state(one) })),
              ]}
              onChange={event => choose(event.target.value)}
            />
          </div>
        }
      >
        <CampaignTable key={status ?? 'all'} status={status} />
      </Card>
    </>
  )
}
