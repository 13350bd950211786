import type { Translate } from '@palier/design'
import type { drawerWords } from './drawer-words.ts'

type Say = Translate<keyof (typeof drawerWords)['en']>

/** Why the server refused a field, in the language of the page; its own words only where they say more. */
export function refusalText(t: Say, field: string, detail: string): string {
  if (field === 'phone') return t(detail.includes('no other contact') ? 'takenPhone' : 'refusedPhone')
  if (field === 'email') return t('badEmail')
  return t('refused', { detail })
}
