import { Banner, Button, Card, TextField, useWords } from '@palier/design'
import { useMutation } from '@tanstack/react-query'
import { type SyntheticEvent, type ReactNode, useState } from 'react'
import { ApiError } from '../../data/client.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useMay, useMe } from '../../session/session.ts'
import { settingsWords } from './words.ts'

/** Whether mail arrives is seen by sending one. */
export function MailTest(): ReactNode {
  const t = useWords(settingsWords)
  const say = useProblem()
  const client = useClient()
  const may = useMay()
  const { data: me } = useMe()
  const [to, setTo] = useState('')
  const trial = useMutation({
    mutationFn: () => client.ask('POST /settings/mail/test', { body: to.trim() === '' ? {} : { to: to.trim() } }),
  })
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault()
    trial.mutate()
  }
  const { data, error } = trial
  // What the mail server answered is what helps; nothing of the application is in it.
  const text = error instanceof ApiError && error.status === 502 ? error.message : say(error).text
  return (
    <Card title={t('mailTitle')}>
      <form className="stack" onSubmit={submit}>
        <p className="muted">{t('mailLead')}</p>
        <div className="setting">
          <TextField
            label={t('mailTo')}
            hint={t('mailHint')}
            type="email"
            value={to}
            placeholder={me?.value.user.email}
            onChange={event => setTo(event.currentTarget.value)}
          />
        </div>
        <div>
          <Button icon="mail" type="submit" busy={trial.isPending} unavailable={!may('settings:write') && t('mayNot')}>
            {t('mailSend')}
          </Button>
        </div>
        {data !== undefined && (
          <Banner
            tone={data.value.via === 'smtp' ? 'healthy' : 'warming'}
            title={t(data.value.via === 'smtp' ? 'mailSmtp' : 'mailFiles', { to: data.value.to })}
          />
        )}
        {error !== null && <Banner tone="down" title={text} />}
      </form>
    </Card>
  )
}
