import type { LoadedStep, SavedStep, Text, WizardStep } from '@palier/console'
import { withValues } from 'palier/setup'
import { createFirstAdmin } from '../access/users.ts'
import { type Composition, compose } from '../compose.ts'
import { openDatabase } from '../database/open.ts'
import { readEnvironment } from '../environment.ts'
import { EMAIL_EXPECTED, parseEmail } from '../phone.ts'
import { Problem } from '../problem.ts'
import { addSample } from '../site.ts'
import { namedDatabase } from './database-step.ts'
import { changeSettings, readSettings, withSettings } from './settings-file.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** French for what the rules of passwords say. Their English is the application's own. */
const PASSWORD_FR: readonly (readonly [RegExp, string])[] = [
  [/most common/, 'un mot de passe qui n’est pas parmi les plus courants'],
  [/different ones/, 'un mot de passe d’au moins 5 caractères différents'],
  [/own name/, 'un mot de passe qui n’est pas le nom ou l’adresse de la personne'],
  [/./, 'un mot de passe de 12 à 200 caractères'],
]

const FIELDS: WizardStep['fields'] = [
  { name: 'email', kind: 'email', autocomplete: 'email', label: { en: 'E-mail', fr: 'Adresse électronique' } },
  { name: 'name', kind: 'text', autocomplete: 'name', label: { en: 'Name', fr: 'Nom' } },
  {
    name: 'password',
    kind: 'password',
    autocomplete: 'new-password',
    label: { en: 'Password', fr: 'Mot de passe' },
    hint: {
      en: '12 to 200 characters, not a common one, not your name. A sentence is fine.',
      fr: '12 à 200 caractères, ni courant, ni votre nom. Une phrase convient.',
    },
  },
  {
    name: 'again',
    kind: 'password',
    autocomplete: 'new-password',
    label: { en: 'Password again', fr: 'Mot de passe, encore' },
  },
  {
    name: 'locale',
    kind: 'choice',
    label: { en: 'Language', fr: 'Langue' },
    choices: [
      { value: 'en', label: { en: 'English', fr: 'Anglais' } },
      { value: 'fr', label: { en: 'French', fr: 'Français' } },
    ],
  },
  {
    name: 'data',
    kind: 'choice',
    label: { en: 'Begin with', fr: 'Commencer avec' },
    choices: [
      { value: 'empty', label: { en: 'Nothing: an empty application', fr: 'Rien\u00a0: une application vide' } },
      {
        value: 'sample',
        label: {
          en: 'Sample data: 2,000 contacts, 10,000 messages',
          fr: 'Des données d’exemple\u00a0: 2\u202f000 contacts, 10\u202f000 messages',
        },
      },
    ],
  },
]

const refused = (field: string, text: Text): SavedStep => ({ ok: false, problems: [{ field, text }] })

function passwordProblem(error: Problem): SavedStep {
  const fr = PASSWORD_FR.find(([pattern]) => pattern.test(error.message))?.[1] ?? ''
  return refused('password', {
    en: error.message.replace(/^password: e/, 'E').replace(/, received.*$/, ''),
    fr: `Attendu\u00a0: ${fr}`,
  })
}

/** Somebody who may do everything, and what the application begins with. */
export function adminStep(real: Variables): WizardStep {
  // By database: a second question would open it again for each page that is looked at.
  const found = new Map<string, string>()
  const looking = new Map<string, Promise<string | undefined>>()

  const withDatabase = async <T>(url: string, run: (services: Composition) => Promise<T>): Promise<T> => {
    const environment = readEnvironment(withSettings(real, readSettings(real)))
    // Nobody has chosen a cache yet, and none is needed here.
    const logger = { warn: () => undefined, info: () => undefined }
    const memory = { backend: 'memory' } as const
    const services = await compose({ ...environment, database: { url }, cache: { ...memory, logger }, state: memory })
    try {
      return await run(services)
    } finally {
      await services.close()
    }
  }

  const look = async (url: string): Promise<string | undefined> => {
    const database = await openDatabase({ url, pool: { size: 1, overflow: 1 } })
    try {
      const query = database.writer.selectFrom('users').select('email').where('role', '=', 'admin')
      const email = (await query.orderBy('id').limit(1).executeTakeFirst())?.email
      if (email !== undefined) found.set(url, email)
      return email
    } finally {
      await database.close()
    }
  }

  /** A page asks several times at once; the database is opened for all of them together. */
  const firstAdmin = (url: string): Promise<string | undefined> => {
    const known = found.get(url)
    if (known !== undefined) return Promise.resolve(known)
    const under = looking.get(url) ?? look(url).finally(() => looking.delete(url))
    looking.set(url, under)
    return under
  }

  const load = async (language: 'en' | 'fr'): Promise<LoadedStep> => {
    const url = namedDatabase(real)
    const values = { locale: language, data: 'empty', name: '', email: '' }
    if (url === undefined) {
      const blocked = { en: 'First choose the database.', fr: 'Choisissez d’abord la base de données.' }
      return { values, done: false, blocked }
    }
    const email = await firstAdmin(url)
    if (email === undefined) return { values, done: false }
    return { values: { ...values, email }, done: true, summary: { en: email, fr: email } }
  }

  return {
    id: 'administrator',
    title: { en: 'Administrator', fr: 'Administrateur' },
    lead: {
      en: 'The first person of the application. They may invite the others.',
      fr: 'La première personne de l’application. Elle pourra inviter les autres.',
    },
    action: { en: 'Create', fr: 'Créer' },
    fields: FIELDS,
    load,
    async save({ email = '', name = '', password = '', again = '', locale = 'en', data = 'empty' }) {
      const url = namedDatabase(real)
      if (url === undefined)
        return refused('email', { en: 'First choose the database.', fr: 'Choisissez d’abord la base de données.' })
      const address = parseEmail(email)
      if (address === undefined)
        return refused('email', { en: `Expected ${EMAIL_EXPECTED}.`, fr: 'Une adresse électronique est attendue.' })
      if (password !== again)
        return refused('again', { en: 'The two passwords differ.', fr: 'Les deux mots de passe diffèrent.' })
      const sample = data === 'sample'
      try {
        await withDatabase(url, async services => {
          await createFirstAdmin(services, {
            email: address,
            password,
            locale: locale === 'fr' ? 'fr' : 'en',
            ...(name !== '' && { name }),
          })
          if (sample) await addSample(services)
        })
      } catch (error) {
        if (error instanceof Problem) return passwordProblem(error)
        throw error
      }
      changeSettings(real, text => withValues(text, { SAMPLE_DATA: sample ? undefined : 'false' }))
      return { ok: true }
    },
  }
}
