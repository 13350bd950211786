import {
  Button,
  CopyButton,
  Dialog,
  Form,
  Icon,
  Loading,
  Pill,
  TextField,
  type Tone,
  useFormat,
  useWords,
} from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { Link } from 'wouter'
import type { ExplainAnswer } from '../../../../src/api.ts'
import { useClient } from '../../data/context.ts'
import { useHrefOf } from '../../data/place.ts'
import { useTypes } from '../../data/types.ts'
import { Broken } from '../../shell/broken.tsx'
import { stateWords, tierName } from '../../shell/state.ts'
import { words } from './words.ts'

type Tier = ExplainAnswer['tiers'][number]

const TONES: Readonly<Record<Tier['state'], Tone>> = {
  fresh: 'healthy',
  stale: 'degraded',
  dead: 'down',
  absent: 'quiet',
}
const NEXT = { hit: 'nextHit', stale: 'nextStale', miss: 'nextMiss' } as const

function Stamps({ stamps }: { readonly stamps: NonNullable<Tier['stamps']> }): ReactNode {
  const t = useWords(words)
  const nameOf = ({ group, name = '' }: (typeof stamps)[number]): string =>
    group === 'namespace' ? t('namespace') : t(group === 'type' ? 'groupType' : 'groupTag', { name })
  return (
    <ul>
      {stamps.map(stamp => (
        <li key={`${stamp.group} ${stamp.name ?? ''}`}>
          {nameOf(stamp)}
          {!stamp.isCurrent && `, ${t('since')}`}
        </li>
      ))}
    </ul>
  )
}

/** What one tier holds of a key, and why it is served from there or not. */
function TierView({ tier }: { readonly tier: Tier }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  const { state, reason, age, ttl, grace, bytes, cost, writer, stamps = [] } = tier
  const facts: readonly (readonly [string, ReactNode])[] = [
    ...(age === undefined ? [] : [[t('age'), format.duration(age)] as const]),
    ...(ttl === undefined ? [] : [[t('ttl'), format.duration(ttl)] as const]),
    ...(grace === undefined || grace === 0 ? [] : [[t('grace'), format.duration(grace)] as const]),
    ...(bytes === undefined ? [] : [[t('size'), format.bytes(bytes)] as const]),
    ...(cost === undefined ? [] : [[t('cost'), format.duration(cost)] as const]),
    ...(writer === undefined ? [] : [[t('writer'), <code key="writer">{writer}</code>] as const]),
    ...(stamps.length === 0 ? [] : [[t('groups'), <Stamps key="stamps" stamps={stamps} />] as const]),
  ]
  return (
    <li className="stack tight drawer-section">
      <div className="row between">
        <h3>{t('tier', { tier: tier.tier === 'near' ? t('near') : tierName(name, tier.tier) })}</h3>
        <Pill tone={TONES[state]}>{t(state)}</Pill>
      </div>
      {reason !== undefined && (
        <p className="small muted" lang="en">
          {reason}
        </p>
      )}
      {facts.length > 0 && (
        <dl className="facts">
          {facts.map(([term, fact]) => (
            <div key={term} className="shortcut">
              <dt>{term}</dt>
              <dd>{fact}</dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  )
}

function SubjectForm({ onSubject }: { readonly onSubject: (subject: string) => void }): ReactNode {
  const t = useWords(words)
  return (
    <Form className="stack tight" onSend={values => onSubject(values('subject').trim())}>
      <TextField name="subject" label={t('subject')} hint={t('subjectHint')} autoComplete="off" required />
      <div>
        <Button type="submit" size="small">
          {t('subjectAsk')}
        </Button>
      </div>
    </Form>
  )
}

/** One key: what every tier knows of it, never its value. Also of a key that is not there. */
export function KeyDetail({
  type,
  name,
  onClose,
}: {
  readonly type: string
  readonly name: string
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const client = useClient()
  const hrefOf = useHrefOf()
  const [subject, setSubject] = useState('')
  const types = useTypes()
  const scope = types.data?.types.find(one => one.type === type)?.policy.scope ?? 'public'
  const needsSubject = scope !== 'public' && subject === ''
  const { data, error, refetch } = useQuery({
    queryKey: ['explain', type, name, subject],
    queryFn: ({ signal }) =>
      client.get<ExplainAnswer>(`cache/explain/${encodeURIComponent(name)}`, {
        query: { type, subject: subject || undefined },
        signal,
      }),
    enabled: !types.isPending && !needsSubject,
    retry: false,
  })
  return (
    <Dialog title={`${type}:${name}`} shape="drawer" onClose={onClose}>
      {data !== undefined ? (
        <>
          <p role="status">
            <strong>{t(NEXT[data.next])}</strong>
            <span className="block small muted" lang="en">
              {data.summary}
            </span>
          </p>
          <dl className="facts">
            <dt>{t('value')}</dt>
            <dd>{t('masked')}</dd>
          </dl>
          <ol className="stack">
            {data.tiers.map(tier => (
              <TierView key={tier.tier} tier={tier} />
            ))}
          </ol>
        </>
      ) : needsSubject ? (
        <SubjectForm onSubject={setSubject} />
      ) : error === null ? (
        <Loading text={t('explaining')} lines={4} onRetry={() => void refetch()} />
      ) : (
        <Broken error={error} onRetry={() => void refetch()} />
      )}
      <footer>
        <CopyButton text={name} label={t('copy')} />
        <Link className="button small" href={hrefOf('/clear', { kind: 'key', type, key: name, subject })}>
          <Icon name="trash" />
          {t('clear')}
        </Link>
      </footer>
    </Dialog>
  )
}
