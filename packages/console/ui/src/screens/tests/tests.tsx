import { Button, Card, Confirm, Empty, Pill, Progress, useFormat, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { TestAnswer, TestsAnswer } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useClient } from '../../data/context.ts'
import { useWhyNot } from '../../data/roles.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { stateWords, tierName } from '../../shell/state.ts'
import { previousOf, type Run } from './lines.ts'
import { Report } from './report.tsx'
import { Result } from './result.tsx'
import { NotYet, Table } from '../activity/table.tsx'
import { words } from './words.ts'
import './tests.css'

type Mode = Run['mode']
/** A run that was just made comes with more than one that was kept. */
type Shown = Run & Partial<Pick<TestAnswer, 'previous' | 'kept'>>

function History({ runs, onShow }: { readonly runs: readonly Run[]; readonly onShow: (run: Run) => void }): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const format = useFormat()
  if (runs.length === 0) {
    return <Empty icon="pulse" title={t('historyNone')} />
  }
  return (
    <Table
      caption={t('history')}
      columns={[
        { name: t('when') },
        { name: t('kind') },
        { name: t('on') },
        { name: t('outcome') },
        { name: t('readP95'), isNumber: true },
        { name: t('writeP95'), isNumber: true },
        { name: '' },
      ]}
    >
      {runs.map(run => (
        <tr key={run.at} data-row>
          <th scope="row" className="nowrap">
            {format.dateTime(run.at)}
          </th>
          <td>{t(`mode_${run.mode}`)}</td>
          <td>{tierName(name, run.backend)}</td>
          <td>
            <Pill tone={run.ok ? 'healthy' : 'down'}>{t(run.ok ? 'passed' : 'failed')}</Pill>
          </td>
          <td className="number">{run.speed.read.rounds === 0 ? '–' : format.precise(run.speed.read.p95)}</td>
          <td className="number">{run.speed.write.rounds === 0 ? '–' : format.precise(run.speed.write.p95)}</td>
          <td className="actions">
            <Button
              size="small"
              data-open
              aria-label={t('showOf', { when: format.dateTime(run.at) })}
              onClick={() => onShow(run)}
            >
              {t('show')}
            </Button>
          </td>
        </tr>
      ))}
    </Table>
  )
}

/** Tries the backend, compares with last time, and makes the report for a ticket. */
export function Tests(): ReactNode {
  const t = useWords(words)
  const client = useClient()
  const whyNot = useWhyNot()
  const [shown, setShown] = useState<Shown | undefined>(undefined)
  const [isAsking, setIsAsking] = useState(false)
  const query = useQuery({
    queryKey: ['tests'],
    queryFn: ({ signal }) => client.get<TestsAnswer>('cache/tests', { signal }),
  })
  const { data } = query
  const { busy, run } = useAct<Mode, TestAnswer>((api, mode) => api.change('POST', 'cache/test', { mode }))
  const start = async (mode: Mode): Promise<void> => {
    setIsAsking(false)
    setShown(undefined)
    setShown(await run(mode))
  }
  const runs = data?.runs ?? []
  const result: Shown | undefined = shown ?? (busy ? undefined : runs[0])
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      <div className="columns">
        <Card title={t('simpleTitle')}>
          <div className="stack tight">
            <p>{t('simpleText')}</p>
            <div>
              <Button
                kind="primary"
                icon="play"
                busy={busy}
                unavailable={whyNot('operator')}
                onClick={() => void start('simple')}
              >
                {t('simple')}
              </Button>
            </div>
          </div>
        </Card>
        <Card title={t('advancedTitle')}>
          <div className="stack tight">
            <p>
              {t('advancedText')} {t('warning')}
            </p>
            <div>
              <Button icon="play" busy={busy} unavailable={whyNot('operator')} onClick={() => setIsAsking(true)}>
                {t('advanced')}
              </Button>
            </div>
          </div>
        </Card>
      </div>
      <div role="status" className="stack">
        {busy && (
          <Card>
            <Progress label={t('running')} text={t('running')} />
          </Card>
        )}
        {result !== undefined && (
          <Result run={result} previous={result.previous ?? previousOf(result, runs)} kept={result.kept !== false} />
        )}
      </div>
      <Card flush title={t('history')}>
        {data !== undefined ? (
          <History
            runs={runs}
            onShow={one => {
              setShown(one)
              scrollTo({ top: 0 })
            }}
          />
        ) : (
          <NotYet query={query} text={t('reading')} />
        )}
      </Card>
      <Report />
      {isAsking && (
        <Confirm
          title={t('confirm')}
          action={t('confirmAction')}
          danger={false}
          onConfirm={() => void start('advanced')}
          onClose={() => setIsAsking(false)}
        >
          <p>{t('advancedText')}</p>
          <p>{t('warning')}</p>
        </Confirm>
      )}
    </>
  )
}
