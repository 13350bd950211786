import { defineWords, type Tone } from '@palier/design'
import type { AnswerOf } from './client.ts'

export type CampaignStatus = AnswerOf<'GET /campaigns'>['items'][number]['status']
export type MessageStatus = AnswerOf<'GET /messages'>['items'][number]['status']

export const campaignStatusWords = defineWords(
  {
    draft: 'Draft',
    scheduled: 'Scheduled',
    running: 'Running',
    paused: 'Paused',
    completed: 'Completed',
    cancelled: 'Cancelled',
    failed: 'Failed',
  },
  {
    draft: 'Brouillon',
    scheduled: 'Planifiée',
    running: 'En cours',
    paused: 'En pause',
    completed: 'Terminée',
    cancelled: 'Annulée',
    failed: 'Échouée',
  },
)

export const campaignTones: Readonly<Record<CampaignStatus, Tone>> = {
  draft: 'quiet',
  scheduled: 'warming',
  running: 'healthy',
  paused: 'degraded',
  completed: 'quiet',
  cancelled: 'quiet',
  failed: 'down',
}

export const messageStatusWords = defineWords(
  {
    queued: 'Queued',
    sending: 'Being sent',
    accepted: 'Accepted',
    held: 'Held back',
    sent: 'Sent',
    delivered: 'Delivered',
    read: 'Read',
    received: 'Received',
    failed: 'Failed',
    no_interaction: 'No answer',
    skipped: 'Skipped',
  },
  {
    queued: 'En file',
    sending: 'Envoi en cours',
    accepted: 'Accepté',
    held: 'Retenu',
    sent: 'Envoyé',
    delivered: 'Remis',
    read: 'Lu',
    received: 'Reçu',
    failed: 'Échoué',
    no_interaction: 'Sans réponse',
    skipped: 'Ignoré',
  },
)
