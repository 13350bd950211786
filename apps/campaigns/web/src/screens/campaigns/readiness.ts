import { defineWords } from '@palier/design'
import type { CampaignPreview } from '../../data/campaigns.ts'
import { type StepKey, stepOfField } from './draft.ts'

export const readinessWords = defineWords(
  {
    account: 'Choose a WhatsApp account that is active.',
    categories: 'Choose at least one category: it is the audience.',
    template1: 'Message 1: choose a template of the account.',
    template2: 'Message 2: choose a template of the account.',
    templateFallback: 'Fallback: choose a template of the account.',
    unapproved1: 'Message 1: WhatsApp has not approved the template ({received}).',
    unapproved2: 'Message 2: WhatsApp has not approved the template ({received}).',
    unapprovedFallback: 'Fallback: WhatsApp has not approved the template ({received}).',
    placeholder1: 'Message 1: the placeholder {name} has no value.',
    placeholder2: 'Message 2: the placeholder {name} has no value.',
    placeholderFallback: 'Fallback: the placeholder {name} has no value.',
    body: 'Message 2: write its text, of the length that WhatsApp allows.',
    buttons: 'Message 2: add one to three buttons.',
    other: '{field}: {expected} is missing.',
  },
  {
    account: 'Choisir un compte WhatsApp actif.',
    categories: 'Choisir au moins une catégorie : c’est l’audience.',
    template1: 'Message 1 : choisir un modèle du compte.',
    template2: 'Message 2 : choisir un modèle du compte.',
    templateFallback: 'Secours : choisir un modèle du compte.',
    unapproved1: 'Message 1 : WhatsApp n’a pas approuvé le modèle ({received}).',
    unapproved2: 'Message 2 : WhatsApp n’a pas approuvé le modèle ({received}).',
    unapprovedFallback: 'Secours : WhatsApp n’a pas approuvé le modèle ({received}).',
    placeholder1: 'Message 1 : le champ {name} n’a pas de valeur.',
    placeholder2: 'Message 2 : le champ {name} n’a pas de valeur.',
    placeholderFallback: 'Secours : le champ {name} n’a pas de valeur.',
    body: 'Message 2 : écrire son texte, de la longueur que WhatsApp permet.',
    buttons: 'Message 2 : ajouter un à trois boutons.',
    other: '{field} : il manque {expected}.',
  },
)

type Key = keyof (typeof readinessWords)['en']

export interface ReadinessProblem {
  readonly step: StepKey
  readonly key: Key
  readonly values: Readonly<Record<string, string>>
}

type Missing = CampaignPreview['missing'][number]

const SUFFIXES = { message1: '1', message2: '2', fallback: 'Fallback' } as const

/** What the server says is missing, as something that can be said in every language, with where to mend it. */
export function readinessProblem({ field, expected, received }: Missing): ReadinessProblem {
  const step = stepOfField(field)
  const said = (key: Key, values: ReadinessProblem['values'] = {}): ReadinessProblem => ({ step, key, values })
  if (field === 'account_id') return said('account')
  if (field === 'category_ids') return said('categories')
  if (field === 'message2_body') return said('body')
  if (field === 'message2_buttons') return said('buttons')
  const match = /^(message1|message2|fallback)_(template_id|params\.(.+))$/.exec(field)
  if (match === null) return said('other', { field, expected })
  const [, message = '', , name] = match
  const suffix = SUFFIXES[message as keyof typeof SUFFIXES]
  if (name !== undefined) return said(`placeholder${suffix}`, { name: name.replace(/\.field$/, '') })
  if (expected.includes('approved')) return said(`unapproved${suffix}`, { received: received.replaceAll('"', '') })
  return said(`template${suffix}`)
}
