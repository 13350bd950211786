import { defineWords, useWords } from '@palier/design'

/** What an error of WhatsApp means, for people; the number of the error stands beside it. */
const errorWords = defineWords(
  {
    token: 'WhatsApp does not accept the access token of the account.',
    throttled: 'Messages were sent faster than WhatsApp lets through.',
    window: 'More than 24 hours have passed since the contact last wrote.',
    recipient: 'The message cannot be delivered to this recipient.',
    policy: 'WhatsApp kept the message back to protect the recipient.',
    opt_out: 'The contact wants no marketing messages.',
    template: 'WhatsApp does not accept the template as it stands.',
    parameter: 'A part of the message is not valid.',
    transient: 'WhatsApp could not be reached, or had a fault of its own.',
    account: 'The WhatsApp account is restricted.',
    unknown: 'The answer was lost: the message may have been sent.',
    other: 'WhatsApp gave no reason that is known.',
    130429: 'The number sent more than it may.',
    130472: 'WhatsApp kept the message back for an experiment.',
    131021: 'The recipient is the sending number itself.',
    131026: 'The message cannot be delivered to this number.',
    131030: 'The recipient is not on the list of the test number.',
    131048: 'Too many recipients have blocked or reported the number.',
    131049: 'The contact has had as much marketing as WhatsApp lets through for now.',
    131056: 'Too many messages to the same person in a short time.',
    132000: 'The number of parameters is not the one of the template.',
    132001: 'The template does not exist in this language.',
    132015: 'The template is paused for its low quality.',
    132016: 'The template was disabled for its low quality.',
  },
  {
    token: 'WhatsApp refuse le jeton d’accès du compte.',
    throttled: 'Les messages sont partis plus vite que WhatsApp ne l’autorise.',
    window: 'Plus de 24 heures se sont écoulées depuis le dernier message du contact.',
    recipient: 'Le message ne peut pas être remis à ce destinataire.',
    policy: 'WhatsApp a retenu le message pour protéger le destinataire.',
    opt_out: 'Le contact ne veut pas de messages commerciaux.',
    template: 'WhatsApp refuse le modèle tel qu’il est.',
    parameter: 'Une partie du message n’est pas valide.',
    transient: 'WhatsApp était injoignable ou en panne.',
    account: 'Le compte WhatsApp est restreint.',
    unknown: 'La réponse s’est perdue : le message est peut-être parti.',
    other: 'WhatsApp n’a donné aucune raison connue.',
    130429: 'Le numéro a envoyé plus qu’il ne peut.',
    130472: 'WhatsApp a retenu le message pour une expérience.',
    131021: 'Le destinataire est le numéro d’envoi lui-même.',
    131026: 'Le message ne peut pas être remis à ce numéro.',
    131030: 'Le destinataire ne figure pas sur la liste du numéro de test.',
    131048: 'Trop de destinataires ont bloqué ou signalé le numéro.',
    131049: 'Le contact a reçu tout le marketing que WhatsApp laisse passer pour l’instant.',
    131056: 'Trop de messages à la même personne en peu de temps.',
    132000: 'Le nombre de paramètres n’est pas celui du modèle.',
    132001: 'Le modèle n’existe pas dans cette langue.',
    132015: 'Le modèle est en pause à cause de sa faible qualité.',
    132016: 'Le modèle a été désactivé à cause de sa faible qualité.',
  },
)

type ErrorKey = keyof (typeof errorWords)['en']

const isKnown = (key: string): key is ErrorKey => Object.hasOwn(errorWords.en, key)

/** The most exact text there is: of the code, of its class, or that nothing is known. */
export function errorKeyOf(errorClass: string | null, code: number | null): ErrorKey {
  if (code !== null && isKnown(String(code))) return String(code) as ErrorKey
  return errorClass !== null && isKnown(errorClass) ? errorClass : 'other'
}

export function useMeaning(): (errorClass: string | null, code: number | null) => string {
  const t = useWords(errorWords)
  return (errorClass, code) => t(errorKeyOf(errorClass, code))
}

/** Why somebody was not written to. */
export const skipWords = defineWords(
  {
    opted_out: 'They have opted out.',
    no_opt_in: 'They have not agreed to marketing.',
    no_identifier: 'They have neither a phone number nor a WhatsApp id.',
    no_parameters: 'A placeholder has no text for them.',
    window_closed: 'The 24 hours for a free message were over.',
    contact_deleted: 'The contact was deleted.',
    cancelled: 'The campaign was cancelled before their turn.',
    other: 'For another reason.',
  },
  {
    opted_out: 'Ces contacts se sont désinscrits.',
    no_opt_in: 'Ces contacts n’ont pas accepté le marketing.',
    no_identifier: 'Ni numéro de téléphone ni identifiant WhatsApp.',
    no_parameters: 'Un champ du modèle n’a pas de texte pour eux.',
    window_closed: 'Les 24 heures du message libre étaient passées.',
    contact_deleted: 'Le contact a été supprimé.',
    cancelled: 'La campagne a été annulée avant leur tour.',
    other: 'Pour une autre raison.',
  },
)

type SkipKey = keyof (typeof skipWords)['en']

export const skipKeyOf = (reason: string | null): SkipKey =>
  reason !== null && Object.hasOwn(skipWords.en, reason) ? (reason as SkipKey) : 'other'
