const WORDS = {
  en: {
    skip: 'Skip to the numbers',
    language: 'Language',
    title: 'Dashboard',
    refresh: 'Read again',
    servedLabel: 'How this was served',
    numbersLabel: 'Key numbers',
    answer: 'Answer',
    serverTime: 'Server time',
    age: 'Age of the numbers',
    cost: 'Computing them took',
    backend: 'Cache',
    logout: 'Log out',
    loginTitle: 'Log in',
    login: 'Log in',
    loginEmail: 'E-mail',
    password: 'Password',
    loginRefused: 'This address and password do not belong together.',
    loginLater: 'Too many tries. Wait a while, then try again.',
    perDay: 'Messages per day, last 30 days',
    byStatus: 'Messages by status, last 30 days',
    byCategory: 'Contacts by category, ten largest',
    campaigns: 'Campaigns and their read rate',
    problems: 'Failures and silence, last 30 days',
    addTitle: 'Add a contact',
    addHint: 'The numbers above follow at once: the write deletes what it touched from the cache.',
    name: 'Name',
    phone: 'Phone',
    email: 'E-mail (optional)',
    categories: 'Categories',
    add: 'Add the contact',
    added: name => `${name} was added, and the numbers were read again.`,
    latest: 'Latest contacts',
    footer: 'Exact after every write, and still quick.',
    contacts: 'Contacts',
    newContacts: 'New contacts',
    newShare: share => `${share} of all contacts`,
    inThirtyDays: 'in 30 days',
    messages: 'Messages',
    read: 'Read rate',
    readOf: (read, sent) => `${read} of ${sent} sent by campaigns`,
    running: 'Running campaigns',
    ofCampaigns: count => `of ${count} in all`,
    median: 'Median time to be read',
    fromSent: 'from sending',
    period: (from, to) => `${from} to ${to}, whole days in UTC`,
    noContacts: 'There are no contacts yet.',
    noCategories: 'There are no categories yet.',
    noMessages: 'No messages in this period.',
    noCampaigns: 'There are no campaigns yet.',
    noProblems: 'Nothing failed in this period.',
    noCategory: 'No category',
    peak: count => `highest day ${count}`,
    unreachable: 'The server cannot be reached. What is shown may be out of date.',
    refused: 'The server answered with an error: ',
    justNow: 'just now',
    code: code => `Error ${code}`,
    silent: 'Silent for 24 h',
    status: {
      queued: 'Queued',
      sending: 'Sending',
      accepted: 'Accepted',
      sent: 'Sent',
      delivered: 'Delivered',
      read: 'Read',
      failed: 'Failed',
      skipped: 'Skipped',
      no_interaction: 'No interaction',
      received: 'Received',
    },
    campaignStatus: {
      draft: 'Draft',
      scheduled: 'Scheduled',
      running: 'Running',
      paused: 'Paused',
      completed: 'Completed',
      cancelled: 'Cancelled',
      failed: 'Failed',
    },
    fields: {
      name: 'Enter a name of 1 to 120 characters.',
      phone: 'Enter a phone number with its country code, such as +33 6 12 34 56 78.',
      email: 'Enter a valid e-mail address, or none.',
    },
    taken: 'Another contact already has this phone number.',
  },
  fr: {
    skip: 'Aller aux chiffres',
    language: 'Langue',
    title: 'Tableau de bord',
    refresh: 'Relire',
    servedLabel: 'Comment la réponse a été servie',
    numbersLabel: 'Chiffres clés',
    answer: 'Réponse',
    serverTime: 'Temps serveur',
    age: 'Âge des chiffres',
    cost: 'Leur calcul a pris',
    backend: 'Cache',
    logout: 'Se déconnecter',
    loginTitle: 'Connexion',
    login: 'Se connecter',
    loginEmail: 'E-mail',
    password: 'Mot de passe',
    loginRefused: 'Cette adresse et ce mot de passe ne vont pas ensemble.',
    loginLater: 'Trop d’essais. Attendez un moment, puis réessayez.',
    perDay: 'Messages par jour, 30 derniers jours',
    byStatus: 'Messages par statut, 30 derniers jours',
    byCategory: 'Contacts par catégorie, les dix plus grandes',
    campaigns: 'Campagnes et taux de lecture',
    problems: 'Échecs et silences, 30 derniers jours',
    addTitle: 'Ajouter un contact',
    addHint: 'Les chiffres ci-dessus suivent aussitôt : l’écriture retire du cache ce qu’elle a touché.',
    name: 'Nom',
    phone: 'Téléphone',
    email: 'E-mail (facultatif)',
    categories: 'Catégories',
    add: 'Ajouter le contact',
    added: name => `${name} a été ajouté et les chiffres ont été relus.`,
    latest: 'Derniers contacts',
    footer: 'Exact après chaque écriture, et toujours rapide.',
    contacts: 'Contacts',
    newContacts: 'Nouveaux contacts',
    newShare: share => `${share} des contacts`,
    inThirtyDays: 'en 30 jours',
    messages: 'Messages',
    read: 'Taux de lecture',
    readOf: (read, sent) => `${read} sur ${sent} envoyés par campagne`,
    running: 'Campagnes en cours',
    ofCampaigns: count => `sur ${count} au total`,
    median: 'Délai médian de lecture',
    fromSent: 'depuis l’envoi',
    period: (from, to) => `du ${from} au ${to}, jours entiers en UTC`,
    noContacts: 'Aucun contact pour l’instant.',
    noCategories: 'Aucune catégorie pour l’instant.',
    noMessages: 'Aucun message sur la période.',
    noCampaigns: 'Aucune campagne pour l’instant.',
    noProblems: 'Aucun échec sur la période.',
    noCategory: 'Sans catégorie',
    peak: count => `jour le plus haut ${count}`,
    unreachable: 'Le serveur est injoignable. Les chiffres affichés peuvent être dépassés.',
    refused: 'Le serveur a répondu par une erreur : ',
    justNow: 'à l’instant',
    code: code => `Erreur ${code}`,
    silent: 'Silence de 24 h',
    status: {
      queued: 'En file',
      sending: 'En envoi',
      accepted: 'Accepté',
      sent: 'Envoyé',
      delivered: 'Remis',
      read: 'Lu',
      failed: 'Échoué',
      skipped: 'Ignoré',
      no_interaction: 'Sans interaction',
      received: 'Reçu',
    },
    campaignStatus: {
      draft: 'Brouillon',
      scheduled: 'Planifiée',
      running: 'En cours',
      paused: 'En pause',
      completed: 'Terminée',
      cancelled: 'Annulée',
      failed: 'Échouée',
    },
    fields: {
      name: 'Saisissez un nom de 1 à 120 caractères.',
      phone: 'Saisissez un numéro avec son indicatif, par exemple +33 6 12 34 56 78.',
      email: 'Saisissez une adresse valide, ou aucune.',
    },
    taken: 'Un autre contact a déjà ce numéro.',
  },
}

