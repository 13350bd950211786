import { Button, Card, Empty, Loading, Pill, SearchField, useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { TypesAnswer, TypeView } from '../../../../src/api.ts'
import { reasonsOf } from '../../data/figures.ts'
import { useParam } from '../../data/place.ts'
import { reasonWords } from '../../data/reasons.ts'
import { useTypes } from '../../data/types.ts'
import { Broken } from '../../shell/broken.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { TypeDrawer } from './drawer.tsx'
import { usePolicyText } from './policy-text.ts'
import { useStaged } from './staged.tsx'
import { StagedBar } from './staged-bar.tsx'
import { words } from './words.ts'
import './types.css'

/** Hits, stale hits and misses as one bar; the text beside it says the same. */
function Parts({ view }: { readonly view: TypeView }): ReactNode {
  const { hits, stale, misses, reads } = view
  if (reads === 0) return null
  return (
    <span className="parts" aria-hidden="true">
      {(['hit', 'stale', 'miss'] as const).map((kind, i) => (
        <span key={kind} className={kind} style={{ width: `${(([hits, stale, misses][i] ?? 0) / reads) * 100}%` }} />
      ))}
    </span>
  )
}

function Row({ view, onOpen }: { readonly view: TypeView; readonly onOpen: () => void }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const reason = useWords(reasonWords)
  const policyText = usePolicyText()
  const { changes } = useStaged()
  const { type, policy, reads, hitRate, hits, stale, misses, loadP95 } = view
  const top = reasonsOf(view)[0]
  return (
    <tr data-row>
      <th scope="row">
        <button type="button" className="link" data-open onClick={onOpen}>
          {type}
        </button>
        {type in changes ? (
          <Pill tone="warming">{t('staged')}</Pill>
        ) : (
          policy.declared !== undefined && <Pill>{t('overridden')}</Pill>
        )}
      </th>
      <td>
        {policyText(policy)}
        <span className="block small muted">{t(policy.scope)}</span>
      </td>
      <td className="number">{format.number(reads)}</td>
      <td>
        <span className="rate-cell" title={t('parts', { hits, stale, misses })}>
          {hitRate === undefined ? <span className="muted">{t('fewReads')}</span> : format.percent(hitRate / 100, 1)}
          <Parts view={view} />
        </span>
      </td>
      <td className="number">{loadP95 === undefined ? '–' : format.duration(loadP95)}</td>
      <td>{top === undefined ? '–' : `${reason(top[0])} (${format.number(top[1])})`}</td>
    </tr>
  )
}

function Table({
  answer,
  onOpen,
}: {
  readonly answer: TypesAnswer
  readonly onOpen: (type: string) => void
}): ReactNode {
  const t = useWords(words)
  const [filter, setFilter] = useParam('filter')
  const asked = filter.trim().toLowerCase()
  const shown = answer.types.filter(one => one.type.toLowerCase().includes(asked)).toSorted((a, b) => b.reads - a.reads)
  return (
    <>
      <div className="toolbar">
        <SearchField label={t('filter')} value={filter} onChange={event => setFilter(event.currentTarget.value)} />
      </div>
      {answer.types.every(one => one.reads === 0) && (
        <Card>
          <Empty icon="layers" title={t('empty')}>
            {t('emptyText')}
          </Empty>
        </Card>
      )}
      {shown.length === 0 ? (
        <Card>
          <Empty
            icon="filter"
            title={t('none', { text: filter })}
            action={<Button onClick={() => setFilter('')}>{t('drop')}</Button>}
          />
        </Card>
      ) : (
        <Card flush>
          <div className="table-frame" tabIndex={0} role="group" aria-label={t('title')}>
            <table className="table types-table">
              <caption className="visually-hidden">{t('title')}</caption>
              <thead>
                <tr>
                  <th scope="col">{t('type')}</th>
                  <th scope="col">{t('policy')}</th>
                  <th scope="col" className="number">
                    {t('reads')}
                  </th>
                  <th scope="col">{t('hitRate')}</th>
                  <th scope="col" className="number">
                    {t('load')}
                  </th>
                  <th scope="col">{t('topReason')}</th>
                </tr>
              </thead>
              <tbody>
                {shown.map(view => (
                  <Row key={view.type} view={view} onOpen={() => onOpen(view.type)} />
                ))}
              </tbody>
            </table>
          </div>
        </Card>
      )}
    </>
  )
}

/** Every type: what it does, and how long its entries live. */
export function Types(): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { data, error, refetch } = useTypes()
  const [opened, setOpened] = useParam('type')
  const lead =
    data &&
    (data.of === 'fleet'
      ? t('leadFleet', { from: format.time(data.from), to: format.time(data.to) })
      : t('leadProcess'))
  const view = data?.types.find(one => one.type === opened)
  return (
    <>
      <PageHead title={t('title')} lead={lead} />
      {data !== undefined ? (
        <Table answer={data} onOpen={type => setOpened(type, {})} />
      ) : error === null ? (
        <Loading text={t('reading')} lines={5} height="2.6rem" onRetry={() => void refetch()} />
      ) : (
        <Broken error={error} onRetry={() => void refetch()} />
      )}
      {data !== undefined && <StagedBar policies={Object.fromEntries(data.types.map(one => [one.type, one.policy]))} />}
      {data !== undefined && view !== undefined && (
        <TypeDrawer key={view.type} view={view} answer={data} onClose={() => setOpened('')} />
      )}
    </>
  )
}
