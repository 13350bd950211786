import {
  Banner,
  Button,
  defineWords,
  Door,
  Form,
  type FormValues,
  TextField,
  useAppearance,
  useWords,
} from '@palier/design'
import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { ApiError } from '../data/client.ts'
import { useClient } from '../data/context.tsx'
import { useProblem } from '../data/problems.ts'
import { meQuery } from './session.ts'

const words = defineWords(
  {
    title: 'Log in',
    lead: 'Contacts, WhatsApp campaigns and what became of them.',
    email: 'E-mail',
    password: 'Password',
    submit: 'Log in',
    forgot: 'Forgot your password?',
    wrong: 'The address or the password is not right.',
    ended: 'Your session has ended. Please log in again.',
    showPassword: 'Show the password',
  },
  {
    title: 'Se connecter',
    lead: 'Vos contacts, vos campagnes WhatsApp et leurs résultats.',
    email: 'Adresse e-mail',
    password: 'Mot de passe',
    submit: 'Se connecter',
    forgot: 'Mot de passe oublié ?',
    wrong: 'L’adresse ou le mot de passe est incorrect.',
    ended: 'Votre session est terminée. Veuillez vous reconnecter.',
    showPassword: 'Afficher le mot de passe',
  },
)

export function Login(): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const client = useClient()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const { setLanguage } = useAppearance()
  const { next, ended } = useSearch({ from: '/login' })
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [shown, setShown] = useState(false)

  const submit = async (values: FormValues): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      const body = { email: values('email'), password: values('password') }
      const answer = await client.ask('POST /auth/login', { body })
      client.setToken(answer.value.csrf_token)
      queries.clear()
      queries.setQueryData(meQuery(client).queryKey, answer)
      const { locale } = answer.value.user
      if (locale === 'en' || locale === 'fr') setLanguage(locale)
      await navigate({ to: next ?? '/' })
    } catch (error) {
      setProblem(error instanceof ApiError && error.status === 401 ? t('wrong') : say(error).text)
      setBusy(false)
    }
  }
  return (
    <Door name="Campaigns" title={t('title')} lead={t('lead')}>
      {ended === true && problem === undefined && <Banner tone="warming" title={t('ended')} />}
      {problem !== undefined && <Banner tone="down" title={problem} />}
      <Form className="stack" onSend={values => void submit(values)}>
        <TextField label={t('email')} name="email" type="email" autoComplete="username" required autoFocus />
        <div className="stack tight">
          <TextField
            label={t('password')}
            name="password"
            type={shown ? 'text' : 'password'}
            autoComplete="current-password"
            required
          />
          <label className="check small">
            <input type="checkbox" checked={shown} onChange={event => setShown(event.currentTarget.checked)} />
            <span>{t('showPassword')}</span>
          </label>
        </div>
        <Button kind="primary" type="submit" busy={busy}>
          {t('submit')}
        </Button>
      </Form>
      <p>
        <Link to="/forgot">{t('forgot')}</Link>
      </p>
    </Door>
  )
}
