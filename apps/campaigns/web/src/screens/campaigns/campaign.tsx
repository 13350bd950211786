import { Button, Failure, Icon, Loading, useWords } from '@palier/design'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Campaign } from '../../data/campaigns.ts'
import { useProblem } from '../../data/problems.ts'
import { useMay } from '../../session/session.ts'
import { FreshnessNote } from '../../shell/freshness-note.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { actionWords, type ConductAction, possibleActions } from './actions.ts'
import { ActionButton, ActionMenu, CampaignPill } from './campaign-actions.tsx'
import { useCampaign } from './live.ts'
import { Overview, RunCard } from './overview.tsx'
import { recipientStatusOf, Recipients } from './recipients.tsx'
import { Report } from './report.tsx'
import { listWords, pageWords } from './words.ts'
import './campaigns.css'
import './campaign.css'

const SHOWN: readonly ConductAction[] = ['start', 'schedule', 'resume', 'pause']

function Actions({ campaign }: { readonly campaign: Campaign }): ReactNode {
  const t = useWords(actionWords)
  const list = useWords(listWords)
  const may = useMay()
  const navigate = useNavigate()
  const shown = possibleActions(campaign).filter(action => SHOWN.includes(action))
  const { id, name } = campaign
  return (
    <div className="row">
      {campaign.actions.includes('edit') &&
        (may('campaigns:write') ? (
          <Link className="button" to="/campaigns/$id/edit" params={{ id }}>
            <Icon name="edit" />
            {t('edit')}
          </Link>
        ) : (
          <Button icon="edit" unavailable={t('forbidden')}>
            {t('edit')}
          </Button>
        ))}
      {shown.toReversed().map(action => (
        <ActionButton
          key={action}
          campaign={campaign}
          action={action}
          {...((action === 'start' || action === 'resume') && { kind: 'primary' as const })}
        />
      ))}
      <ActionMenu
        campaign={campaign}
        label={list('actionsOf', { name })}
        besides={shown}
        onDeleted={() => void navigate({ to: '/campaigns' })}
      />
    </div>
  )
}

const TABS = [undefined, 'recipients', 'report'] as const

function Tabs({ id, current }: { readonly id: string; readonly current: (typeof TABS)[number] }): ReactNode {
  const t = useWords(pageWords)
  return (
    <nav className="tabs no-print" aria-label={t('tabs')}>
      {TABS.map(tab => (
        <Link
          key={tab ?? 'overview'}
          to="/campaigns/$id"
          params={{ id }}
          search={tab === undefined ? {} : { tab }}
          activeOptions={{ exact: true, includeSearch: true }}
          aria-current={tab === current ? 'page' : undefined}
        >
          {t(tab ?? 'overview')}
        </Link>
      ))}
    </nav>
  )
}

/** One campaign, live. */
export function CampaignPage(): ReactNode {
  const { id } = useParams({ from: '/shell/campaigns/$id' })
  const search = useSearch({ from: '/shell/campaigns/$id' })
  const t = useWords(pageWords)
  const say = useProblem()
  const { campaign, stats } = useCampaign(id)
  if (campaign.data === undefined) {
    if (campaign.error === null) return <Loading lines={6} height="3rem" onRetry={() => void campaign.refetch()} />
    const { text, reference } = say(campaign.error)
    return <Failure text={text} reference={reference} onRetry={() => void campaign.refetch()} />
  }
  const one = campaign.data.value
  const refetch = (): void => void Promise.all([campaign.refetch(), stats.refetch()])
  const body = (): ReactNode => {
    if (search.tab === 'recipients') return <Recipients campaign={one} status={recipientStatusOf(search.status)} />
    if (stats.data !== undefined) {
      return search.tab === 'report' ? (
        <Report campaign={one} answer={stats.data} />
      ) : (
        <Overview campaign={one} stats={stats.data.value} />
      )
    }
    if (stats.error === null) return <Loading lines={4} height="6rem" onRetry={() => void stats.refetch()} />
    const { text, reference } = say(stats.error)
    return <Failure text={text} reference={reference} onRetry={() => void stats.refetch()} />
  }
  return (
    <>
      <PageHead
        title={one.name}
        lead={
          <span className="row campaign-lead">
            <Link to="/campaigns">{t('back')}</Link>
            <CampaignPill status={one.status} />
          </span>
        }
      >
        <Actions campaign={one} />
      </PageHead>
      <RunCard campaign={one} seenAt={campaign.data.readAt} />
      <div className="tab-row">
        <Tabs id={id} current={search.tab} />
        {stats.data !== undefined && one.started_at !== null && (
          <FreshnessNote answer={stats.data} busy={stats.isRefetching} onRefresh={refetch} />
        )}
      </div>
      {body()}
    </>
  )
}
