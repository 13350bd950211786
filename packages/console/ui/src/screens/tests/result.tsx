import { Card, Icon, Pill, useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { stateWords, tierName } from '../../shell/state.ts'
import { type Line, lineOf, type Run } from './lines.ts'
import { words } from './words.ts'

type Speed = Run['speed']['read']

function Mark({ ok }: { readonly ok: boolean }): ReactNode {
  const t = useWords(words)
  return (
    <span className={ok ? 'test-mark ok' : 'test-mark bad'}>
      <Icon name={ok ? 'check' : 'close'} />
      <span className="visually-hidden">{t(ok ? 'passed' : 'failed')}</span>
    </span>
  )
}

function CheckLine({ line }: { readonly line: Line }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { ok, name, said } = line
  const sentence = (): ReactNode => {
    if ('text' in said) {
      return (
        <>
          {!ok && `${t('reason')} `}
          <span lang="en">{said.text}</span>
        </>
      )
    }
    const [first = 0, second = 0, third = 0] = said.numbers
    if (said.key === 'sizedOk') return t(said.key, { write: format.precise(first), read: format.precise(second) })
    return t(said.key, { count: first, time: format.precise(third) })
  }
  return (
    <li>
      <Mark ok={ok} />
      <strong>{'key' in name ? t(name.key) : name.text}</strong>
      <span className="wrap-anywhere">{sentence()}</span>
    </li>
  )
}

function SpeedLine({
  name,
  speed,
  before,
}: {
  readonly name: string
  readonly speed: Speed
  readonly before: { readonly speed: Speed; readonly at: number } | undefined
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { rounds, p50, p95 } = speed
  const isMeasured = rounds > 0
  return (
    <li>
      <Mark ok={isMeasured} />
      <strong>{name}</strong>
      <span>
        {isMeasured
          ? t('speed', { count: rounds, p50: format.precise(p50), p95: format.precise(p95) })
          : t('speedNone')}
        {isMeasured && before !== undefined && before.speed.rounds > 0 && (
          <span className="block small muted">
            {t('was', {
              now: format.precise(p95),
              before: format.precise(before.speed.p95),
              when: format.dateTime(before.at),
            })}
          </span>
        )}
      </span>
    </li>
  )
}

/** One run, line by line, beside the last one like it. */
export function Result({
  run,
  previous,
  kept,
}: {
  readonly run: Run
  readonly previous: Run | undefined
  readonly kept: boolean
}): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  const { mode, backend, ok, checks, speed, at, by } = run
  const beforeOf = (pick: keyof Run['speed']) => previous && { speed: previous.speed[pick], at: previous.at }
  return (
    <Card
      title={t(`result_${mode}`, { backend: tierName(name, backend) })}
      actions={<Pill tone={ok ? 'healthy' : 'down'}>{t(ok ? 'passed' : 'failed')}</Pill>}
    >
      <div className="stack tight">
        <ul className="stack tight test-lines">
          {checks.map(check => (
            <CheckLine key={check.check} line={lineOf(check)} />
          ))}
          <SpeedLine name={t('speedWrite')} speed={speed.write} before={beforeOf('write')} />
          <SpeedLine name={t('speedRead')} speed={speed.read} before={beforeOf('read')} />
        </ul>
        <p className="small muted">
          {t('by', { when: format.dateTime(at), who: by.name ?? by.role })}. {!kept && t('notKept')}
        </p>
      </div>
    </Card>
  )
}
