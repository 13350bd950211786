import { Banner, Button, Dialog, Select, TextField, useToast, useWords } from '@palier/design'
import { useMutation } from '@tanstack/react-query'
import { type SyntheticEvent, type ReactNode, useState } from 'react'
import { ApiError } from '../../data/client.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import type { Account } from '../../data/settings.ts'
import { accountWords } from './whatsapp-words.ts'

const SECRETS = ['token', 'app_secret', 'verify_token'] as const
type Secret = (typeof SECRETS)[number]
const SECRET_WORDS = { token: 'token', app_secret: 'appSecret', verify_token: 'verifyToken' } as const
const PLAIN = ['name', 'phone_number_id', 'waba_id', 'display_phone', 'graph_version', 'base_url', 'mps_limit'] as const
type Plain = (typeof PLAIN)[number]
type Typed = Readonly<Record<Plain | Secret, string>>

const typedOf = (account: Account | undefined): Typed => ({
  name: account?.name ?? '',
  phone_number_id: account?.phone_number_id ?? '',
  waba_id: account?.waba_id ?? '',
  display_phone: account?.display_phone ?? '',
  graph_version: account?.graph_version ?? 'v23.0',
  base_url: account?.base_url ?? 'https://graph.facebook.com',
  mps_limit: String(account?.mps_limit ?? 80),
  // Never sent to a browser: empty means that what is stored stays.
  token: '',
  app_secret: '',
  verify_token: '',
})

function useAccountProblem(error: unknown): (field: string) => string | undefined {
  const t = useWords(accountWords)
  const say = useProblem()
  if (error === null) return () => undefined
  const { fields } = say(error)
  const isTaken = error instanceof ApiError && error.status === 409
  return field => {
    if (fields[field] === undefined) return undefined
    if ((SECRETS as readonly string[]).includes(field)) return t('secretProblem')
    if (field === 'base_url') return t('urlProblem')
    return t(isTaken ? 'taken' : 'fieldProblem')
  }
}

function useSaveAccount(account: Account | undefined, typed: Typed, provider: Account['provider'], onDone: () => void) {
  const t = useWords(accountWords)
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  return useMutation({
    mutationFn: () => {
      const { mps_limit, ...texts } = typed
      if (account === undefined) {
        return client.ask('POST /whatsapp/accounts', { body: { ...texts, provider, mps_limit: Number(mps_limit) } })
      }
      const before = typedOf(account)
      const names = ['name', 'display_phone', 'graph_version', 'base_url', ...SECRETS] as const
      const changed = Object.fromEntries(
        names.flatMap(name => (texts[name] === before[name] ? [] : [[name, texts[name]]])),
      )
      const limit = mps_limit === before.mps_limit ? {} : { mps_limit: Number(mps_limit) }
      return client.ask('PATCH /whatsapp/accounts/{id}', { path: { id: account.id }, body: { ...changed, ...limit } })
    },
    onSuccess() {
      toast({ text: t(account === undefined ? 'created' : 'saved', { name: typed.name }) })
      void refresh('accounts')
      onDone()
    },
  })
}

/** Adds an account, or changes one. Secrets only go in. */
export function AccountForm({
  account,
  onClose,
}: {
  readonly account: Account | undefined
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(accountWords)
  const say = useProblem()
  const [typed, setTyped] = useState(() => typedOf(account))
  const [provider, setProvider] = useState<Account['provider']>(account?.provider ?? 'cloud')
  const save = useSaveAccount(account, typed, provider, onClose)
  const problemOf = useAccountProblem(save.error)
  const said = save.error === null ? undefined : say(save.error)
  const isNew = account === undefined
  const text = (name: Plain | Secret, label: string, more: object = {}): ReactNode => (
    <TextField
      label={label}
      value={typed[name]}
      required={isNew}
      autoComplete="off"
      spellCheck={false}
      problem={problemOf(name)}
      onChange={event => setTyped({ ...typed, [name]: event.currentTarget.value })}
      {...more}
    />
  )
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Dialog title={isNew ? t('addTitle') : t('editTitle', { name: account.name })} shape="wide" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <div className="columns">
          {text('name', t('name'), { maxLength: 80, required: true })}
          {text('display_phone', t('displayPhone'), { maxLength: 32, required: true, inputMode: 'tel' })}
        </div>
        {isNew && (
          <div className="columns">
            {text('phone_number_id', t('phoneId'), {
              hint: t('phoneIdHint'),
              inputMode: 'numeric',
              pattern: '\\d{1,32}',
            })}
            {text('waba_id', t('wabaId'), { hint: t('wabaIdHint'), inputMode: 'numeric', pattern: '\\d{1,32}' })}
          </div>
        )}
        <fieldset className="stack tight">
          <legend className="label">{t('secretsTitle')}</legend>
          <p className="small muted">{t(isNew ? 'secretsNew' : 'secretsEdit')}</p>
          <div className="columns">
            {SECRETS.map(name => (
              <div key={name}>
                {text(name, t(SECRET_WORDS[name]), {
                  type: 'password',
                  autoComplete: 'new-password',
                  ...(!isNew && { placeholder: t('keep') }),
                  ...(name === 'verify_token' && { hint: t('verifyTokenHint') }),
                })}
              </div>
            ))}
          </div>
        </fieldset>
        <details className="stack tight">
          <summary>{t('advanced')}</summary>
          <div className="columns advanced-fields">
            {isNew && (
              <Select
                label={t('provider')}
                value={provider}
                choices={(['cloud', 'simulator'] as const).map(value => ({ value, label: t(value) }))}
                onChange={event => setProvider(event.currentTarget.value === 'simulator' ? 'simulator' : 'cloud')}
              />
            )}
            {text('mps_limit', t('rate'), { type: 'number', min: 1, max: 1000, required: true })}
            {text('graph_version', t('graph'), { pattern: 'v\\d{1,3}\\.\\d{1,2}', required: true })}
            {text('base_url', t('baseUrl'), { type: 'url', maxLength: 200, required: true })}
          </div>
        </details>
        {said !== undefined && Object.keys(said.fields).length === 0 && <Banner tone="down" title={said.text} />}
        <footer>
          <Button kind="primary" type="submit" busy={save.isPending}>
            {t(isNew ? 'create' : 'save')}
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}
