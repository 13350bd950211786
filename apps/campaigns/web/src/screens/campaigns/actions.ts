import { defineWords, type IconName } from '@palier/design'
import type { Campaign } from '../../data/campaigns.ts'
import type { Answer, Client } from '../../data/client.ts'
import type { Permission } from '../../session/session.ts'

/** What is asked for before it is done, by the name the server has for it. */
export type ConductAction = 'start' | 'schedule' | 'pause' | 'resume' | 'cancel' | 'retry-failed' | 'delete'

export interface ActionFacts {
  readonly icon: IconName
  readonly permission: Permission
  readonly danger?: true
}

export const ACTION_FACTS: Readonly<Record<ConductAction, ActionFacts>> = {
  start: { icon: 'play', permission: 'campaigns:run' },
  schedule: { icon: 'clock', permission: 'campaigns:run' },
  resume: { icon: 'play', permission: 'campaigns:run' },
  pause: { icon: 'pause', permission: 'campaigns:run' },
  'retry-failed': { icon: 'refresh', permission: 'campaigns:run' },
  cancel: { icon: 'stop', permission: 'campaigns:run', danger: true },
  delete: { icon: 'trash', permission: 'campaigns:write', danger: true },
}

const ACTIONS = Object.keys(ACTION_FACTS) as readonly ConductAction[]

/** What may be done with it now, in the order in which it is offered. Sending again needs something that failed. */
export function possibleActions(
  campaign: Pick<Campaign, 'actions' | 'failed_count' | 'no_interaction_count' | 'message2_failed'>,
): readonly ConductAction[] {
  const { actions, failed_count, no_interaction_count, message2_failed } = campaign
  const failed = failed_count - no_interaction_count + message2_failed
  return ACTIONS.filter(action => actions.includes(action) && (action !== 'retry-failed' || failed > 0))
}

/** What an action needs to be told. */
export interface ActionInput {
  readonly scheduledAt?: number
  readonly errorClass?: string | null
}

/** Does it. Null: the campaign is gone. */
export async function perform(
  client: Client,
  action: ConductAction,
  id: string,
  { scheduledAt = 0, errorClass = null }: ActionInput,
): Promise<Answer<Campaign> | null> {
  const path = { id }
  switch (action) {
    case 'start':
      return client.ask('POST /campaigns/{id}/start', { path })
    case 'schedule':
      return client.ask('POST /campaigns/{id}/schedule', { path, body: { scheduled_at: scheduledAt } })
    case 'pause':
      return client.ask('POST /campaigns/{id}/pause', { path })
    case 'resume':
      return client.ask('POST /campaigns/{id}/resume', { path })
    case 'cancel':
      return client.ask('POST /campaigns/{id}/cancel', { path })
    case 'retry-failed':
      return client.ask('POST /campaigns/{id}/retry-failed', { path, body: { error_class: errorClass } })
    case 'delete':
      await client.ask('DELETE /campaigns/{id}', { path })
      return null
  }
}

/** What a copy of a campaign begins with: all that was decided, nothing of what happened. */
export function copyOf(campaign: Campaign, name: string) {
  return {
    name: name.slice(0, 120),
    account_id: campaign.account_id,
    category_ids: campaign.categories.map(category => category.id),
    message1_template_id: campaign.message1_template_id,
    message1_params: campaign.message1_params as Record<string, string> | null,
    message2_kind: campaign.message2_kind,
    message2_body: campaign.message2_body,
    message2_buttons: campaign.message2_buttons,
    message2_template_id: campaign.message2_template_id,
    message2_params: campaign.message2_params as Record<string, string> | null,
    fallback_template_id: campaign.fallback_template_id,
    fallback_params: campaign.fallback_params as Record<string, string> | null,
    interaction_timeout_h: campaign.interaction_timeout_h,
    accept_late: campaign.accept_late,
    rate_per_minute: campaign.rate_per_minute,
  }
}

