import { Confirm, Icon, Menu, useToast, useWords } from '@palier/design'
import { useMutation } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useClient, useRefresh } from '../../data/context.tsx'
import type { User } from '../../data/people.ts'
import { useProblem } from '../../data/problems.ts'
import { EditUser } from './user-form.tsx'
import { userWords } from './words.ts'

type Asking = 'edit' | 'disable' | 'remove'

function useUserChanges(user: User) {
  const t = useWords(userWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const { id, name, email } = user
  const onError = (error: unknown): void => toast({ text: say(error).text, failed: true })
  const setStatus = useMutation({
    mutationFn: (status: User['status']) => client.ask('PATCH /users/{id}', { path: { id }, body: { status } }),
    onSuccess(_answer, status) {
      void refresh('users')
      const other = status === 'active' ? 'disabled' : 'active'
      toast({
        text: t(status === 'active' ? 'enabledDone' : 'disabledDone', { name }),
        action: { label: t('undo'), run: () => setStatus.mutate(other) },
      })
    },
    onError,
  })
  const remove = useMutation({
    mutationFn: () => client.ask('DELETE /users/{id}', { path: { id } }),
    onSuccess() {
      void refresh('users')
      toast({ text: t('removed', { name }) })
    },
    onError,
  })
  const sendLink = useMutation({
    mutationFn: () => client.ask('POST /auth/password/forgot', { body: { email } }),
    onSuccess: () => toast({ text: t('linkSent', { email }) }),
    onError,
  })
  return { setStatus, remove, sendLink }
}

/** What can be done with a user. Nobody locks themselves out: what would is shown and says why it is not possible. */
export function UserActions({ user, isSelf }: { readonly user: User; readonly isSelf: boolean }): ReactNode {
  const t = useWords(userWords)
  const [asking, setAsking] = useState<Asking | undefined>(undefined)
  const { setStatus, remove, sendLink } = useUserChanges(user)
  const { name, status } = user
  const close = (): void => setAsking(undefined)
  const why = isSelf ? t('self') : undefined
  return (
    <>
      <Menu label={t('more', { name })} trigger={<Icon name="more" />}>
        <button type="button" onClick={() => setAsking('edit')}>
          <Icon name="edit" />
          {t('edit')}
        </button>
        <button type="button" onClick={() => sendLink.mutate()}>
          <Icon name="mail" />
          {t('link')}
        </button>
        <button
          type="button"
          disabled={isSelf}
          title={why}
          onClick={() => (status === 'active' ? setAsking('disable') : setStatus.mutate('active'))}
        >
          <Icon name="lock" />
          {t(status === 'active' ? 'disable' : 'enable')}
        </button>
        <button type="button" className="danger" disabled={isSelf} title={why} onClick={() => setAsking('remove')}>
          <Icon name="trash" />
          {t('remove')}
        </button>
        {why !== undefined && <p className="small muted menu-note">{why}</p>}
      </Menu>
      {asking === 'edit' && <EditUser user={user} isSelf={isSelf} onClose={close} />}
      {asking === 'disable' && (
        <Confirm
          title={t('disableTitle', { name })}
          action={t('disable')}
          busy={setStatus.isPending}
          onConfirm={() => setStatus.mutate('disabled', { onSettled: close })}
          onClose={close}
        >
          <p>{t('disableText')}</p>
        </Confirm>
      )}
      {asking === 'remove' && (
        <Confirm
          title={t('removeTitle', { name })}
          action={t('remove')}
          busy={remove.isPending}
          onConfirm={() => remove.mutate(undefined, { onSettled: close })}
          onClose={close}
        >
          <p>{t('removeText')}</p>
        </Confirm>
      )}
    </>
  )
}
