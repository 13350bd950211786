import { Icon, useFormat, useWords, Table } from '@palier/design'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { HistoryEntry } from '../../data/people.ts'
import { fieldWords as settingWords } from '../settings/words.ts'
import { actionName, changesIn, type FieldChange, isEntity, writtenOf } from './changes.ts'
import { actionWords, entityWords, fieldWords, historyWords } from './words.ts'

const isKey = <K extends string>(words: Readonly<Record<K, unknown>>, key: string): key is K =>
  Object.hasOwn(words, key)

/** What the server calls things, in words where there are some. */
export function useNames(): {
  readonly entity: (name: string) => string
  readonly action: (name: string) => string
  readonly field: (name: string) => string
} {
  const entity = useWords(entityWords)
  const action = useWords(actionWords)
  const field = useWords(fieldWords)
  return {
    entity: name => (isEntity(name) ? entity(name) : name),
    action(name) {
      const short = actionName(name)
      return isKey(actionWords.en, short) ? action(short) : name
    },
    field: name => (isKey(fieldWords.en, name) ? field(name) : name.replaceAll('_', ' ')),
  }
}

function Value({ field, value }: { readonly field: string; readonly value: unknown }): ReactNode {
  const t = useWords(historyWords)
  const format = useFormat()
  const written = writtenOf(field, value)
  switch (written.kind) {
    case 'time':
      return format.dateTime(written.value)
    case 'number':
      return format.number(written.value)
    case 'text':
      return written.text
    case 'code':
      return <code className="history-code">{written.text}</code>
    case 'empty':
      return <span className="muted">{t('emptyTextValue')}</span>
    case 'nothing':
    case 'yes':
    case 'no':
    case 'hidden':
      return (
        <span className={written.kind === 'nothing' || written.kind === 'hidden' ? 'muted' : undefined}>
          {t(written.kind)}
        </span>
      )
  }
}

function Differences({
  changes,
  isNew,
  isGone,
}: {
  readonly changes: readonly FieldChange[]
  readonly isNew: boolean
  readonly isGone: boolean
}): ReactNode {
  const t = useWords(historyWords)
  const { field: nameOf } = useNames()
  return (
    <Table label={t('details')} className="table history-changes small">
      <thead>
        <tr>
          <th scope="col">{t('field')}</th>
          {!isNew && <th scope="col">{t('before')}</th>}
          {!isGone && <th scope="col">{t('after')}</th>}
        </tr>
      </thead>
      <tbody>
        {changes.map(({ field, before, after }) => (
          <tr key={field}>
            <th scope="row">{nameOf(field)}</th>
            {!isNew && (
              <td className="wrap-anywhere history-before">
                <Value field={field} value={before} />
              </td>
            )}
            {!isGone && (
              <td className="wrap-anywhere history-after">
                <Value field={field} value={after} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

function EntityLink({ entity, id }: { readonly entity: string; readonly id: string }): ReactNode {
  const t = useWords(historyWords)
  if (entity === 'content')
    return (
      <Link to="/content/$id" params={{ id }}>
        {t('open')}
      </Link>
    )
  if (entity === 'contact')
    return (
      <Link to="/contacts/$id" params={{ id }}>
        {t('open')}
      </Link>
    )
  if (entity === 'campaign')
    return (
      <Link to="/campaigns/$id" params={{ id }}>
        {t('open')}
      </Link>
    )
  return null
}

/** A short name of what was changed, where the change itself tells one. */
function subjectOf({ entity, entity_id, before, after }: HistoryEntry): string | undefined {
  if (entity === 'setting') return entity_id ?? undefined
  for (const side of [after, before]) {
    if (typeof side !== 'object' || side === null) continue
    for (const name of ['name', 'title', 'email', 'line'] as const) {
      const value = (side as Record<string, unknown>)[name]
      if (typeof value === 'string' && value !== '') return value
    }
  }
  return undefined
}

function Who({ entry }: { readonly entry: HistoryEntry }): ReactNode {
  const t = useWords(historyWords)
  if (entry.admin !== null) return entry.admin.name
  return entry.actor === 'system' ? t('system') : t('gone', { name: entry.actor })
}

/** One change: who, what and when at once, the rest when it is opened. */
export function Entry({ entry }: { readonly entry: HistoryEntry }): ReactNode {
  const t = useWords(historyWords)
  const format = useFormat()
  const names = useNames()
  const { entity, entity_id, action, before, after, ip, request_id, timestamp } = entry
  const changes = changesIn(before, after)
  const setting = useWords(settingWords)
  const named = subjectOf(entry)
  const subject = entity === 'setting' && named !== undefined && isKey(settingWords.en, named) ? setting(named) : named
  return (
    <li>
      <details className="history-entry">
        <summary>
          <Icon name="chevronRight" />
          <span className="history-what wrap-anywhere">
            <strong>
              {names.entity(entity)} · {names.action(action)}
            </strong>
            {subject !== undefined && <span> {subject}</span>}
          </span>
          <span className="history-who small muted">
            <Who entry={entry} />
          </span>
          <time className="history-when small muted nowrap" dateTime={new Date(timestamp).toISOString()}>
            {format.dateTime(timestamp)}
          </time>
        </summary>
        <div className="history-more stack tight">
          {changes.length === 0 ? (
            <p className="small muted">{t('none')}</p>
          ) : (
            <Differences changes={changes} isNew={before === null} isGone={after === null} />
          )}
          <div className="row small muted history-facts">
            {entity_id !== null && <EntityLink entity={entity} id={entity_id} />}
            {entity_id !== null && (
              <Link to="/history" search={{ entity, entity_id }}>
                {t('allOfThis')}
              </Link>
            )}
            {ip !== null && <span>{t('ip', { ip })}</span>}
            {request_id !== null && <span className="wrap-anywhere">{t('request', { id: request_id })}</span>}
          </div>
        </div>
      </details>
    </li>
  )
}
