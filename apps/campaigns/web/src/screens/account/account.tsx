import {
  Banner,
  Button,
  Card,
  Segmented,
  Select,
  TextField,
  type Theme,
  useAppearance,
  useToast,
  useWords,
} from '@palier/design'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SyntheticEvent, type ReactNode, useState } from 'react'
import { ApiError } from '../../data/client.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type Me, meQuery, useMe } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { userWords } from '../users/words.ts'
import { accountWords } from './words.ts'
import './account.css'

const THEMES = ['system', 'light', 'dark'] as const satisfies readonly Theme[]

function Profile({ me }: { readonly me: Me }): ReactNode {
  const t = useWords(accountWords)
  const role = useWords(userWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const queries = useQueryClient()
  const refresh = useRefresh()
  const { user } = me
  const [name, setName] = useState(user.name)
  const save = useMutation({
    mutationFn: () => client.ask('PATCH /auth/me', { body: { name } }),
    onSuccess(answer) {
      client.setToken(answer.value.csrf_token)
      queries.setQueryData(meQuery(client).queryKey, answer)
      setName(answer.value.user.name)
      toast({ text: t('saved') })
      void refresh('users')
    },
  })
  const said = save.error === null ? undefined : say(save.error)
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Card title={t('profile')}>
      <form className="stack" onSubmit={submit}>
        <dl className="facts">
          <dt>{t('email')}</dt>
          <dd>{user.email}</dd>
          <dt>{t('role')}</dt>
          <dd>
            {role(user.role)}
            <span className="small muted block">{role(`${user.role}More`)}</span>
          </dd>
        </dl>
        <TextField
          label={t('name')}
          value={name}
          required
          maxLength={120}
          autoComplete="name"
          problem={said?.fields['name'] === undefined ? undefined : t('badName')}
          onChange={event => setName(event.currentTarget.value)}
        />
        {said !== undefined && said.fields['name'] === undefined && <Banner tone="down" title={said.text} />}
        <div>
          <Button kind="primary" type="submit" busy={save.isPending} unavailable={name === user.name && t('same')}>
            {t('save')}
          </Button>
        </div>
      </form>
    </Card>
  )
}

function LookAndLanguage(): ReactNode {
  const t = useWords(accountWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const queries = useQueryClient()
  const { language, theme, setLanguage, setTheme } = useAppearance()
  const keep = useMutation({
    mutationFn: (locale: 'en' | 'fr') => client.ask('PATCH /auth/me', { body: { locale } }),
    onSuccess(answer) {
      client.setToken(answer.value.csrf_token)
      queries.setQueryData(meQuery(client).queryKey, answer)
    },
    onError: error => toast({ text: say(error).text, failed: true }),
  })
  return (
    <Card title={t('look')}>
      <div className="stack">
        <Select
          label={t('language')}
          hint={t('languageHint')}
          value={language}
          choices={[
            { value: 'en', label: 'English' },
            { value: 'fr', label: 'Français' },
          ]}
          onChange={event => {
            const chosen = event.currentTarget.value === 'fr' ? 'fr' : 'en'
            setLanguage(chosen)
            keep.mutate(chosen)
          }}
        />
        <div className="stack tight">
          <span className="label">{t('theme')}</span>
          <div>
            <Segmented
              label={t('theme')}
              value={theme}
              choices={THEMES.map(value => ({ value, label: t(value) }))}
              onChoose={setTheme}
            />
          </div>
          <span className="small muted">{t('themeHint')}</span>
        </div>
      </div>
    </Card>
  )
}

function Password({ email }: { readonly email: string }): ReactNode {
  const t = useWords(accountWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const queries = useQueryClient()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const [isShown, setIsShown] = useState(false)
  const change = useMutation({
    mutationFn: () => client.ask('POST /auth/password', { body: { current_password: current, new_password: next } }),
    onSuccess(answer) {
      // The session goes on under a new id: changes carry its new token.
      client.setToken(answer.value.csrf_token)
      queries.setQueryData(meQuery(client).queryKey, answer)
      setCurrent('')
      setNext('')
      toast({ text: t('passwordSaved') })
    },
  })
  const said = change.error === null ? undefined : say(change.error)
  const isWrong = change.error instanceof ApiError && change.error.fields['current_password'] !== undefined
  const isWeak = said?.fields['new_password'] !== undefined
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    change.mutate()
  }
  const type = isShown ? 'text' : 'password'
  return (
    <Card title={t('password')}>
      <form className="stack" onSubmit={submit}>
        <input type="hidden" name="username" autoComplete="username" value={email} />
        <TextField
          label={t('current')}
          type={type}
          value={current}
          required
          autoComplete="current-password"
          problem={isWrong ? t('wrong') : undefined}
          onChange={event => setCurrent(event.currentTarget.value)}
        />
        <TextField
          label={t('next')}
          hint={t('nextHint')}
          type={type}
          value={next}
          required
          minLength={12}
          maxLength={200}
          autoComplete="new-password"
          problem={isWeak ? t('weak') : undefined}
          onChange={event => setNext(event.currentTarget.value)}
        />
        <label className="check small">
          <input type="checkbox" checked={isShown} onChange={event => setIsShown(event.currentTarget.checked)} />
          <span>{t('show')}</span>
        </label>
        {said !== undefined && !isWrong && !isWeak && <Banner tone="down" title={said.text} />}
        <p className="small muted">{t('sessions')}</p>
        <div>
          <Button kind="primary" type="submit" busy={change.isPending}>
            {t('change')}
          </Button>
        </div>
      </form>
    </Card>
  )
}

/** What a person sets for themselves. */
export function Account(): ReactNode {
  const t = useWords(accountWords)
  const { data } = useMe()
  if (data === undefined || data === null) return null
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      <div className="account">
        <Profile me={data.value} />
        <LookAndLanguage />
        <Password email={data.value.user.email} />
      </div>
    </>
  )
}
