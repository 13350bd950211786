import { Banner, Button, defineWords, Door, Form, type FormValues, TextField, useWords } from '@palier/design'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { ApiError } from '../data/client.ts'
import { useClient } from '../data/context.tsx'
import { useProblem } from '../data/problems.ts'

const words = defineWords(
  {
    forgotTitle: 'Forgot your password?',
    forgotLead: 'We send a link to your address; it is good for an hour.',
    email: 'E-mail',
    send: 'Send the link',
    sent: 'If this address has an account, the link is on its way.',
    back: 'Back to the login',
    resetTitle: 'Choose a new password',
    resetLead: 'At least 12 characters. Your other sessions end.',
    password: 'New password',
    save: 'Save the password',
    saved: 'The new password is saved. You can log in with it.',
    noToken: 'This link is not complete. Open it from the mail again, or ask for another one.',
    badToken: 'This link has expired or was used already. Ask for another one.',
  },
  {
    forgotTitle: 'Mot de passe oublié ?',
    forgotLead: 'Nous envoyons un lien à votre adresse ; il est valable une heure.',
    email: 'Adresse e-mail',
    send: 'Envoyer le lien',
    sent: 'Si un compte existe à cette adresse, le lien est en route.',
    back: 'Retour à la connexion',
    resetTitle: 'Choisir un nouveau mot de passe',
    resetLead: 'Au moins 12 caractères. Vos autres sessions seront fermées.',
    password: 'Nouveau mot de passe',
    save: 'Enregistrer le mot de passe',
    saved: 'Le nouveau mot de passe est enregistré. Vous pouvez vous connecter.',
    noToken: 'Ce lien est incomplet. Rouvrez-le depuis le message, ou demandez-en un autre.',
    badToken: 'Ce lien a expiré ou a déjà servi. Demandez-en un autre.',
  },
)

type Outcome = { readonly ok: true } | { readonly ok: false; readonly text: string }

export function Forgot(): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const client = useClient()
  const [busy, setBusy] = useState(false)
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined)
  const submit = async (values: FormValues): Promise<void> => {
    setBusy(true)
    try {
      await client.ask('POST /auth/password/forgot', { body: { email: values('email') } })
      setOutcome({ ok: true })
    } catch (error) {
      setOutcome({ ok: false, text: say(error).text })
    } finally {
      setBusy(false)
    }
  }
  return (
    <Door name="Campaigns" title={t('forgotTitle')} lead={t('forgotLead')}>
      {outcome?.ok === true && <Banner tone="healthy" title={t('sent')} />}
      {outcome?.ok === false && <Banner tone="down" title={outcome.text} />}
      <Form className="stack" onSend={values => void submit(values)}>
        <TextField label={t('email')} name="email" type="email" autoComplete="username" required />
        <Button kind="primary" type="submit" busy={busy}>
          {t('send')}
        </Button>
      </Form>
      <p>
        <Link to="/login">{t('back')}</Link>
      </p>
    </Door>
  )
}

function takeToken(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined
  if (token !== undefined) history.replaceState(history.state, '', location.pathname)
  return token
}

export function Reset(): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const client = useClient()
  // Behind the #, which no log and no referrer has. Read once: it is taken out of the address.
  const [token] = useState(takeToken)
  const [busy, setBusy] = useState(false)
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const submit = async (values: FormValues): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      await client.ask('POST /auth/password/reset', { body: { token: token ?? '', password: values('password') } })
      setOutcome({ ok: true })
    } catch (error) {
      const { text, fields } = say(error)
      if (fields['password'] !== undefined) setProblem(fields['password'])
      else
        setOutcome({
          ok: false,
          text:
            error instanceof ApiError && error.status < 500 && error.status !== 0 && error.status !== 429
              ? t('badToken')
              : text,
        })
    } finally {
      setBusy(false)
    }
  }
  const isDone = outcome?.ok === true
  return (
    <Door name="Campaigns" title={t('resetTitle')} lead={t('resetLead')}>
      {token === undefined && <Banner tone="degraded" title={t('noToken')} />}
      {isDone && <Banner tone="healthy" title={t('saved')} />}
      {outcome?.ok === false && <Banner tone="down" title={outcome.text} />}
      {token !== undefined && !isDone && (
        <Form className="stack" onSend={values => void submit(values)}>
          <TextField
            label={t('password')}
            name="password"
            type="password"
            autoComplete="new-password"
            minLength={12}
            required
            problem={problem}
          />
          <Button kind="primary" type="submit" busy={busy}>
            {t('save')}
          </Button>
        </Form>
      )}
      <p>
        <Link to="/login">{t('back')}</Link>
      </p>
    </Door>
  )
}
