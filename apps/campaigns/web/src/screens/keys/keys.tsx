import {
  Button,
  Card,
  Confirm,
  Empty,
  Failure,
  Loading,
  LoadMore,
  Pill,
  type Tone,
  useFormat,
  useToast,
  useWords,
  Table,
} from '@palier/design'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useClient, useRefresh } from '../../data/context.tsx'
import { type ApiKey, apiKeysQuery } from '../../data/people.ts'
import { useProblem } from '../../data/problems.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { NewKey } from './new-key.tsx'
import { type KeyState, stateOf } from './scopes.ts'
import { keyWords } from './words.ts'
import './keys.css'

const TONES: Readonly<Record<KeyState, Tone>> = { active: 'healthy', expired: 'degraded', revoked: 'quiet' }

function Scopes({ scopes }: { readonly scopes: readonly string[] }): ReactNode {
  const t = useWords(keyWords)
  return (
    <details>
      <summary>{t('scopesCount', { count: scopes.length })}</summary>
      <ul className="scope-list small">
        {scopes.map(scope => (
          <li key={scope}>
            <code>{scope}</code>
          </li>
        ))}
      </ul>
    </details>
  )
}

function Row({
  apiKey,
  now,
  onRevoke,
}: {
  readonly apiKey: ApiKey
  readonly now: number
  readonly onRevoke: () => void
}): ReactNode {
  const t = useWords(keyWords)
  const format = useFormat()
  const { name, prefix, scopes, owner, expires_at, last_used_at } = apiKey
  const state = stateOf(apiKey, now)
  return (
    <tr>
      <th scope="row">
        <span className="wrap-anywhere">{name}</span>
        <code className="small muted block">{prefix}…</code>
      </th>
      <td>
        <Pill tone={TONES[state]}>{t(state)}</Pill>
      </td>
      <td>
        <Scopes scopes={scopes} />
      </td>
      <td className="wrap-anywhere">{owner.name}</td>
      <td className="nowrap">{expires_at === null ? t('never') : format.date(expires_at)}</td>
      <td className="nowrap">{last_used_at === null ? t('unused') : format.dateTime(last_used_at)}</td>
      <td className="actions">
        {state !== 'revoked' && (
          <Button size="small" aria-label={t('revokeOf', { name })} onClick={onRevoke}>
            {t('revoke')}
          </Button>
        )}
      </td>
    </tr>
  )
}

function Revoking({ apiKey, onClose }: { readonly apiKey: ApiKey; readonly onClose: () => void }): ReactNode {
  const t = useWords(keyWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const { id, name } = apiKey
  const revoke = useMutation({
    mutationFn: () => client.ask('DELETE /api-keys/{id}', { path: { id } }),
    onSuccess: () => toast({ text: t('revokedDone', { name }) }),
    onError: error => toast({ text: say(error).text, failed: true }),
    onSettled() {
      void refresh('users')
      onClose()
    },
  })
  return (
    <Confirm
      title={t('revokeTitle', { name })}
      action={t('revoke')}
      busy={revoke.isPending}
      onConfirm={() => revoke.mutate()}
      onClose={onClose}
    >
      <p>{t('revokeText')}</p>
    </Confirm>
  )
}

function KeyTable({ onAdd }: { readonly onAdd: () => void }): ReactNode {
  const t = useWords(keyWords)
  const say = useProblem()
  const [revoking, setRevoking] = useState<ApiKey | undefined>(undefined)
  const query = useInfiniteQuery(apiKeysQuery(useClient()))
  const { data, error } = query
  if (data === undefined) {
    if (error === null) return <Loading lines={5} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void query.refetch()} />
  }
  const keys = data.pages.flatMap(part => part.value.items)
  if (keys.length === 0) {
    return (
      <Empty
        icon="key"
        title={t('empty')}
        action={
          <Button kind="primary" icon="plus" onClick={onAdd}>
            {t('add')}
          </Button>
        }
      >
        {t('emptyText')}
      </Empty>
    )
  }
  const columns = ['name', 'status', 'scopes', 'owner', 'expires', 'lastUsed'] as const
  return (
    <Card flush>
      <Table label={t('title')}>
        <thead>
          <tr>
            {columns.map(column => (
              <th key={column} scope="col">
                {t(column)}
              </th>
            ))}
            <th scope="col">
              <span className="visually-hidden">{t('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map(one => (
            <Row key={one.id} apiKey={one} now={query.dataUpdatedAt} onRevoke={() => setRevoking(one)} />
          ))}
        </tbody>
      </Table>
      <div className="list-end">
        <LoadMore
          count={keys.length}
          hasMore={query.hasNextPage}
          busy={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      </div>
      {revoking !== undefined && <Revoking apiKey={revoking} onClose={() => setRevoking(undefined)} />}
    </Card>
  )
}

export function Keys(): ReactNode {
  const t = useWords(keyWords)
  const [adding, setAdding] = useState(false)
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')}>
        <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>
          {t('add')}
        </Button>
      </PageHead>
      <KeyTable onAdd={() => setAdding(true)} />
      {adding && <NewKey onClose={() => setAdding(false)} />}
    </>
  )
}