const KEPT = 'campaigns.language'

export function preferredLanguage() {
  let kept = null
  try {
    kept = localStorage.getItem(KEPT)
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  return kept === 'en' || kept === 'fr' ? kept : navigator.language.toLowerCase().startsWith('fr') ? 'fr' : 'en'
}

export function keepLanguage(language) {
  try {
    localStorage.setItem(KEPT, language)
  } catch {
    // As above.
  }
}

/** Words and number formats of one language. */
export function speak(language) {
  const whole = new Intl.NumberFormat(language)
  const short = new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 })
  const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 })
  const tenths = new Intl.NumberFormat(language, { maximumFractionDigits: 1 })
  const date = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', timeZone: 'UTC' })
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const unit = (value, name) =>
    new Intl.NumberFormat(language, { style: 'unit', unit: name, maximumFractionDigits: value < 10 ? 1 : 0 }).format(
      value,
    )
  return {
    words: WORDS[language],
    whole: n => whole.format(n),
    short: n => short.format(n),
    percent: n => percent.format(n),
    tenths: n => tenths.format(n),
    day: time => date.format(new Date(time)),
    duration(ms) {
      if (ms < 1000) return unit(ms, 'millisecond')
      if (ms < 60_000) return unit(ms / 1000, 'second')
      return ms < 3_600_000 ? unit(ms / 60_000, 'minute') : unit(ms / 3_600_000, 'hour')
    },
    ago(time) {
      const seconds = Math.round((time - Date.now()) / 1000)
      if (seconds > -10) return WORDS[language].justNow
      if (seconds > -90) return relative.format(seconds, 'second')
      if (seconds > -5400) return relative.format(Math.round(seconds / 60), 'minute')
      return seconds > -129_600
        ? relative.format(Math.round(seconds / 3600), 'hour')
        : relative.format(Math.round(seconds / 86_400), 'day')
    },
  }
}
