import { defineWords, type IconName } from '@palier/design'
import type { Permission } from '../session/session.ts'

export const navWords = defineWords(
  {
    dashboard: 'Dashboard',
    contacts: 'Contacts',
    categories: 'Categories',
    campaigns: 'Campaigns',
    messages: 'Messages',
    content: 'Pages',
    media: 'Pictures',
    users: 'Users',
    keys: 'API keys',
    settings: 'Settings',
    history: 'History',
    cache: 'Cache',
    account: 'Your account',
    audience: 'Audience',
    sending: 'Sending',
    publishing: 'Publishing',
    running: 'Administration',
  },
  {
    dashboard: 'Tableau de bord',
    contacts: 'Contacts',
    categories: 'Catégories',
    campaigns: 'Campagnes',
    messages: 'Messages',
    content: 'Pages',
    media: 'Images',
    users: 'Utilisateurs',
    keys: 'Clés d’API',
    settings: 'Réglages',
    history: 'Historique',
    cache: 'Cache',
    account: 'Votre compte',
    audience: 'Audience',
    sending: 'Envois',
    publishing: 'Publication',
    running: 'Administration',
  },
)

export type NavKey = keyof (typeof navWords)['en']

export interface Place {
  readonly key: NavKey
  readonly to: string
  readonly icon: IconName
  readonly permission: Permission
  /** The second key after `g`. */
  readonly letter: string
  /** It is a page of its own, not of this application: the console of the cache. */
  readonly isOutside?: true
}

export interface PlaceGroup {
  readonly key?: NavKey
  readonly places: readonly Place[]
}

/** Where one can go, in the order in which people need it. */
export const PLACES: readonly PlaceGroup[] = [
  {
    places: [{ key: 'dashboard', to: '/', icon: 'gauge', permission: 'dashboard:read', letter: 'd' }],
  },
  {
    key: 'audience',
    places: [
      { key: 'contacts', to: '/contacts', icon: 'users', permission: 'contacts:read', letter: 'o' },
      { key: 'categories', to: '/categories', icon: 'tag', permission: 'categories:read', letter: 't' },
    ],
  },
  {
    key: 'sending',
    places: [
      { key: 'campaigns', to: '/campaigns', icon: 'send', permission: 'campaigns:read', letter: 'c' },
      { key: 'messages', to: '/messages', icon: 'message', permission: 'messages:read', letter: 'm' },
    ],
  },
  {
    key: 'publishing',
    places: [
      { key: 'content', to: '/content', icon: 'page', permission: 'content:read', letter: 'p' },
      { key: 'media', to: '/media', icon: 'image', permission: 'media:read', letter: 'i' },
    ],
  },
  {
    key: 'running',
    places: [
      { key: 'users', to: '/users', icon: 'user', permission: 'users:read', letter: 'u' },
      { key: 'keys', to: '/keys', icon: 'key', permission: 'users:read', letter: 'k' },
      { key: 'settings', to: '/settings', icon: 'settings', permission: 'settings:read', letter: 's' },
      { key: 'history', to: '/history', icon: 'history', permission: 'history:read', letter: 'h' },
      { key: 'cache', to: '/admin/cache/', icon: 'layers', permission: 'cache:view', letter: 'b', isOutside: true },
    ],
  },
]
