import { Button, Card, Icon, useFormat, useToast, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import type { AuditAnswer, UndoAnswer } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useClient } from '../../data/context.ts'
import { useHrefOf } from '../../data/place.ts'
import { useClock } from '../../data/snapshot.ts'
import { Broken } from '../../shell/broken.tsx'
import { AuditRows } from '../activity/audit-rows.tsx'
import { useClearedText, useTargetText } from './said.ts'
import type { Undoable } from './target.ts'
import { useUndoable } from './undoable.ts'
import { words } from './words.ts'

/** Puts a clear back, and says so. */
export function useUndo(): { readonly busy: boolean; run(one: Undoable): void } {
  const t = useWords(words)
  const toast = useToast()
  const targetText = useTargetText()
  const { drop } = useUndoable()
  const { busy, run } = useAct<Undoable, UndoAnswer>((client, { token }) =>
    client.change('POST', 'cache/undo', { token }),
  )
  return {
    busy,
    run: one =>
      void run(one).then(done => {
        if (done === undefined) return
        drop(one.token)
        toast({ text: t('undone', { target: targetText(one.target) }) })
      }),
  }
}

/** What was cleared in this tab and can be put back, with the time that is left for it. */
export function UndoList(): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const targetText = useTargetText()
  const clearedText = useClearedText()
  const undo = useUndo()
  const { list } = useUndoable()
  const now = useClock(1000)
  const living = list.filter(one => one.until > now)
  return (
    <Card title={t('undoTitle')}>
      {living.length === 0 ? (
        <p className="muted">{t('undoNone')}</p>
      ) : (
        <ul className="stack">
          {living.map(one => (
            <li key={one.token} className="row between">
              <span className="grow">
                <strong>{targetText(one.target)}</strong>
                <span className="block small muted">
                  {clearedText(one.target, one)} {format.time(one.at)}
                </span>
              </span>
              <span className="small muted nowrap">
                {t('undoLeft', { time: format.duration(Math.floor((one.until - now) / 1000) * 1000) })}
              </span>
              <Button
                size="small"
                icon="undo"
                busy={undo.busy}
                aria-label={t('undoOf', { target: targetText(one.target) })}
                onClick={() => undo.run(one)}
              >
                {t('undo')}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

const CLEARS: readonly string[] = [
  'invalidate-type',
  'invalidate-tag',
  'invalidate-pattern',
  'delete-key',
  'clear-keys',
  'clear-all',
  'undo',
]
const SHOWN = 8

/** Who cleared what lately, wherever they did. */
export function LatestClears(): ReactNode {
  const t = useWords(words)
  const client = useClient()
  const hrefOf = useHrefOf()
  const { data, error, refetch } = useQuery({
    queryKey: ['audit'],
    queryFn: ({ signal }) => client.get<AuditAnswer>('cache/audit', { signal }),
  })
  const entries = data?.entries.filter(({ what }) => CLEARS.includes(what)).slice(0, SHOWN)
  return (
    <Card
      flush
      title={t('history')}
      actions={
        <Link className="button quiet small" href={hrefOf('/activity')}>
          <Icon name="history" />
          {t('historyAll')}
        </Link>
      }
    >
      {error !== null && data === undefined && <Broken error={error} onRetry={() => void refetch()} />}
      {entries?.length === 0 && <p className="muted padded">{t('historyNone')}</p>}
      {entries !== undefined && entries.length > 0 && <AuditRows caption={t('history')} entries={entries} />}
    </Card>
  )
}
