import { Banner, Button, defineWords, useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { useLocation } from 'wouter'
import type { SnapshotAnswer, TryNowAnswer } from '../../../src/api.ts'
import { useAct } from '../data/act.ts'
import { useBootstrap } from '../data/context.ts'
import { useProblem } from '../data/problem.ts'
import { useWhyNot } from '../data/roles.ts'
import { useClock, useSnapshot } from '../data/snapshot.ts'
import { healthOf, stateWords, tierName } from './state.ts'

const words = defineWords(
  {
    out: '{name} has been unreachable since {since}.',
    instead: 'Reads are served from {name}.',
    nearOnly: 'Each process serves what it has in memory.',
    next: 'Next try in {wait}.',
    trying: 'Trying now.',
    again: '{name} answers again.',
    telling: 'It is being told what it missed before anybody reads from it.',
    degraded: 'The cache works, but not as it should.',
    down: 'No cache available: every read reaches its source.',
    affected: '{affected} of {count} processes.',
    because: 'Reason: {reason}',
    tryNow: 'Try {name} now',
    stale: 'Last update {age}.',
    asleep: 'The site may be asleep.',
    paused: 'Live is off.',
    retry: 'Read again',
    reference: 'Reference: {id}',
  },
  {
    out: '{name} est injoignable depuis {since}.',
    instead: 'Les lectures sont servies par : {name}.',
    nearOnly: 'Chaque processus sert ce qu’il a en mémoire.',
    next: 'Nouvel essai dans {wait}.',
    trying: 'Essai en cours.',
    again: '{name} répond de nouveau.',
    telling: 'Il reçoit ce qu’il a manqué avant d’être relu.',
    degraded: 'Le cache fonctionne, mais pas comme il le devrait.',
    down: 'Aucun cache disponible : chaque lecture interroge sa source.',
    affected: '{affected} processus sur {count}.',
    because: 'Raison : {reason}',
    tryNow: 'Essayer {name} maintenant',
    stale: 'Dernière mise à jour {age}.',
    asleep: 'Le site est peut-être en veille.',
    paused: 'Le direct est arrêté.',
    retry: 'Relire',
    reference: 'Référence : {id}',
  },
)

/** What is shown is old when the page missed this many of its questions. */
const MISSED = 4

/** Milliseconds until the backend is tried again, told by the clock of this browser; undefined where nothing is known. */
function waitOf(nextTryIn: number | undefined, readAt: number, now: number): number | undefined {
  return nextTryIn === undefined ? undefined : Math.max(0, nextTryIn - (now - readAt))
}

/** When the next try comes, counting down. */
export function NextTry({
  nextTryIn,
  readAt,
}: {
  readonly nextTryIn: number | undefined
  readonly readAt: number
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const wait = waitOf(nextTryIn, readAt, useClock(1000))
  if (wait === undefined) return null
  // Read out once, not with each second.
  return (
    <span aria-live="off">
      {wait < 1000 ? t('trying') : t('next', { wait: format.duration(Math.ceil(wait / 1000) * 1000) })}
    </span>
  )
}

function useTryNow(): { readonly busy: boolean; run(): void } {
  const { busy, run } = useAct<undefined, TryNowAnswer>(client => client.change('POST', 'cache/try-now', {}))
  return { busy, run: () => void run(undefined) }
}

function TryNow({ name }: { readonly name: string }): ReactNode {
  const t = useWords(words)
  const whyNot = useWhyNot()
  const { busy, run } = useTryNow()
  return (
    <Button size="small" icon="refresh" busy={busy} unavailable={whyNot('operator')} onClick={run}>
      {t('tryNow', { name })}
    </Button>
  )
}

/** Trouble, in one line: what, since when, what it means, what comes next, what can be done. */
function Trouble({ snapshot, readAt }: { readonly snapshot: SnapshotAnswer; readonly readAt: number }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  const { features } = useBootstrap()
  const [path] = useLocation()
  const { state, reason, since, affected, processes } = healthOf(snapshot)
  if (state !== 'DEGRADED' && state !== 'DOWN') return null
  const { tiers } = snapshot.health
  const home = tiers.find(tier => tier.role === 'shared')
  const isOut = home !== undefined && home.state !== 'up' && home.state !== 'suspect'
  const spare = tiers.find(tier => tier.role === 'spare' && tier.used)
  const homeName = home === undefined ? '' : tierName(name, home.name)
  const moment = (at: number): string => (snapshot.at - at < 12 * 3_600_000 ? format.time(at) : format.dateTime(at))
  const title = !isOut
    ? t(state === 'DOWN' ? 'down' : 'degraded')
    : home.state === 'draining'
      ? t('again', { name: homeName })
      : t('out', { name: homeName, since: moment(home.since ?? since) })
  const meaning = (): string | undefined => {
    if (state === 'DOWN') return t('down')
    if (home?.state === 'draining') return t('telling')
    return spare === undefined ? t('nearOnly') : t('instead', { name: tierName(name, spare.name).toLowerCase() })
  }
  return (
    <Banner
      tone={state === 'DOWN' ? 'down' : 'degraded'}
      title={title}
      actions={
        isOut && features.tryNow && home.state !== 'draining' && path !== '/backend' && <TryNow name={homeName} />
      }
    >
      <p>
        {processes > 1 && `${t('affected', { affected, count: processes })} `}
        {isOut ? (
          <>
            {meaning()} {home.state === 'open' && <NextTry nextTryIn={home.nextTryIn} readAt={readAt} />}
          </>
        ) : (
          <span lang="en">{t('because', { reason })}</span>
        )}
      </p>
    </Banner>
  )
}

/** Whether what is shown is older than the page would have it. */
export function useIsStale(): boolean {
  const { readAt, error } = useSnapshot()
  const { pollEvery } = useBootstrap()
  const now = useClock(5000)
  return readAt > 0 && (error !== null || now - readAt > MISSED * pollEvery)
}

/** The one line above a screen, only when it is needed. */
export function PageBanner({ isLive }: { readonly isLive: boolean }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const say = useProblem()
  const { snapshot, error, readAt, retry } = useSnapshot()
  const isStale = useIsStale()
  const now = useClock(5000)
  const again = (
    <Button size="small" icon="refresh" onClick={retry}>
      {t('retry')}
    </Button>
  )
  if (snapshot === undefined) return null
  if (error !== null) {
    const { text, reference } = say(error)
    return (
      <Banner tone="degraded" title={text} actions={again}>
        <p>
          {t('stale', { age: format.relative(readAt, Math.max(now, readAt)) })} {t('asleep')}
          {reference !== undefined && ` ${t('reference', { id: reference })}`}
        </p>
      </Banner>
    )
  }
  if (isStale && !isLive) {
    return (
      <Banner tone="warming" title={t('paused')} actions={again}>
        <p>{t('stale', { age: format.relative(readAt, Math.max(now, readAt)) })}</p>
      </Banner>
    )
  }
  return <Trouble snapshot={snapshot} readAt={readAt} />
}
