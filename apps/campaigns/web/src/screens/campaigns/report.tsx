import { Button, Card, Icon, Stat, useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { Campaign, CampaignStats } from '../../data/campaigns.ts'
import { addressOf, type Answer } from '../../data/client.ts'
import { useMay } from '../../session/session.ts'
import { Failures, Figures, Funnel, Setup, Skipped } from './overview.tsx'
import { pageWords } from './words.ts'

function Downloads({ id }: { readonly id: string }): ReactNode {
  const t = useWords(pageWords)
  const may = useMay()
  return (
    <div className="row no-print">
      {may('contacts:export') ? (
        <a className="button" href={addressOf('/campaigns/{id}/export', { id })} download>
          <Icon name="download" />
          {t('download')}
        </a>
      ) : (
        <Button icon="download" unavailable={t('downloadForbidden')}>
          {t('download')}
        </Button>
      )}
      <Button icon="page" onClick={() => window.print()}>
        {t('print')}
      </Button>
    </div>
  )
}

/** Everything about the campaign on one page, for paper or for a file. */
export function Report({
  campaign,
  answer,
}: {
  readonly campaign: Campaign
  readonly answer: Answer<CampaignStats>
}): ReactNode {
  const t = useWords(pageWords)
  const format = useFormat()
  const stats = answer.value
  const { rates } = stats
  const madeAt = answer.readAt - answer.age * 1000
  const { started_at, completed_at } = campaign
  return (
    <div className="stack wide report">
      <div className="row between">
        <p className="muted">{t('reportOf', { time: format.dateTime(madeAt) })}</p>
        <Downloads id={campaign.id} />
      </div>
      <Card title={t('reportFacts')}>
        <dl className="stats">
          <Stat name={t('audience')} value={format.number(stats.total)} />
          <Stat name={t('deliveryRate')} value={format.percent(rates.delivery, 1)} />
          <Stat name={t('readRate')} value={format.percent(rates.read, 1)} />
          <Stat name={t('replyRate')} value={format.percent(rates.interaction, 1)} />
          <Stat name={t('failureRate')} value={format.percent(rates.failure, 1)} />
          {started_at !== null && completed_at !== null && (
            <Stat name={t('duration')} value={format.duration(completed_at - started_at)} />
          )}
        </dl>
      </Card>
      <Funnel stats={stats} hasMessage2={campaign.message2_kind !== 'none'} />
      <Figures stats={stats} />
      <Failures stats={stats} />
      <Skipped stats={stats} />
      <Setup campaign={campaign} />
    </div>
  )
}
