import { Card, Select, useFormat, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import {
  type SampleContact,
  sampleContactsQuery,
  type Template,
  type TemplatePreviewAsked,
  templatePreviewQuery,
} from '../../data/campaigns.ts'
import { useClient } from '../../data/context.tsx'
import { type Draft, paramsOf, type Slots } from './draft.ts'
import { editorWords } from './editor-words.ts'
import { Bubble } from './phone.tsx'
import { fillText, partsOf, partsOfRendered, partsWith, type TemplateParts } from './template.ts'

const CALM_MS = 300

/** The value once it has stayed the same for a moment: nobody is asked at every letter. */
function useCalm<T>(value: T): T {
  const [calm, setCalm] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setCalm(value), CALM_MS)
    return () => clearTimeout(timer)
  }, [value])
  return calm
}

interface Read {
  readonly parts: TemplateParts
  /** The contact has no text for a placeholder. */
  readonly isSkipped: boolean
}

function askedFor(
  template: Template | undefined,
  slots: Slots,
  contact: SampleContact | undefined,
): TemplatePreviewAsked | undefined {
  if (template === undefined || contact === undefined) return undefined
  const params = paramsOf(slots, template)
  const isComplete = template.placeholders.every(key => Object.hasOwn(params, key))
  return isComplete ? { template: template.id, contact: contact.id, params } : undefined
}

/** The template as the contact would read it; with its placeholders in sight while some are open. */
function useTemplateRead(
  template: Template | undefined,
  slots: Slots,
  contact: SampleContact | undefined,
): Read | undefined {
  const client = useClient()
  // A text is compared by what it says: the object is another one at each rendering.
  const key = useCalm(JSON.stringify(askedFor(template, slots, contact) ?? null))
  const asked = (JSON.parse(key) as TemplatePreviewAsked | null) ?? undefined
  const { data, isError } = useQuery({ ...templatePreviewQuery(client, asked), retry: false })
  if (template === undefined) return undefined
  const parts = partsOf(template)
  const known = contact === undefined ? parts : partsWith(parts, paramsOf(slots, template), contact)
  const isAnswered = asked?.template === template.id && data !== undefined && !isError
  return {
    parts: isAnswered ? partsOfRendered(parts, data.value.body) : known,
    isSkipped: asked !== undefined && isError,
  }
}

function freeParts({ kind, body, buttons }: Draft, contact: SampleContact | undefined): TemplateParts {
  const titles = kind === 'interactive' ? buttons.map(({ title }) => title.trim()).filter(title => title !== '') : []
  return {
    header: undefined,
    media: undefined,
    body: contact === undefined ? body : fillText(body, contact),
    footer: undefined,
    buttons: titles.map(text => ({ text, isReply: true })),
  }
}

const textParts = (body: string): TemplateParts => ({
  header: undefined,
  media: undefined,
  body,
  footer: undefined,
  buttons: [],
})

/** A chat on a phone, as one real contact would see it. */
export function EditorPreview({
  draft,
  templates,
  sender,
}: {
  readonly draft: Draft
  readonly templates: ReadonlyMap<string, Template>
  readonly sender: string
}): ReactNode {
  const t = useWords(editorWords)
  const format = useFormat()
  const client = useClient()
  const [now] = useState(Date.now)
  const [chosen, setChosen] = useState<string | undefined>(undefined)
  const { data } = useQuery({
    ...sampleContactsQuery(client, draft.categoryIds[0]),
    enabled: draft.categoryIds.length > 0,
  })
  const contacts = draft.categoryIds.length === 0 ? [] : (data?.value.items ?? [])
  const contact = contacts.find(({ id }) => id === chosen) ?? contacts[0]
  const first = useTemplateRead(templates.get(draft.template1), draft.slots1, contact)
  const second = useTemplateRead(templates.get(draft.template2), draft.slots2, contact)
  const isFree = draft.kind === 'text' || draft.kind === 'interactive'
  const message2 = isFree ? freeParts(draft, contact) : draft.kind === 'template' ? second?.parts : undefined
  const reply = first?.parts.buttons.find(({ isReply }) => isReply)?.text ?? t('previewAnswerText')
  const isSkipped = first?.isSkipped === true || (draft.kind === 'template' && second?.isSkipped === true)
  return (
    <Card title={t('preview')} className="editor-preview">
      <div className="stack tight">
        {contacts.length === 0 ? (
          <p className="small muted">{t('previewNobody')}</p>
        ) : (
          <Select
            label={t('previewAs')}
            value={contact?.id ?? ''}
            choices={contacts.map(({ id, name }) => ({ value: id, label: name }))}
            onChange={event => setChosen(event.target.value)}
          />
        )}
        <figure className="phone" aria-label={t('previewFor')}>
          <figcaption className="phone-head">
            <span className="avatar" aria-hidden="true">
              {sender.slice(0, 1).toUpperCase()}
            </span>
            <span className="truncate">{sender}</span>
            <span className="small push">{format.time(now)}</span>
          </figcaption>
          <div className="phone-chat">
            <Bubble parts={first?.parts ?? textParts('')} />
            {message2 !== undefined && (
              <>
                <span className="visually-hidden">{t('previewAnswer')}</span>
                <Bubble parts={textParts(reply)} isTheirs />
                <Bubble parts={message2} />
              </>
            )}
          </div>
        </figure>
        {isSkipped && (
          <p className="small preview-skipped" role="status">
            {t('previewSkipped')}
          </p>
        )}
      </div>
    </Card>
  )
}
