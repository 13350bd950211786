import { defineWords, ShortcutsDialog, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import { useMay } from '../session/session.ts'
import { navWords, PLACES } from './nav.ts'
import { areShortcutsOn, setShortcutsOn } from './shortcuts.ts'

const words = defineWords(
  {
    search: 'Search and commands',
    help: 'This list',
    filter: 'Filter the list',
    close: 'Close what is open',
    goTo: 'Go to: {place}',
    none: 'No shortcut deletes or sends anything.',
  },
  {
    search: 'Recherche et commandes',
    help: 'Cette liste',
    filter: 'Filtrer la liste',
    close: 'Fermer ce qui est ouvert',
    goTo: 'Aller à : {place}',
    none: 'Aucun raccourci ne supprime ni n’envoie quoi que ce soit.',
  },
)

export function KeyboardHelp({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useWords(words)
  const name = useWords(navWords)
  const may = useMay()
  const [isOn, setIsOn] = useState(areShortcutsOn)
  const places = PLACES.flatMap(group => group.places).filter(place => may(place.permission))
  const lines: readonly (readonly [keys: readonly string[], text: string])[] = [
    [['Ctrl K', '⌘K'], t('search')],
    [['?'], t('help')],
    [['/'], t('filter')],
    [['Esc'], t('close')],
    ...places.map(place => [[`g ${place.letter}`], t('goTo', { place: name(place.key) })] as const),
  ]
  const change = (chosen: boolean): void => {
    setShortcutsOn(chosen)
    setIsOn(chosen)
  }
  return <ShortcutsDialog lines={lines} isOn={isOn} note={t('none')} onChange={change} onClose={onClose} />
}
