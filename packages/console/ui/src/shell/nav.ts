import { defineWords, type IconName } from '@palier/design'

export const navWords = defineWords(
  {
    overview: 'Overview',
    backend: 'Backend',
    types: 'Types',
    keys: 'Keys',
    clear: 'Clear',
    tests: 'Tests',
    alerts: 'Alerts',
    activity: 'Activity',
  },
  {
    overview: 'Vue d’ensemble',
    backend: 'Moteur',
    types: 'Types',
    keys: 'Clés',
    clear: 'Vider',
    tests: 'Tests',
    alerts: 'Alertes',
    activity: 'Activité',
  },
)

export type PlaceKey = keyof (typeof navWords)['en']

export interface Place {
  readonly key: PlaceKey
  readonly path: string
  readonly icon: IconName
  /** The second key after `g`. */
  readonly letter: string
  /** Its figures are of the range of time that the top of the page chooses. */
  readonly hasRange?: true
}

/** The screens, in the order in which people need them. */
export const PLACES: readonly Place[] = [
  { key: 'overview', path: '/', icon: 'gauge', letter: 'o', hasRange: true },
  { key: 'backend', path: '/backend', icon: 'server', letter: 'b' },
  { key: 'types', path: '/types', icon: 'layers', letter: 't' },
  { key: 'keys', path: '/keys', icon: 'key', letter: 'k' },
  { key: 'clear', path: '/clear', icon: 'trash', letter: 'c' },
  { key: 'tests', path: '/tests', icon: 'pulse', letter: 'e' },
  { key: 'alerts', path: '/alerts', icon: 'bell', letter: 'a' },
  { key: 'activity', path: '/activity', icon: 'history', letter: 'h' },
]

export const placeAt = (path: string): Place | undefined => PLACES.find(place => place.path === path)
