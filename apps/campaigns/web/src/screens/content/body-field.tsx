import { Button, Field, Icon, IconButton, Segmented, useWords } from '@palier/design'
import { type ReactNode, useDeferredValue, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Picture } from '../../data/media.ts'
import { PicturePicker } from '../media/picker.tsx'
import { renderPreview } from './markdown.ts'
import { applyMark, insertPicture, type Mark, type Selected } from './marking.ts'
import { editorWords } from './words.ts'

type View = 'write' | 'both' | 'preview'

/** Two columns of text need this much room. */
const WIDE = '(min-width: 75rem)'

/** The text as visitors will see it. */
export function Preview({ text }: { readonly text: string }): ReactNode {
  const t = useWords(editorWords)
  // Typing goes first; the preview follows when there is time.
  const shown = useDeferredValue(text)
  const elements = useMemo(
    () =>
      renderPreview(shown, {
        foreignPicture: (alt, url) => (
          <span className="foreign-picture">
            <Icon name="image" />
            <span className="wrap-anywhere">
              {alt} <span className="small">{t('foreign', { url })}</span>
            </span>
          </span>
        ),
      }),
    [shown, t],
  )
  if (text.trim() === '') return <p className="muted">{t('previewEmpty')}</p>
  return <div className="prose wrap-anywhere">{elements}</div>
}

function Toolbar({
  onMark,
  onPicture,
}: {
  readonly onMark: (mark: Mark) => void
  readonly onPicture: () => void
}): ReactNode {
  const t = useWords(editorWords)
  const sign = (mark: Mark, label: string, text: ReactNode): ReactNode => (
    <Button kind="quiet" size="small" aria-label={label} title={label} onClick={() => onMark(mark)}>
      {text}
    </Button>
  )
  return (
    <div className="row format-bar" role="group" aria-label={t('toolbar')}>
      {sign('heading', t('heading'), t('headingSign'))}
      {sign('bold', t('bold'), <strong>{t('boldSign')}</strong>)}
      {sign('italic', t('italic'), <em>{t('italicSign')}</em>)}
      <IconButton label={t('list')} icon="list" size="small" onClick={() => onMark('list')} />
      {sign('numbers', t('numbers'), '1.')}
      {sign('quote', t('quote'), '”')}
      {sign('code', t('code'), <code>{'{ }'}</code>)}
      <Button kind="quiet" size="small" onClick={() => onMark('link')}>
        {t('link')}
      </Button>
      <Button kind="quiet" size="small" icon="image" onClick={onPicture}>
        {t('picture')}
      </Button>
    </div>
  )
}

/** The text, with what helps to write Markdown, and what becomes of it beside. */
export function BodyField({
  value,
  problem,
  onChange,
}: {
  readonly value: string
  readonly problem: string | undefined
  readonly onChange: (value: string) => void
}): ReactNode {
  const t = useWords(editorWords)
  const [view, setView] = useState<View>(() => (matchMedia(WIDE).matches ? 'both' : 'write'))
  const [picking, setPicking] = useState(false)
  const area = useRef<HTMLTextAreaElement>(null)
  // Where the selection belongs once the changed text is in its place.
  const wanted = useRef<Selected | undefined>(undefined)
  useLayoutEffect(() => {
    const selected = wanted.current
    wanted.current = undefined
    if (selected === undefined || area.current === null) return
    area.current.focus()
    area.current.setSelectionRange(selected.start, selected.end)
  }, [value])
  const selection = (): Selected => ({
    text: value,
    start: area.current?.selectionStart ?? value.length,
    end: area.current?.selectionEnd ?? value.length,
  })
  const become = (selected: Selected): void => {
    wanted.current = selected
    onChange(selected.text)
  }
  const take = (picture: Picture): void => {
    setPicking(false)
    become(insertPicture(selection(), picture.alt, picture.url))
  }
  return (
    <div className="stack tight">
      <div className="row between">
        {view === 'preview' ? <span /> : <Toolbar onMark={mark => become(applyMark(selection(), mark))} onPicture={() => setPicking(true)} />}
        <Segmented
          label={t('view')}
          value={view}
          choices={(['write', 'both', 'preview'] as const).map(one => ({ value: one, label: t(one) }))}
          onChoose={setView}
        />
      </div>
      <div className="writing" data-view={view}>
        <div className="writing-text" hidden={view === 'preview'}>
          <Field label={t('text')} problem={problem}>
            {given => (
              <textarea
                {...given}
                ref={area}
                className="input mono writing-area"
                value={value}
                maxLength={200_000}
                spellCheck
                onChange={event => onChange(event.currentTarget.value)}
              />
            )}
          </Field>
        </div>
        {view !== 'write' && (
          <section className="writing-preview" aria-label={t('preview')} tabIndex={0}>
            <Preview text={value} />
          </section>
        )}
      </div>
      {picking && <PicturePicker onClose={() => setPicking(false)} onChoose={take} />}
    </div>
  )
}
