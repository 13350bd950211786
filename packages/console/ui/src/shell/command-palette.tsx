import { type Command, defineWords, Palette, translator, useAppearance, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import { useHrefOf, useRange } from '../data/place.ts'
import { RANGES } from '../data/ranges.ts'
import { navWords, PLACES } from './nav.ts'

const words = defineWords(
  {
    refresh: 'Read again',
    live: 'Live on or off',
    help: 'Keyboard shortcuts',
    signOut: 'Sign out',
    light: 'Theme: light',
    dark: 'Theme: dark',
    system: 'Theme: as the system',
    english: 'Language: English',
    french: 'Language: French',
    clearAll: 'Clear everything',
    clearType: 'Clear a type',
    clearTag: 'Clear a tag',
    clearPattern: 'Clear by a pattern',
    undo: 'Undo a clear',
    simple: 'Test the backend',
    report: 'Report for a ticket',
    settings: 'Settings',
    ttl: 'Change how long entries live (TTL)',
    tryNow: 'Try the backend now',
    processes: 'Processes',
    range1h: 'Range: 1 hour',
    range24h: 'Range: 24 hours',
    range7d: 'Range: 7 days',
    range30d: 'Range: 30 days',
  },
  {
    refresh: 'Relire',
    live: 'Direct activé ou non',
    help: 'Raccourcis clavier',
    signOut: 'Se déconnecter',
    light: 'Thème : clair',
    dark: 'Thème : sombre',
    system: 'Thème : comme le système',
    english: 'Langue : anglais',
    french: 'Langue : français',
    clearAll: 'Tout vider',
    clearType: 'Vider un type',
    clearTag: 'Vider une étiquette',
    clearPattern: 'Vider selon un motif',
    undo: 'Annuler un vidage',
    simple: 'Tester le moteur de cache',
    report: 'Rapport pour un ticket',
    settings: 'Réglages',
    ttl: 'Modifier la durée de vie (TTL)',
    tryNow: 'Essayer le moteur maintenant',
    processes: 'Processus',
    range1h: 'Période : 1 heure',
    range24h: 'Période : 24 heures',
    range7d: 'Période : 7 jours',
    range30d: 'Période : 30 jours',
  },
)

type Key = keyof (typeof words)['en']

/** Actions that are a place to do something in: nothing is done by choosing one. */
const WAYS: readonly (readonly [key: Key, path: string, params?: Readonly<Record<string, string>>])[] = [
  ['clearType', '/clear', { kind: 'type' }],
  ['clearTag', '/clear', { kind: 'tag' }],
  ['clearPattern', '/clear', { kind: 'pattern' }],
  ['clearAll', '/clear', { kind: 'all' }],
  ['undo', '/clear'],
  ['ttl', '/types'],
  ['tryNow', '/backend'],
  ['processes', '/backend'],
  ['simple', '/tests'],
  ['report', '/tests'],
  ['settings', '/activity'],
]

export interface PaletteActions {
  readonly go: (path: string) => void
  readonly refresh: () => void
  readonly live: () => void
  readonly help: () => void
  /** Undefined where the session is the application's. */
  readonly signOut: (() => void) | undefined
}

/** Every place and action, found by its name in either language. */
export function CommandPalette({
  actions,
  onClose,
}: {
  readonly actions: PaletteActions
  readonly onClose: () => void
}): ReactNode {
  const name = useWords(navWords)
  const t = useWords(words)
  const hrefOf = useHrefOf()
  const [, setRange] = useRange()
  const { setTheme, setLanguage } = useAppearance()
  const [text, setText] = useState('')
  const inAll = (say: (language: 'en' | 'fr') => string): string => `${say('en')} ${say('fr')}`
  const places = PLACES.map(place => ({
    id: place.key,
    text: name(place.key),
    also: inAll(language => translator(navWords, language)(place.key)),
    icon: place.icon,
    more: `g ${place.letter}`,
    run: () => actions.go(hrefOf(place.path)),
  }))
  const action = (key: Key, run: () => void, more?: string): Command => ({
    id: key,
    text: t(key),
    also: inAll(language => translator(words, language)(key)),
    run,
    ...(more !== undefined && { more }),
  })
  const commands: readonly Command[] = [
    ...places,
    ...WAYS.map(([key, path, params]) => action(key, () => actions.go(hrefOf(path, params)))),
    action('refresh', actions.refresh, 'r'),
    action('live', actions.live, 'l'),
    ...RANGES.map(range => action(`range${range}`, () => setRange(range))),
    action('english', () => setLanguage('en')),
    action('french', () => setLanguage('fr')),
    ...(['system', 'light', 'dark'] as const).map(theme => action(theme, () => setTheme(theme))),
    action('help', actions.help, '?'),
    ...(actions.signOut === undefined ? [] : [action('signOut', actions.signOut)]),
  ]
  return <Palette commands={commands} text={text} onText={setText} onClose={onClose} />
}