/** The value of an `<input type="datetime-local">` for a moment, in the time of this machine. */
export function localInput(at: number): string {
  const date = new Date(at)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`
}

/** The moment that such an input says; undefined when it says none. */
export function momentOf(input: string): number | undefined {
  const at = new Date(input).getTime()
  return Number.isNaN(at) ? undefined : at
}

export const actionWords = defineWords(
  {
    start: 'Start',
    schedule: 'Schedule',
    resume: 'Resume',
    pause: 'Pause',
    'retry-failed': 'Send failed ones again',
    cancel: 'Cancel campaign',
    delete: 'Delete',
    edit: 'Edit',
    duplicate: 'Duplicate',
    open: 'Open',
    copyName: '{name} (copy)',
    duplicated: 'A draft was made from it.',
    startTitle: 'Start “{name}” now?',
    scheduleTitle: 'Schedule “{name}”',
    pauseTitle: 'Pause “{name}”?',
    resumeTitle: 'Resume “{name}”?',
    cancelTitle: 'Cancel “{name}”?',
    retryTitle: 'Send failed messages of “{name}” again?',
    deleteTitle: 'Delete “{name}”?',
    startText: {
      one: 'Message 1 goes to {count} contact, at once. What has been sent cannot be called back.',
      other: 'Message 1 goes to {count} contacts, at once. What has been sent cannot be called back.',
    },
    startLeft: {
      one: '{count} of the audience is left out: no consent, or no way to reach them.',
      other: '{count} of the audience are left out: no consent, or no way to reach them.',
    },
    startNobody: 'Nobody in the audience can be written to.',
    counting: 'Counting the audience…',
    notReady: 'It cannot start yet:',
    notReadyShort: 'Something is still missing',
    when: 'Date and time',
    whenHint: 'In the time of this computer, {zone}.',
    whenPast: 'Choose a time to come.',
    scheduleText: 'The audience is counted when it starts: who joins a category before then is written to.',
    pauseText: 'No more messages go out until it is resumed. Answers are still heard, and Message 2 waits.',
    resumeText: {
      one: 'It goes on with the {count} contact who is still waiting.',
      other: 'It goes on with the {count} contacts who are still waiting.',
    },
    resumeAnswers: 'Everybody has been written to. Message 2 goes out again as answers come.',
    resumeReason: 'It stopped because: {reason}',
    cancelText: {
      one: '{count} contact has not been written to yet and will be skipped. What has been sent stays sent. This cannot be undone.',
      other:
        '{count} contacts have not been written to yet and will be skipped. What has been sent stays sent. This cannot be undone.',
    },
    cancelScheduled: 'It will not start at the time that was set. This cannot be undone.',
    retryText: {
      one: '{count} message goes back into the queue.',
      other: '{count} messages go back into the queue.',
    },
    retryPolicy: 'Who has had enough marketing today is tried again after 24 hours.',
    retryUnknown: 'These may have arrived already: some people may get the message twice.',
    retryKept: {
      one: '{count} message may have arrived and is left alone.',
      other: '{count} messages may have arrived and are left alone.',
    },
    deleteText: 'The campaign goes with its messages and its report. This cannot be undone.',
    started: 'The campaign has started.',
    scheduled: 'The campaign will start on {time}.',
    paused: 'The campaign is paused.',
    resumed: 'The campaign goes on.',
    cancelled: 'The campaign is cancelled.',
    retried: 'Failed messages are being sent again.',
    deleted: 'The campaign is deleted.',
    forbidden: 'Your role does not allow this.',
  },
  {
    start: 'Démarrer',
    schedule: 'Planifier',
    resume: 'Reprendre',
    pause: 'Mettre en pause',
    'retry-failed': 'Renvoyer les échecs',
    cancel: 'Annuler la campagne',
    delete: 'Supprimer',
    edit: 'Modifier',
    duplicate: 'Dupliquer',
    open: 'Ouvrir',
    copyName: '{name} (copie)',
    duplicated: 'Un brouillon en a été tiré.',
    startTitle: 'Démarrer « {name} » maintenant ?',
    scheduleTitle: 'Planifier « {name} »',
    pauseTitle: 'Mettre « {name} » en pause ?',
    resumeTitle: 'Reprendre « {name} » ?',
    cancelTitle: 'Annuler « {name} » ?',
    retryTitle: 'Renvoyer les échecs de « {name} » ?',
    deleteTitle: 'Supprimer « {name} » ?',
    startText: {
      one: 'Le message 1 part tout de suite vers {count} contact. Ce qui est envoyé ne se rappelle pas.',
      other: 'Le message 1 part tout de suite vers {count} contacts. Ce qui est envoyé ne se rappelle pas.',
    },
    startLeft: {
      one: '{count} personne de l’audience est écartée : sans accord, ou injoignable.',
      other: '{count} personnes de l’audience sont écartées : sans accord, ou injoignables.',
    },
    startNobody: 'Personne dans l’audience ne peut recevoir de message.',
    counting: 'Calcul de l’audience…',
    notReady: 'Elle ne peut pas encore démarrer :',
    notReadyShort: 'Il manque encore quelque chose',
    when: 'Date et heure',
    whenHint: 'À l’heure de cet ordinateur, {zone}.',
    whenPast: 'Choisir un moment à venir.',
    scheduleText: 'L’audience est calculée au démarrage : qui rejoint une catégorie avant recevra le message.',
    pauseText:
      'Plus aucun message ne part avant la reprise. Les réponses sont toujours reçues, et le message 2 attend.',
    resumeText: {
      one: 'Elle continue avec le {count} contact qui attend encore.',
      other: 'Elle continue avec les {count} contacts qui attendent encore.',
    },
    resumeAnswers: 'Tout le monde a reçu le message 1. Le message 2 repart au fil des réponses.',
    resumeReason: 'Elle s’est arrêtée pour cette raison : {reason}',
    cancelText: {
      one: '{count} contact n’a pas encore reçu de message et sera ignoré. Ce qui est envoyé le reste. Cette action est définitive.',
      other:
        '{count} contacts n’ont pas encore reçu de message et seront ignorés. Ce qui est envoyé le reste. Cette action est définitive.',
    },
    cancelScheduled: 'Elle ne démarrera pas au moment prévu. Cette action est définitive.',
    retryText: {
      one: '{count} message retourne dans la file.',
      other: '{count} messages retournent dans la file.',
    },
    retryPolicy: 'Qui a reçu assez de marketing aujourd’hui est réessayé après 24 heures.',
    retryUnknown: 'Ces messages sont peut-être déjà arrivés : certains les recevront deux fois.',
    retryKept: {
      one: '{count} message est peut-être arrivé et n’est pas renvoyé.',
      other: '{count} messages sont peut-être arrivés et ne sont pas renvoyés.',
    },
    deleteText: 'La campagne disparaît avec ses messages et son rapport. Cette action est définitive.',
    started: 'La campagne a démarré.',
    scheduled: 'La campagne démarrera le {time}.',
    paused: 'La campagne est en pause.',
    resumed: 'La campagne continue.',
    cancelled: 'La campagne est annulée.',
    retried: 'Les messages en échec sont renvoyés.',
    deleted: 'La campagne est supprimée.',
    forbidden: 'Votre rôle ne le permet pas.',
  },
)
