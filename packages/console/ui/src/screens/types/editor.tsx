import { Button, Field, Icon, useFormat, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import type { PolicyPreviewAnswer, TypeView } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useWhyNot } from '../../data/roles.ts'
import { changeFor, type Edited, editedOf, millisecondsOf, UNITS } from './policy.ts'
import { usePolicyText } from './policy-text.ts'
import { useStaged } from './staged.tsx'
import { words } from './words.ts'

function DurationField({
  label,
  hint,
  problem,
  value,
  onChange,
}: {
  readonly label: string
  readonly hint?: string
  readonly problem: string | undefined
  readonly value: Edited
  readonly onChange: (value: Edited) => void
}): ReactNode {
  const t = useWords(words)
  return (
    <Field label={label} hint={hint} problem={problem}>
      {given => (
        <span className="duration">
          <input
            {...given}
            className="input"
            inputMode="decimal"
            autoComplete="off"
            value={value.amount}
            onChange={event => onChange({ ...value, amount: event.currentTarget.value })}
          />
          <select
            className="input"
            aria-label={`${label} : ${t('unit')}`}
            value={value.unit}
            onChange={event =>
              onChange({ ...value, unit: UNITS.find(unit => unit === event.currentTarget.value) ?? 's' })
            }
          >
            {UNITS.map(unit => (
              <option key={unit} value={unit}>
                {t(unit)}
              </option>
            ))}
          </select>
        </span>
      )}
    </Field>
  )
}

function PreviewText({ answer }: { readonly answer: PolicyPreviewAnswer }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { unknown, hitRate, loads, reads, from, ttl } = answer
  const oldest = format.duration(answer.oldest)
  const text = (): string => {
    if (unknown === 'few-reads') return t('previewFewReads', { count: reads, oldest })
    if (hitRate === undefined || loads === undefined) return t('previewFewLoads', { oldest })
    const now = format.percent(hitRate.now / 100)
    if (ttl.now === ttl.planned) return t('previewSame', { now })
    return t('previewRate', {
      now,
      planned: format.percent(hitRate.planned / 100),
      loads: loads.planned,
      before: loads.now,
      oldest,
    })
  }
  return (
    <div className="preview" role="status">
      <p>{text()}</p>
      {unknown === undefined && (
        <p className="small muted">{t('previewOf', { count: reads, from: format.time(from) })}</p>
      )}
    </div>
  )
}

/** What stays in sight but cannot be used says so where it is, not only when it is pointed at. */
function WhyNot(): ReactNode {
  const reason = useWhyNot()('admin')
  if (reason === false) return null
  return (
    <p className="row small muted">
      <Icon name="lock" />
      <span className="grow">{reason}</span>
    </p>
  )
}

/** The times of a type, tried before they are planned, and planned before they are applied. */
export function Editor({ view }: { readonly view: TypeView }): ReactNode {
  const t = useWords(words)
  const whyNot = useWhyNot()
  const policyText = usePolicyText()
  const { changes, stage, discard } = useStaged()
  const { type, policy } = view
  const planned = changes[type]
  const now = planned === undefined ? policy : (planned ?? policy.declared ?? policy)
  const [ttl, setTtl] = useState<Edited>(() => editedOf(now.ttl))
  const [grace, setGrace] = useState<Edited>(() => editedOf(now.grace))
  const [told, setTold] = useState<PolicyPreviewAnswer | undefined>(undefined)
  const { busy, run } = useAct<number, PolicyPreviewAnswer>(
    (client, ms) => client.change('POST', 'cache/policy-preview', { type, ttl: ms }),
    { quiet: true },
  )
  const [ttlMs, graceMs] = [millisecondsOf(ttl, 1), millisecondsOf(grace, 0)]
  const isGood = ttlMs !== undefined && graceMs !== undefined
  const show = (to: { readonly ttl: number; readonly grace: number }): void => {
    setTtl(editedOf(to.ttl))
    setGrace(editedOf(to.grace))
    setTold(undefined)
  }
  const preview = async (): Promise<void> => {
    if (ttlMs !== undefined) setTold(await run(ttlMs))
  }
  const plan = (): void => {
    if (!isGood) return
    const change = changeFor(policy, { ttl: ttlMs, grace: graceMs })
    if (change === undefined) discard(type)
    else stage(type, change)
  }
  return (
    <form
      className="stack"
      onSubmit={event => {
        event.preventDefault()
        plan()
      }}
    >
      <div className="columns">
        <DurationField
          label={t('ttl')}
          problem={ttlMs === undefined ? t('badNumber', { value: ttl.amount }) : undefined}
          value={ttl}
          onChange={value => {
            setTtl(value)
            setTold(undefined)
          }}
        />
        <DurationField
          label={t('grace')}
          hint={t('graceHint')}
          problem={graceMs === undefined ? t('badGrace', { value: grace.amount }) : undefined}
          value={grace}
          onChange={setGrace}
        />
      </div>
      {told !== undefined && <PreviewText answer={told} />}
      <div className="row">
        <Button busy={busy} unavailable={whyNot('operator')} onClick={() => void preview()}>
          {t('preview')}
        </Button>
        <Button kind="primary" type="submit" unavailable={whyNot('admin')}>
          {t('stage')}
        </Button>
        {planned !== undefined && (
          <Button
            kind="quiet"
            icon="undo"
            onClick={() => {
              discard(type)
              show(policy)
            }}
          >
            {t('discardOne')}
          </Button>
        )}
      </div>
      <WhyNot />
      {planned !== undefined && (
        <p role="status">
          <strong>{planned === null ? t('isStagedBack') : t('isStaged', { policy: policyText(planned) })}</strong>
        </p>
      )}
      {policy.declared !== undefined && (
        <div className="row small">
          <span className="muted">{t('declared', { policy: policyText(policy.declared) })}</span>
          {planned !== null && (
            <Button
              size="small"
              unavailable={whyNot('admin')}
              onClick={() => {
                stage(type, null)
                show(policy.declared ?? policy)
              }}
            >
              {t('back')}
            </Button>
          )}
        </div>
      )}
    </form>
  )
}
