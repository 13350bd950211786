import { Button, Card, Empty, Failure, Loading, Pill, useFormat, useToast, useWords, Table } from '@palier/design'
import { useMutation, useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type Account, accountsQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { AccountForm } from './account-form.tsx'
import { accountWords } from './whatsapp-words.ts'

function useSetStatus(account: Account) {
  const t = useWords(accountWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const { id, name } = account
  const set = useMutation({
    mutationFn: (status: Account['status']) =>
      client.ask('PATCH /whatsapp/accounts/{id}', { path: { id }, body: { status } }),
    onSuccess(_answer, status) {
      void refresh('accounts')
      const other = status === 'active' ? 'stopped' : 'active'
      toast({
        text: t(status === 'active' ? 'startedDone' : 'stoppedDone', { name }),
        action: { label: t('undo'), run: () => set.mutate(other) },
      })
    },
    onError: error => toast({ text: say(error).text, failed: true }),
  })
  return set
}

function Row({
  account,
  mayNot,
  onEdit,
}: {
  readonly account: Account
  readonly mayNot: string | false
  readonly onEdit: () => void
}): ReactNode {
  const t = useWords(accountWords)
  const format = useFormat()
  const set = useSetStatus(account)
  const { name, display_phone, provider, status, reason, mps_limit } = account
  const isActive = status === 'active'
  return (
    <tr>
      <th scope="row">
        <span className="wrap-anywhere">{name}</span>
        <span className="small muted block">{t(provider)}</span>
      </th>
      <td className="nowrap">{display_phone}</td>
      <td>
        <Pill tone={isActive ? 'healthy' : 'degraded'}>{t(status)}</Pill>
        {reason !== null && <span className="small muted block wrap-anywhere">{t('reason', { reason })}</span>}
      </td>
      <td className="number">{format.number(mps_limit)}</td>
      <td className="actions">
        <div className="row end nowrap-row">
          <Button
            size="small"
            busy={set.isPending}
            unavailable={mayNot}
            onClick={() => set.mutate(isActive ? 'stopped' : 'active')}
          >
            {t(isActive ? 'stop' : 'start')}
          </Button>
          <Button size="small" aria-label={t('editOf', { name })} unavailable={mayNot} onClick={onEdit}>
            {t('edit')}
          </Button>
        </div>
      </td>
    </tr>
  )
}

/** The numbers that messages are sent from. */
export function Accounts(): ReactNode {
  const t = useWords(accountWords)
  const say = useProblem()
  const may = useMay()
  const [open, setOpen] = useState<{ readonly account: Account | undefined } | undefined>(undefined)
  const { data, error, refetch } = useQuery(accountsQuery(useClient()))
  const mayNot = !may('accounts:write') && t('mayNot')
  if (data === undefined) {
    if (error === null) return <Loading lines={4} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
  }
  const add = (
    <Button kind="primary" icon="plus" unavailable={mayNot} onClick={() => setOpen({ account: undefined })}>
      {t('add')}
    </Button>
  )
  const { items } = data.value
  return (
    <>
      <div className="row between">
        <p className="muted">{t('lead')}</p>
        {add}
      </div>
      {items.length === 0 ? (
        <Empty icon="message" title={t('empty')} action={add}>
          {t('emptyText')}
        </Empty>
      ) : (
        <Card flush>
          <Table label={t('title')}>
            <thead>
              <tr>
                <th scope="col">{t('name')}</th>
                <th scope="col">{t('phone')}</th>
                <th scope="col">{t('status')}</th>
                <th scope="col" className="number">
                  {t('rate')}
                </th>
                <th scope="col">
                  <span className="visually-hidden">{t('actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map(account => (
                <Row key={account.id} account={account} mayNot={mayNot} onEdit={() => setOpen({ account })} />
              ))}
            </tbody>
          </Table>
        </Card>
      )}
      {open !== undefined && <AccountForm account={open.account} onClose={() => setOpen(undefined)} />}
    </>
  )
}
