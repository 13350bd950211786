import { Button, Icon, IconButton, Segmented, useWords } from '@palier/design'
import {
  type ReactNode,
  useDeferredValue,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import type { Picture } from '../../data/media.ts'
import { PicturePicker } from '../media/picker.tsx'
import { renderPreview } from './markdown.ts'
import { applyMark, insertPicture, type Mark, type Selected } from './marking.ts'
import { editorWords } from './words.ts'

type View = 'write' | 'both' | 'preview'

/** Two columns of text need this much room. */
const WIDE = '(min-width: 75rem)'
/** And below this there is only one. */
const NARROW = '(max-width: 48rem)'

function useNarrow(): boolean {
  return useSyncExternalStore(
    changed => {
      const query = matchMedia(NARROW)
      query.addEventListener('change', changed)
      return () => query.removeEventListener('change', changed)
    },
    () => matchMedia(NARROW).matches,
  )
}

const foreignPicture = (alt: string, text: string): ReactNode => (
  <span className="foreign-picture">
    <Icon name="image" />
    <span className="wrap-anywhere">
      {alt} <span className="small">{text}</span>
    </span>
  </span>
)

/** The text as visitors will see it. */
function Preview({ text }: { readonly text: string }): ReactNode {
  const t = useWords(editorWords)
  // Typing goes first; the preview follows when there is time.
  const shown = useDeferredValue(text)
  const elements = useMemo(
    () => renderPreview(shown, { foreignPicture: (alt, url) => foreignPicture(alt, t('foreign', { url })) }),
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
      {sign('heading', t('heading'), <span aria-hidden="true">{t('headingSign')}</span>)}
      {sign('bold', t('bold'), <strong aria-hidden="true">{t('boldSign')}</strong>)}
      {sign('italic', t('italic'), <em aria-hidden="true">{t('italicSign')}</em>)}
      <IconButton label={t('list')} icon="list" size="small" onClick={() => onMark('list')} />
      {sign('numbers', `1. ${t('numbers')}`, '1.')}
      {sign('quote', t('quote'), <span aria-hidden="true">”</span>)}
      {sign('code', t('code'), <code aria-hidden="true">{'{ }'}</code>)}
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
  const id = useId()
  const isNarrow = useNarrow()
  const [chosen, setChosen] = useState<View>(() => (matchMedia(WIDE).matches ? 'both' : 'write'))
  const view = isNarrow && chosen === 'both' ? 'write' : chosen
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
  })
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
        <label className="label" htmlFor={id}>
          {t('text')}
        </label>
        <Segmented
          label={t('view')}
          value={view}
          choices={(['write', 'both', 'preview'] as const)
            .filter(one => one !== 'both' || !isNarrow)
            .map(one => ({ value: one, label: t(one) }))}
          onChoose={setChosen}
        />
      </div>
      {view !== 'preview' && (
        <Toolbar onMark={mark => become(applyMark(selection(), mark))} onPicture={() => setPicking(true)} />
      )}
      <div className="writing" data-view={view}>
        <div className="field" hidden={view === 'preview'}>
          <textarea
            id={id}
            ref={area}
            className="input mono writing-area"
            value={value}
            maxLength={200_000}
            spellCheck
            aria-invalid={problem === undefined ? undefined : true}
            aria-describedby={problem === undefined ? undefined : `${id}-problem`}
            onChange={event => onChange(event.currentTarget.value)}
          />
          {problem !== undefined && (
            <span className="problem" id={`${id}-problem`} role="alert">
              {problem}
            </span>
          )}
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
