import {
  Button,
  Card,
  Empty,
  Failure,
  Loading,
  LoadMore,
  Pill,
  SearchField,
  Select,
  useFormat,
  useWords,
} from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { type ReactNode, useDeferredValue, useState } from 'react'
import { useClient } from '../../data/context.tsx'
import { type Role, type User, type UserFilter, usersQuery } from '../../data/people.ts'
import { useProblem } from '../../data/problems.ts'
import { useMay, useMe } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { ROLES } from './role-choice.tsx'
import { UserActions } from './user-actions.tsx'
import { AddUser } from './user-form.tsx'
import { userWords } from './words.ts'

function Row({
  user,
  isSelf,
  mayWrite,
}: {
  readonly user: User
  readonly isSelf: boolean
  readonly mayWrite: boolean
}): ReactNode {
  const t = useWords(userWords)
  const format = useFormat()
  const { name, email, role, status, last_login_at } = user
  return (
    <tr>
      <th scope="row">
        <span className="wrap-anywhere">{name}</span>
        {isSelf && <span className="small muted"> ({t('you')})</span>}
        <span className="small muted block wrap-anywhere">{email}</span>
        <span className="only-narrow row small">
          {t(role)} <Pill tone={status === 'active' ? 'healthy' : 'quiet'}>{t(status)}</Pill>
        </span>
      </th>
      <td className="only-wide">{t(role)}</td>
      <td className="only-wide">
        <Pill tone={status === 'active' ? 'healthy' : 'quiet'}>{t(status)}</Pill>
      </td>
      <td className="only-wide">{last_login_at === null ? t('never') : format.dateTime(last_login_at)}</td>
      <td className="actions">{mayWrite && <UserActions user={user} isSelf={isSelf} />}</td>
    </tr>
  )
}

function UserTable({ filter, onDrop }: { readonly filter: UserFilter; readonly onDrop: () => void }): ReactNode {
  const t = useWords(userWords)
  const say = useProblem()
  const may = useMay()
  const { data: me } = useMe()
  const query = useInfiniteQuery(usersQuery(useClient(), filter))
  const { data, error } = query
  if (data === undefined) {
    if (error === null) return <Loading lines={6} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void query.refetch()} />
  }
  const users = data.pages.flatMap(part => part.value.items)
  if (users.length === 0) {
    const { email, role, status } = filter
    const names = [email, role && t(role), status && t(status)].filter(part => part !== undefined)
    return (
      <Empty icon="filter" title={t('filtered')} action={<Button onClick={onDrop}>{t('drop')}</Button>}>
        {t('filteredText', { filter: names.join(', ') })}
      </Empty>
    )
  }
  return (
    <Card flush>
      <table className={query.isPlaceholderData ? 'table stale' : 'table'}>
        <caption className="visually-hidden">{t('title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('name')}</th>
            <th scope="col" className="only-wide">
              {t('role')}
            </th>
            <th scope="col" className="only-wide">
              {t('status')}
            </th>
            <th scope="col" className="only-wide">
              {t('lastLogin')}
            </th>
            <th scope="col">
              <span className="visually-hidden">{t('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {users.map(user => (
            <Row key={user.id} user={user} isSelf={user.id === me?.value.user.id} mayWrite={may('users:write')} />
          ))}
        </tbody>
      </table>
      <div className="list-end">
        <LoadMore
          count={users.length}
          hasMore={query.hasNextPage}
          busy={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      </div>
    </Card>
  )
}

export function Users(): ReactNode {
  const t = useWords(userWords)
  const may = useMay()
  const [adding, setAdding] = useState(false)
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role | ''>('')
  const [status, setStatus] = useState<User['status'] | ''>('')
  const typed = useDeferredValue(email.trim())
  const filter = {
    ...(typed !== '' && { email: typed }),
    ...(role !== '' && { role }),
    ...(status !== '' && { status }),
  }
  const drop = (): void => {
    setEmail('')
    setRole('')
    setStatus('')
  }
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')}>
        <Button
          kind="primary"
          icon="plus"
          unavailable={!may('users:write') && t('mayNot')}
          onClick={() => setAdding(true)}
        >
          {t('add')}
        </Button>
      </PageHead>
      <div className="toolbar">
        <SearchField label={t('search')} value={email} onChange={event => setEmail(event.currentTarget.value)} />
        <Select
          label={t('role')}
          value={role}
          choices={[{ value: '', label: t('allRoles') }, ...ROLES.map(one => ({ value: one, label: t(one) }))]}
          onChange={event => setRole(ROLES.find(one => one === event.currentTarget.value) ?? '')}
        />
        <Select
          label={t('status')}
          value={status}
          choices={[
            { value: '', label: t('allStatuses') },
            { value: 'active', label: t('active') },
            { value: 'disabled', label: t('disabled') },
          ]}
          onChange={event => {
            const { value } = event.currentTarget
            setStatus(value === 'active' || value === 'disabled' ? value : '')
          }}
        />
      </div>
      <UserTable filter={filter} onDrop={drop} />
      {adding && <AddUser onClose={() => setAdding(false)} />}
    </>
  )
}
