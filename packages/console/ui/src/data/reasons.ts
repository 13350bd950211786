import { defineWords } from '@palier/design'

/** Why a read found nothing, in a few words. */
export const reasonWords = defineWords(
  {
    absent: 'Not there: never stored, or evicted',
    expired: 'Expired',
    invalidated: 'Cleared',
    damaged: 'Damaged record',
    store: 'The backend failed or was too slow',
    disabled: 'The cache is switched off',
    forced: 'The application asked for a new one',
  },
  {
    absent: 'Absente : jamais stockée, ou évincée',
    expired: 'Expirée',
    invalidated: 'Vidée',
    damaged: 'Enregistrement abîmé',
    store: 'Moteur en erreur ou trop lent',
    disabled: 'Cache désactivé',
    forced: 'Nouvelle valeur demandée par l’application',
  },
)
