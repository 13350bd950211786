import { Banner, Button, Card, Form, Segmented, Select, TextArea, TextField, useToast, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { BodyOf } from '../../data/client.ts'
import { templatesQuery } from '../../data/campaigns.ts'
import { type Contact, useClient, useRefresh } from '../../data/context.tsx'
import { useNow } from '../../data/use-now.ts'
import { useProblem } from '../../data/problems.ts'
import { useMay } from '../../session/session.ts'
import { contactWords } from './contact-words.ts'

const MOST_TEXT = 4096
/** The server's own margin: a window that ends sooner may be over when the message arrives. */
const MARGIN_MS = 60_000

type Kind = 'text' | 'template'

/** One message to this contact: a free text within the window, a template at any time. */
export function SendMessage({ contact }: { readonly contact: Contact }): ReactNode {
  const t = useWords(contactWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const refresh = useRefresh()
  const may = useMay()
  const isOpen = (contact.window_expires_at ?? 0) > useNow() + MARGIN_MS
  const [chosenKind, setKind] = useState<Kind | undefined>(undefined)
  const kind = chosenKind ?? (isOpen ? 'text' : 'template')
  const [text, setText] = useState('')
  const [templateId, setTemplateId] = useState('')
  const [params, setParams] = useState<Readonly<Record<string, string>>>({})
  const [busy, setBusy] = useState(false)
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({})
  const { data } = useQuery({ ...templatesQuery(client), enabled: may('templates:read') })
  const approved = (data?.value.items ?? []).filter(one => one.status === 'APPROVED')
  const template = approved.find(one => one.id === templateId)

  const unavailable = ((): string | false => {
    if (!may('messages:send')) return t('noRight')
    if (kind === 'text') return isOpen ? text.trim() === '' && t('needsText') : t('textClosed')
    if (contact.opt_out_at !== null) return t('templateOut')
    if (template === undefined) return t('needsTemplate')
    return template.placeholders.some(key => (params[key] ?? '').trim() === '') && t('needsParams')
  })()

  const send = async (body: BodyOf<'POST /messages'>): Promise<void> => {
    setBusy(true)
    setProblems({})
    try {
      await client.ask('POST /messages', { body })
      setText('')
      setParams({})
      toast({ text: t('sent') })
      void refresh('messages')
    } catch (error) {
      const { text: detail, fields } = say(error)
      setProblems(fields)
      toast({
        text: t('notSent', { detail }),
        failed: true,
        action: { label: t('tryAgain'), run: () => void send(body) },
      })
    } finally {
      setBusy(false)
    }
  }
  const bodyOf = (): BodyOf<'POST /messages'> => {
    if (kind === 'text' || template === undefined) return { contact_id: contact.id, text: text.trim() }
    const given = Object.fromEntries(template.placeholders.map(key => [key, params[key] ?? '']))
    return { contact_id: contact.id, template: { id: template.id, params: given } }
  }
  return (
    <Card
      title={t('send')}
      actions={
        <Segmented<Kind>
          label={t('kind')}
          value={kind}
          choices={[
            { value: 'text', label: t('text') },
            { value: 'template', label: t('template') },
          ]}
          onChoose={setKind}
        />
      }
    >
      <Form className="stack" onSend={() => void send(bodyOf())}>
        {kind === 'text' && !isOpen && <Banner tone="warming" title={t('textClosed')} />}
        {kind === 'template' && contact.opt_out_at !== null && <Banner tone="degraded" title={t('templateOut')} />}
        {kind === 'text' && (
          <TextArea
            label={t('message')}
            rows={3}
            maxLength={MOST_TEXT}
            value={text}
            disabled={!isOpen}
            hint={t('length', { count: text.length, most: MOST_TEXT })}
            problem={problems['text']}
            onChange={event => setText(event.currentTarget.value)}
          />
        )}
        {kind === 'template' && (
          <>
            <Select
              label={t('template')}
              value={templateId}
              hint={data !== undefined && approved.length === 0 ? t('noTemplates') : undefined}
              choices={[
                { value: '', label: t('chooseTemplate') },
                ...approved.map(one => ({ value: one.id, label: `${one.name} (${one.language})` })),
              ]}
              problem={problems['template.id']}
              onChange={event => setTemplateId(event.currentTarget.value)}
            />
            {template?.placeholders.map(key => (
              <TextField
                key={key}
                label={t('param', { key })}
                maxLength={1024}
                value={params[key] ?? ''}
                problem={problems[`template.params.${key}`]}
                onChange={event => setParams({ ...params, [key]: event.currentTarget.value })}
              />
            ))}
            {template !== undefined && <TemplateText template={template} params={params} />}
          </>
        )}
        <div className="row end">
          <Button kind="primary" type="submit" icon="send" busy={busy} unavailable={unavailable}>
            {t('sendNow')}
          </Button>
        </div>
      </Form>
    </Card>
  )
}

interface Component {
  readonly type?: unknown
  readonly text?: unknown
}

/** The body as it will be read, with what is typed in its placeholders. */
function TemplateText({
  template,
  params,
}: {
  readonly template: { readonly components: readonly unknown[] }
  readonly params: Readonly<Record<string, string>>
}): ReactNode {
  const body = (template.components as readonly Component[]).find(one => one.type === 'BODY')?.text
  if (typeof body !== 'string') return null
  const text = body.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (whole, key: string) => params[key]?.trim() || whole)
  return (
    <div className="bubbles">
      <p>{text}</p>
    </div>
  )
}
