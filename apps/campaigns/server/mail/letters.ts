import type { Letter } from './mailer.ts'

/** The mails the application writes by itself, in the language of who gets them. */
interface Reader {
  readonly email: string
  readonly name: string
  readonly locale: string
}

type Words = readonly [subject: string, ...lines: string[]]

function letter({ email, locale }: Reader, english: Words, french: Words): Letter {
  const [subject, ...lines] = locale.startsWith('fr') ? french : english
  return { to: email, subject, body: `${lines.join('\n\n')}\n` }
}

export function resetLetter(reader: Reader, link: string): Letter {
  return letter(
    reader,
    [
      'Your new password',
      `Hello ${reader.name},`,
      `somebody asked for a new password for ${reader.email}. If that was you, open this address within an hour; it works once:`,
      link,
      'If it was not you, there is nothing to do: your password is unchanged.',
    ],
    [
      'Votre nouveau mot de passe',
      `Bonjour ${reader.name},`,
      `quelqu'un a demandé un nouveau mot de passe pour ${reader.email}. Si c'était vous, ouvrez cette adresse dans l'heure ; elle sert une fois :`,
      link,
      "Si ce n'était pas vous, il n'y a rien à faire : votre mot de passe est inchangé.",
    ],
  )
}

export function passwordChangedLetter(reader: Reader): Letter {
  return letter(
    reader,
    [
      'Your password was changed',
      `Hello ${reader.name},`,
      `the password of ${reader.email} was changed. If it was not you, ask an administrator for help at once.`,
    ],
    [
      'Votre mot de passe a été changé',
      `Bonjour ${reader.name},`,
      `le mot de passe de ${reader.email} a été changé. Si ce n'était pas vous, prévenez tout de suite un administrateur.`,
    ],
  )
}

export function testLetter(reader: Reader): Letter {
  return letter(
    reader,
    ['Mail works', `Hello ${reader.name},`, 'this mail was sent to try out the settings. It arrived.'],
    [
      'Le courrier fonctionne',
      `Bonjour ${reader.name},`,
      'ce message a été envoyé pour essayer les réglages. Il est arrivé.',
    ],
  )
}
