import { Checkbox, Dialog, defineWords, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import { navWords, PLACES } from './nav.ts'
import { areShortcutsOn, setShortcutsOn } from './shortcuts.ts'

const words = defineWords(
  {
    title: 'Keyboard shortcuts',
    search: 'Search and commands',
    help: 'This list',
    filter: 'Filter the list',
    rows: 'Next and previous row',
    select: 'Select the row',
    open: 'Open',
    close: 'Close what is open',
    refresh: 'Read again',
    live: 'Live on or off',
    goTo: 'Go to: {place}',
    on: 'Single letters are shortcuts',
    none: 'No shortcut clears anything.',
  },
  {
    title: 'Raccourcis clavier',
    search: 'Recherche et commandes',
    help: 'Cette liste',
    filter: 'Filtrer la liste',
    rows: 'Ligne suivante et précédente',
    select: 'Sélectionner la ligne',
    open: 'Ouvrir',
    close: 'Fermer ce qui est ouvert',
    refresh: 'Relire',
    live: 'Direct activé ou non',
    goTo: 'Aller à : {place}',
    on: 'Les lettres seules sont des raccourcis',
    none: 'Aucun raccourci ne vide quoi que ce soit.',
  },
)

export function KeyboardHelp({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useWords(words)
  const name = useWords(navWords)
  const [isOn, setIsOn] = useState(areShortcutsOn)
  const lines: readonly (readonly [keys: readonly string[], text: string])[] = [
    [['Ctrl K', '⌘K'], t('search')],
    [['?'], t('help')],
    [['/'], t('filter')],
    [['j', 'k'], t('rows')],
    [['x'], t('select')],
    [['Enter'], t('open')],
    [['Esc'], t('close')],
    [['r'], t('refresh')],
    [['l'], t('live')],
    ...PLACES.map(place => [[`g ${place.letter}`], t('goTo', { place: name(place.key) })] as const),
  ]
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
