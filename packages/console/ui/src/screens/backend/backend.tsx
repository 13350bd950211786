import { Button, Card, Pill, Progress, useFormat, useToast, useWords } from '@palier/design'
import { Fragment, type ReactNode } from 'react'
import type { SnapshotAnswer, TryNowAnswer } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useWhyNot } from '../../data/roles.ts'
import { useSnapshot } from '../../data/snapshot.ts'
import { NextTry } from '../../shell/banner.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { healthOf, stateWords, TONES, tierName } from '../../shell/state.ts'
import { type Step, stepsOf } from './chain.ts'
import { Events } from './events.tsx'
import { Processes } from './processes.tsx'
import { words } from './words.ts'
import './backend.css'

function TryNow({ snapshot }: { readonly snapshot: SnapshotAnswer }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const toast = useToast()
  const whyNot = useWhyNot()
  const { busy, run } = useAct<undefined, TryNowAnswer>(client => client.change('POST', 'cache/try-now', {}))
  const home = snapshot.health.tiers.find(tier => tier.role === 'shared')
  const called = home === undefined ? '' : tierName(name, home.name)
  const reason = home === undefined ? t('tryNone') : home.used && home.state === 'up' && t('tryInUse', { name: called })
  const attempt = async (): Promise<void> => {
    const answer = await run(undefined)
    if (answer !== undefined)
      toast({ text: t(answer.reached ? 'reached' : 'notReached', { name: called }), failed: !answer.reached })
  }
  return (
    <Button icon="refresh" busy={busy} unavailable={whyNot('operator') || reason} onClick={() => void attempt()}>
      {t('tryNow', { name: home === undefined ? t('title').toLowerCase() : called })}
    </Button>
  )
}

function InUse({ snapshot, readAt }: { readonly snapshot: SnapshotAnswer; readonly readAt: number }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  const { health } = snapshot
  const { state, reason, since } = healthOf(snapshot)
  const home = health.tiers.find(tier => tier.role === 'shared')
  const isOut = home?.state === 'open'
  return (
    <Card
      title={t('inUse', { name: tierName(name, health.backend) })}
      actions={<Pill tone={TONES[state]}>{name(state)}</Pill>}
    >
      <div className="stack tight">
        {!isOut && (
          <p className="wrap-anywhere" lang="en">
            {reason}
          </p>
        )}
        <p className={isOut ? 'wrap-anywhere' : 'muted wrap-anywhere'}>
          {t('because')} <span lang="en">{isOut ? home.reason : health.why}</span>
        </p>
        <p className="muted small">
          {since > 0 && t('since', { time: format.dateTime(since) })}
          {isOut && ' · '}
          {isOut && <NextTry nextTryIn={home.nextTryIn} readAt={readAt} />}
        </p>
      </div>
    </Card>
  )
}

/** Of little it is not said that it is nothing. */
function useShare(): (share: number | undefined) => string {
  const t = useWords(words)
  const format = useFormat()
  return share => {
    if (share === undefined) return t('neverRead')
    const text = share > 0 && share < LITTLE ? `< ${format.percent(LITTLE, 1)}` : format.percent(share, 1)
    return t('share', { share: text })
  }
}

const LITTLE = 0.001

const TIER_TONES = {
  up: 'healthy',
  suspect: 'warming',
  open: 'down',
  draining: 'warming',
  'in doubt': 'degraded',
} as const
const TIER_WORDS = { up: 'up', suspect: 'suspect', open: 'open', draining: 'draining', 'in doubt': 'inDoubt' } as const

