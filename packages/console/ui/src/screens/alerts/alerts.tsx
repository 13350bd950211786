import { Banner, Button, Card, Empty, Pill, useFormat, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { AlertsAnswer, AlertTestAnswer } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useBootstrap, useClient } from '../../data/context.ts'
import { useLive } from '../../data/live.tsx'
import { useWhyNot } from '../../data/roles.ts'
import { useClock } from '../../data/snapshot.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { Acknowledge, useAcknowledge } from './acknowledge.tsx'
import { type ActiveAlert, isOf, useAlertText, useRuleText } from './said.ts'
import { NotYet, Table } from '../activity/table.tsx'
import { words } from './words.ts'
import './alerts.css'

const AGAIN = 10_000

/** What the page can promise, and what it cannot. */
function HonestLine({ lookedAt }: { readonly lookedAt: number | undefined }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const now = useClock(5000)
  const look =
    lookedAt === undefined ? t('noLook') : t('lastLook', { age: format.relative(lookedAt, Math.max(now, lookedAt)) })
  return (
    <Banner tone="warming" title={t('honest')}>
      <p>
        <span aria-live="off">{look}</span> {t('honestRest')}
      </p>
    </Banner>
  )
}

function Active({
  alert,
  onAcknowledge,
}: {
  readonly alert: ActiveAlert
  readonly onAcknowledge: () => void
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const whyNot = useWhyNot()
  const alertText = useAlertText()
  const now = useClock(10_000)
  const { busy, run } = useAcknowledge()
  const { signature, detail, since, acknowledged } = alert
  const text = alertText(alert)
  const takeBack = (): void => void run({ signature, for: null })
  return (
    <li className="alert">
      <div className="grow">
        <h3>
          <Pill tone={acknowledged === undefined ? 'down' : 'quiet'}>{text}</Pill>
        </h3>
        <p className="small">
          <span lang="en">{detail}</span>
          <span className="block muted">
            {t('since', { when: format.dateTime(since), time: format.duration(Math.max(0, now - since)) })}
          </span>
        </p>
        {acknowledged !== undefined && (
          <p className="small alert-known">
            {t('known', {
              who: acknowledged.by.name ?? acknowledged.by.role,
              when: format.dateTime(acknowledged.at),
              until: format.dateTime(acknowledged.until),
            })}{' '}
            <span className="wrap-anywhere">{acknowledged.reason}</span>
          </p>
        )}
      </div>
      {acknowledged === undefined ? (
        <Button
          icon="check"
          unavailable={whyNot('operator')}
          aria-label={t('acknowledgeOf', { text })}
          onClick={onAcknowledge}
        >
          {t('acknowledge')}
        </Button>
      ) : (
        <Button busy={busy} unavailable={whyNot('operator')} aria-label={t('takeBackOf', { text })} onClick={takeBack}>
          {t('takeBack')}
        </Button>
      )}
    </li>
  )
}

function Rules({ answer }: { readonly answer: AlertsAnswer }): ReactNode {
  const t = useWords(words)
  const ruleText = useRuleText()
  return (
    <Card flush title={t('rules')}>
      <Table caption={t('rules')} columns={[{ name: t('rule') }, { name: t('state') }]}>
        {answer.rules.map(rule => {
          const count = answer.active.filter(alert => isOf(rule, alert)).length
          return (
            <tr key={rule.id}>
              <th scope="row">{ruleText(rule)}</th>
              <td>
                <Pill tone={count === 0 ? 'healthy' : 'down'}>{count === 0 ? t('quiet') : t('firing', { count })}</Pill>
              </td>
            </tr>
          )
        })}
      </Table>
    </Card>
  )
}

/** Who is told, and whether that works. */
function Channels({ channels }: { readonly channels: AlertsAnswer['channels'] }): ReactNode {
  const t = useWords(words)
  const whyNot = useWhyNot()
  const [sent, setSent] = useState<AlertTestAnswer['sent'] | undefined>(undefined)
  const { busy, run } = useAct<undefined, AlertTestAnswer>(client => client.change('POST', 'cache/alerts/test', {}))
  const send = async (): Promise<void> => setSent((await run(undefined))?.sent)
  return (
    <Card title={t('channels')}>
      <div className="stack tight">
        {channels.length === 0 ? (
          <p>{t('channels_none')}</p>
        ) : (
          <>
            <ul className="stack tight" aria-live="polite">
              {channels.map(channel => {
                const result = sent?.find(one => one.channel === channel)
                return (
                  <li key={channel}>
                    <span className="row">
                      {t(channel)}
                      {result !== undefined && (
                        <Pill tone={result.ok ? 'healthy' : 'down'}>{t(result.ok ? 'sent' : 'notSent')}</Pill>
                      )}
                    </span>
                    {result?.error !== undefined && (
                      <span className="block small muted wrap-anywhere" lang="en">
                        {result.error}
                      </span>
                    )}
                  </li>
                )
              })}
            </ul>
            <p className="small muted">{t('channelsText')}</p>
          </>
        )}
        <div>
          <Button
            icon="send"
            busy={busy}
            unavailable={whyNot('admin') || (channels.length === 0 && t('channels_none'))}
            onClick={() => void send()}
          >
            {t('send')}
          </Button>
        </div>
      </div>
    </Card>
  )
}

function Recent({ recent }: { readonly recent: AlertsAnswer['recent'] }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const alertText = useAlertText()
  return (
    <Card flush={recent.length > 0} title={t('recent')}>
      {recent.length === 0 ? (
        <p className="muted">{t('recentNone')}</p>
      ) : (
        <Table caption={t('recent')} columns={[{ name: t('what') }, { name: t('began') }, { name: t('lasted') }]}>
          {recent.map(alert => (
            <tr key={`${alert.signature} ${alert.since}`}>
              <th scope="row">
                {alertText(alert)}
                <span className="block small muted" lang="en">
                  {alert.detail}
                </span>
              </th>
              <td className="nowrap">{format.dateTime(alert.since)}</td>
              <td>{alert.until === undefined ? '–' : format.duration(alert.until - alert.since)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  )
}

function useAlerts() {
  const client = useClient()
  const { features } = useBootstrap()
  const { isOn } = useLive()
  return useQuery({
    queryKey: ['alerts'],
    queryFn: ({ signal }) => client.get<AlertsAnswer>('cache/alerts', { signal }),
    enabled: features.monitor,
    refetchInterval: isOn ? AGAIN : false,
    refetchOnWindowFocus: isOn,
  })
}

/** When somebody is told, of what, who, and what is so now. */
export function Alerts(): ReactNode {
  const t = useWords(words)
  const { features } = useBootstrap()
  const query = useAlerts()
  const { data } = query
  const [asked, setAsked] = useState<ActiveAlert | undefined>(undefined)
  if (!features.monitor) {
    return (
      <>
        <PageHead title={t('title')} />
        <Card>
          <Empty icon="bell" title={t('missing')}>
            {t('missingText')}
          </Empty>
        </Card>
      </>
    )
  }
  if (data === undefined) {
    return (
      <>
        <PageHead title={t('title')} />
        <NotYet query={query} text={t('reading')} />
      </>
    )
  }
  return (
    <>
      <PageHead title={t('title')} />
      <HonestLine lookedAt={data.lookedAt} />
      <Card title={t('active')}>
        {data.active.length === 0 ? (
          <p>
            <Pill tone="healthy">{t('none')}</Pill>
          </p>
        ) : (
          <ul className="stack">
            {data.active.map(alert => (
              <Active key={alert.signature} alert={alert} onAcknowledge={() => setAsked(alert)} />
            ))}
          </ul>
        )}
      </Card>
      {data.rules.length === 0 ? (
        <Card>
          <Empty icon="bell" title={t('offTitle')} />
        </Card>
      ) : (
        <Rules answer={data} />
      )}
      <Channels channels={data.channels} />
      <Recent recent={data.recent} />
      {asked !== undefined && <Acknowledge alert={asked} onClose={() => setAsked(undefined)} />}
    </>
  )
}
