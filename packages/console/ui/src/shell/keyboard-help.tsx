import { defineWords, ShortcutsDialog, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import { navWords, PLACES } from './nav.ts'
import { areShortcutsOn, setShortcutsOn } from './shortcuts.ts'

const words = defineWords(
  {
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
    none: 'No shortcut clears anything.',
  },
  {
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
  const change = (chosen: boolean): void => {
    setShortcutsOn(chosen)
    setIsOn(chosen)
  }
  return <ShortcutsDialog lines={lines} isOn={isOn} note={t('none')} onChange={change} onClose={onClose} />
}
