import { Checkbox, defineWords, Dialog, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import { useMay } from '../session/session.ts'
import { navWords, PLACES } from './nav.ts'
import { areShortcutsOn, setShortcutsOn } from './shortcuts.ts'

const words = defineWords(
  {
    title: 'Keyboard shortcuts',
    search: 'Search and commands',
    help: 'This list',
    filter: 'Filter the list',
    close: 'Close what is open',
    goTo: 'Go to: {place}',
    on: 'Single letters are shortcuts',
    none: 'No shortcut deletes or sends anything.',
  },
  {
    title: 'Raccourcis clavier',
    search: 'Recherche et commandes',
    help: 'Cette liste',
    filter: 'Filtrer la liste',
    close: 'Fermer ce qui est ouvert',
    goTo: 'Aller à : {place}',
    on: 'Les lettres seules sont des raccourcis',
    none: 'Aucun raccourci ne supprime ni n’envoie quoi que ce soit.',
  },
)

export function KeyboardHelp({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useWords(words)
  const name = useWords(navWords)
  const may = useMay()
  const [isOn, setIsOn] = useState(areShortcutsOn)
  const places = PLACES.flatMap(group => group.places).filter(place => may(place.permission))
  const rows: readonly (readonly [string, string])[] = [
    ['Ctrl K, ⌘K', t('search')],
    ['?', t('help')],
    ['/', t('filter')],
    ['Esc', t('close')],
    ...places.map(place => [`g ${place.letter}`, t('goTo', { place: name(place.key) })] as const),
  ]
  return (
    <Dialog title={t('title')} onClose={onClose}>
      <dl className="facts">
        {rows.map(([keys, text]) => (
          <div key={keys} className="shortcut">
            <dt>
              {keys.split(/(?:, )/).map(one => (
                <kbd key={one} className="kbd">
                  {one}
                </kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <Checkbox
        label={t('on')}
        checked={isOn}
        onChange={event => {
          setShortcutsOn(event.currentTarget.checked)
          setIsOn(event.currentTarget.checked)
        }}
      />
      <p className="small muted">{t('none')}</p>
    </Dialog>
  )
}