function TierBox({ step, held }: { readonly step: Step; readonly held: string | undefined }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  const shareOf = useShare()
  const { status, share, p95, errors, evictions } = step
  return (
    <li className={status.used ? 'tier' : 'tier unused'}>
      <div className="row between">
        <strong>{tierName(name, status.role === 'near' ? 'near' : status.name)}</strong>
        <Pill tone={status.used || status.state !== 'up' ? TIER_TONES[status.state] : 'quiet'}>
          {t(TIER_WORDS[status.state])}
        </Pill>
      </div>
      <span className="small muted">
        {t(status.role)}
        {!status.used && ` · ${t('unused')}`}
      </span>
      <span className="tier-share">{shareOf(share)}</span>
      <span className="small muted">
        {[
          p95 !== undefined && t('p95', { time: format.precise(p95) }),
          held,
          evictions > 0 && t('evictions', { count: evictions }),
          errors > 0 && t('errors', { count: errors }),
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
    </li>
  )
}

function Chain({ snapshot }: { readonly snapshot: SnapshotAnswer }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { stats } = snapshot
  const shareOf = useShare()
  const { entries, bytes } = stats.near
  const held = t('held', { count: entries, bytes: format.bytes(bytes) })
  const share = stats.total_requests === 0 ? undefined : stats.misses / stats.total_requests
  return (
    <Card title={t('chain')}>
      <p className="small muted lead">{t('chainLead')}</p>
      <ol className="chain">
        {stepsOf(snapshot).map(step => (
          <TierBox
            key={`${step.status.role}${step.status.name}`}
            step={step}
            held={step.status.role === 'near' ? held : undefined}
          />
        ))}
        <li className="tier">
          <strong>{t('source')}</strong>
          <span className="small muted">{t('sourceText')}</span>
          <span className="tier-share">{shareOf(share)}</span>
          <span className="small muted">
            {t('loads', { count: stats.loads })}
            {stats.load.count > 0 && ` · ${t('p95', { time: format.precise(stats.load.p95 / 1000) })}`}
          </span>
        </li>
      </ol>
    </Card>
  )
}

const VERDICTS = { chosen: 'healthy', refused: 'degraded', 'not tried': 'quiet' } as const

function Trace({ trace }: { readonly trace: SnapshotAnswer['trace'] }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  return (
    <Card title={t('trace')}>
      <p className="small muted lead">{t('traceLead')}</p>
      <ol className="trace">
        {trace.map(({ backend, outcome, why, hint, ms }, i) => (
          <li key={backend}>
            <span className="trace-number" aria-hidden="true">
              {i + 1}
            </span>
            <div className="stack tight">
              <div className="row">
                <strong>{tierName(name, backend)}</strong>
                <Pill tone={VERDICTS[outcome]}>{t(outcome)}</Pill>
                {outcome !== 'not tried' && <span className="small muted">{format.duration(ms)}</span>}
              </div>
              <p className="wrap-anywhere" lang="en">
                {why}
              </p>
              {hint !== undefined && (
                <p className="small muted wrap-anywhere" lang="en">
                  {hint}
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
    </Card>
  )
}

function Meaning({ snapshot }: { readonly snapshot: SnapshotAnswer }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { outbox, processes, staleBound } = snapshot.health
  const waiting =
    outbox.pending === 0
      ? t('outboxNone')
      : outbox.oldestAt === undefined
        ? format.number(outbox.pending)
        : t('outboxSince', { count: outbox.pending, age: format.duration(snapshot.at - outbox.oldestAt) })
  const facts: readonly (readonly [string, string])[] = [
    [t('stale'), staleBound === 0 ? t('staleNow') : t('staleWithin', { time: format.duration(staleBound) })],
    [t('outbox'), waiting],
    [t('seen'), format.number(processes)],
  ]
  return (
    <Card title={t('facts')}>
      <dl className="facts even">
        {facts.map(([what, value]) => (
          <Fragment key={what}>
            <dt>{what}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
      </dl>
    </Card>
  )
}

/** Above this share of a limit people should know of it. */
const NEARLY = 0.9
const FULL = 0.97

function Budgets({ budgets }: { readonly budgets: SnapshotAnswer['budgets'] }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const write = (name: string, value: number): string =>
    /inode|files/i.test(name) ? format.number(value) : format.bytes(value)
  return (
    <Card title={t('budgets')}>
      {budgets === undefined || budgets.length === 0 ? (
        <p className="muted">{t('budgetsNone')}</p>
      ) : (
        <div className="stack">
          {budgets.map(({ name, used, limit }) => (
            <div key={name} className="stack tight">
              <div className="row between">
                <span>{name}</span>
                <span className="small muted">
                  {t('budget', { used: write(name, used), limit: write(name, limit) })} · {format.percent(used / limit)}
                </span>
              </div>
              <Progress
                label={name}
                done={used}
                total={limit}
                {...(used / limit >= NEARLY && { tone: used / limit >= FULL ? 'down' : 'degraded' })}
              />
            </div>
          ))}
        </div>
      )}
    </Card>
  )
}

/** What is in use and why, the way of a read, who takes part, and what happened. */
export function Backend(): ReactNode {
  const t = useWords(words)
  const { snapshot, events, readAt } = useSnapshot()
  if (snapshot === undefined) return null
  return (
    <>
      <PageHead title={t('title')}>
        <TryNow snapshot={snapshot} />
      </PageHead>
      <InUse snapshot={snapshot} readAt={readAt} />
      <Chain snapshot={snapshot} />
      <div className="columns">
        <Trace trace={snapshot.trace} />
        <div className="stack wide">
          <Meaning snapshot={snapshot} />
          {snapshot.fleet !== undefined && <Budgets budgets={snapshot.budgets} />}
        </div>
      </div>
      <Processes snapshot={snapshot} />
      {snapshot.fleet !== undefined && <Events events={events} />}
    </>
  )
}
