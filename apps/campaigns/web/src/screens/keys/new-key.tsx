import { Banner, Button, Checkbox, CodeBlock, Dialog, Select, TextField, useWords } from '@palier/design'
import { useMutation } from '@tanstack/react-query'
import { type SyntheticEvent, type ReactNode, useState } from 'react'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type Permission, useMe } from '../../session/session.ts'
import { groupScopes, readingOf } from './scopes.ts'
import { actionWords, keyWords, subjectWords } from './words.ts'

const DAY_MS = 86_400_000
const DAYS = [30, 90, 365] as const

function ScopeChoice({
  allowed,
  chosen,
  onChange,
}: {
  readonly allowed: readonly Permission[]
  readonly chosen: ReadonlySet<Permission>
  readonly onChange: (chosen: ReadonlySet<Permission>) => void
}): ReactNode {
  const t = useWords(keyWords)
  const subject = useWords(subjectWords)
  const action = useWords(actionWords)
  const toggle = (scope: Permission, isChosen: boolean): void => {
    const next = new Set(chosen)
    if (isChosen) next.add(scope)
    else next.delete(scope)
    onChange(next)
  }
  return (
    <fieldset className="stack tight">
      <legend className="label">{t('permissions')}</legend>
      <div className="row">
        <Button size="small" onClick={() => onChange(new Set(readingOf(allowed)))}>
          {t('reading')}
        </Button>
        <Button size="small" onClick={() => onChange(new Set(allowed))}>
          {t('all')}
        </Button>
        <Button size="small" kind="quiet" onClick={() => onChange(new Set())}>
          {t('none')}
        </Button>
        <span className="small muted push" role="status">
          {t('chosen', { count: chosen.size })}
        </span>
      </div>
      <div className="scope-groups" tabIndex={0} role="group" aria-label={t('permissions')}>
        {groupScopes(allowed).map(group => (
          <fieldset key={group.subject} className="stack tight">
            <legend className="small muted">{subject(group.subject)}</legend>
            {group.scopes.map(one => (
              <Checkbox
                key={one.scope}
                label={action(one.action)}
                checked={chosen.has(one.scope)}
                onChange={event => toggle(one.scope, event.currentTarget.checked)}
              />
            ))}
          </fieldset>
        ))}
      </div>
    </fieldset>
  )
}

/** The text of a key that was just made: shown now and never again. */
function MadeKey({ text, onClose }: { readonly text: string; readonly onClose: () => void }): ReactNode {
  const t = useWords(keyWords)
  const example = `curl -H 'Authorization: Bearer ${text}' ${location.origin}/api/v1/auth/me`
  return (
    <Dialog title={t('madeTitle')} shape="wide" onClose={onClose}>
      <Banner tone="degraded" title={t('madeOnce')}>
        <p>{t('madeText')}</p>
      </Banner>
      <CodeBlock label={t('key')} text={text} />
      <CodeBlock label={t('example')} text={example} />
      <footer>
        <Button kind="primary" onClick={onClose}>
          {t('done')}
        </Button>
      </footer>
    </Dialog>
  )
}

export function NewKey({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useWords(keyWords)
  const say = useProblem()
  const client = useClient()
  const refresh = useRefresh()
  const { data: me } = useMe()
  const [name, setName] = useState('')
  const [days, setDays] = useState('90')
  const [scopes, setScopes] = useState<ReadonlySet<Permission>>(new Set())
  const make = useMutation({
    mutationFn: () => {
      const expires_at = days === '' ? null : Date.now() + Number(days) * DAY_MS
      return client.ask('POST /api-keys', { body: { name, scopes: [...scopes], expires_at } })
    },
    onSuccess: () => void refresh('users'),
  })
  if (make.data !== undefined) return <MadeKey text={make.data.value.key} onClose={onClose} />
  const said = make.error === null ? undefined : say(make.error)
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    // Enter in the only field submits, whatever the button says.
    if (scopes.size > 0) make.mutate()
  }
  return (
    <Dialog title={t('addTitle')} shape="wide" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <div className="columns">
          <TextField
            label={t('name')}
            hint={t('nameHint')}
            value={name}
            required
            maxLength={80}
            autoComplete="off"
            problem={said?.fields['name'] === undefined ? undefined : t('badName')}
            onChange={event => setName(event.currentTarget.value)}
          />
          <Select
            label={t('expiry')}
            value={days}
            choices={[
              ...DAYS.map(count => ({
                value: String(count),
                label: count === 365 ? t('year') : t('days', { count }),
              })),
              { value: '', label: t('noEnd') },
            ]}
            onChange={event => setDays(event.currentTarget.value)}
          />
        </div>
        <ScopeChoice allowed={me?.value.permissions ?? []} chosen={scopes} onChange={setScopes} />
        {said !== undefined && said.fields['name'] === undefined && <Banner tone="down" title={said.text} />}
        <footer>
          <Button kind="primary" type="submit" busy={make.isPending} unavailable={scopes.size === 0 && t('needScope')}>
            {t('create')}
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}
