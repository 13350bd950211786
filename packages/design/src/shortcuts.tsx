import type { ReactNode } from 'react'
import { Checkbox } from './controls.tsx'
import { Dialog } from './overlays.tsx'
import { useWords } from './settings.tsx'
import { defineWords } from './words.ts'

const words = defineWords(
  {
    title: 'Keyboard shortcuts',
    on: 'Single letters are shortcuts',
  },
  {
    title: 'Raccourcis clavier',
    on: 'Les lettres seules sont des raccourcis',
  },
)

/** What the keys do, and the switch for whoever speaks to the machine: single letters would be pressed by talking. */
export function ShortcutsDialog({
  lines,
  isOn,
  note,
  onChange,
  onClose,
}: {
  readonly lines: readonly (readonly [keys: readonly string[], text: string])[]
  readonly isOn: boolean
  readonly note: string
  readonly onChange: (isOn: boolean) => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  return (
    <Dialog title={t('title')} onClose={onClose}>
      <dl className="facts">
        {lines.map(([keys, text]) => (
          <div key={text} className="shortcut">
            <dt>
              {keys.map(one => (
                <kbd key={one} className="kbd">
                  {one}
                </kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <Checkbox label={t('on')} checked={isOn} onChange={event => onChange(event.currentTarget.checked)} />
      <p className="small muted">{note}</p>
    </Dialog>
  )
}
