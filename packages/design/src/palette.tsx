import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useState } from 'react'
import { Icon, type IconName } from './icon.tsx'
import { useWords } from './settings.tsx'
import { defineWords } from './words.ts'
import { useRef } from 'react'

const words = defineWords(
  { label: 'Search and commands', placeholder: 'Type to search', none: 'Nothing matches “{text}”.' },
  { label: 'Recherche et commandes', placeholder: 'Saisir pour rechercher', none: 'Rien ne correspond à « {text} ».' },
)

export interface Command {
  readonly id: string
  readonly text: string
  /** Other words it is found by: the name in the other language, say. */
  readonly also?: string
  readonly more?: string
  readonly icon?: IconName
  readonly run: () => void
}

/** Folds case and accents: « réglages » is found by "reglages". */
const folded = (text: string): string => text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()

function matching(commands: readonly Command[], text: string): readonly Command[] {
  const asked = folded(text).split(/\s+/).filter(Boolean)
  return commands.filter(({ text: name, also = '', more = '' }) => {
    const within = folded(`${name} ${also} ${more}`)
    return asked.every(word => within.includes(word))
  })
}

/**
 * One box for every place and action. `found` is what a search on the server gave for `text`, shown below the commands
 * that match. Nothing in it deletes.
 */
export function Palette({
  commands,
  found = [],
  text,
  onText,
  onClose,
}: {
  readonly commands: readonly Command[]
  readonly found?: readonly Command[]
  readonly text: string
  readonly onText: (text: string) => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const id = useId()
  const ref = useRef<HTMLDialogElement>(null)
  const [at, setAt] = useState(0)
  const items = useMemo(() => [...matching(commands, text), ...found], [commands, found, text])
  useEffect(() => {
    const dialog = ref.current
    if (dialog !== null && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])
  useEffect(() => {
    // Newer browsers answer with a promise, which an effect must not.
    document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: 'nearest' })
  }, [at, id])
  const choose = (command: Command | undefined): void => {
    if (command === undefined) return
    onClose()
    command.run()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0 && items.length > 0) {
      event.preventDefault()
      setAt((at + step + items.length) % items.length)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      choose(items[at])
    }
  }
  return (
    <dialog
      ref={ref}
      className="dialog palette"
      aria-label={t('label')}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
      onClick={event => event.target === ref.current && onClose()}
    >
      <input
        className="input"
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={items.length === 0 ? undefined : `${id}-${at}`}
        aria-label={t('label')}
        placeholder={t('placeholder')}
        autoFocus
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={event => {
          setAt(0)
          onText(event.currentTarget.value)
        }}
        onKeyDown={onKeyDown}
      />
      <div id={`${id}-list`} role="listbox" aria-label={t('label')}>
        {items.map((command, i) => (
          <div
            key={command.id}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === at}
            onMouseMove={() => setAt(i)}
            onClick={() => choose(command)}
          >
            <Icon name={command.icon ?? 'arrowRight'} />
            <span className="truncate">{command.text}</span>
            {command.more !== undefined && <span className="push small muted truncate">{command.more}</span>}
          </div>
        ))}
      </div>
      {items.length === 0 && (
        <p className="empty" role="status">
          {t('none', { text })}
        </p>
      )}
    </dialog>
  )
}
