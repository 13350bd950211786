import type { FieldValues, LoadedStep, SavedStep, WizardStep } from '@palier/console'
import { withValues } from 'palier/setup'
import { openDatabase } from '../database/open.ts'
import { readDatabaseUrl, UnusableDatabase } from '../database/url.ts'
import { readEnvironment } from '../environment.ts'
import { changeSettings, readSettings, withSettings } from './settings-file.ts'

type Variables = Readonly<Record<string, string | undefined>>

const isSaid = (variables: Variables, name: string): boolean => (variables[name] ?? '').trim() !== ''

/** What is wrong, in French, by the code that the driver gives; its English words are the application's own. */
const FRENCH: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'rien n’écoute à cette adresse',
  ENOTFOUND: 'aucun hôte ne porte ce nom',
  EAI_AGAIN: 'le nom de l’hôte ne peut pas être résolu',
  ETIMEDOUT: 'pas de réponse à temps',
  EHOSTUNREACH: 'l’hôte est inaccessible',
  '28P01': 'cet utilisateur et ce mot de passe sont refusés',
  '28000': 'cet utilisateur est refusé',
  ER_ACCESS_DENIED_ERROR: 'cet utilisateur et ce mot de passe sont refusés',
  ER_DBACCESS_DENIED_ERROR: 'cet utilisateur n’a pas accès à cette base',
  '3D000': 'aucune base ne porte ce nom',
  ER_BAD_DB_ERROR: 'aucune base ne porte ce nom',
  SQLITE_CANTOPEN: 'le fichier ne peut être ni ouvert ni créé',
  SQLITE_NOTADB: 'ce fichier n’est pas une base SQLite',
  SQLITE_READONLY: 'le fichier est en lecture seule',
}

function problemOf(field: string, error: UnusableDatabase): SavedStep {
  const { code } = (error.cause ?? {}) as { readonly code?: string }
  const reason = code === undefined ? undefined : FRENCH[code]
  const fr = reason === undefined ? 'la base ne peut pas être utilisée' : `${reason} (${code})`
  return { ok: false, problems: [{ field, text: { en: error.message.replace(/^DATABASE_URL: e/, 'E'), fr } }] }
}

/** The address with the password that was typed beside it. */
function addressOf({ url = '', password = '' }: FieldValues): string {
  if (password === '') return url
  const [, scheme = '', user = '', rest = ''] = /^([a-z]+:\/\/)([^@/]*)@(.*)$/is.exec(url) ?? []
  if (rest === '') return url
  return `${scheme}${user.split(':', 1)[0] ?? ''}:${encodeURIComponent(password)}@${rest}`
}

/** The database that is named now, if somebody has named one. */
export function namedDatabase(real: Variables): string | undefined {
  const variables = withSettings(real, readSettings(real))
  const isNamed = isSaid(variables, 'DATABASE_URL') || isSaid(variables, 'DATABASE_PATH')
  return isNamed ? readEnvironment(variables).databaseUrl : undefined
}

const FIELDS: WizardStep['fields'] = [
  {
    name: 'engine',
    kind: 'choice',
    label: { en: 'Kind', fr: 'Type' },
    choices: [
      {
        value: 'sqlite',
        label: { en: 'SQLite: one file, nothing to install', fr: 'SQLite\u00a0: un fichier, rien à installer' },
      },
      { value: 'postgres', label: { en: 'PostgreSQL', fr: 'PostgreSQL' } },
      { value: 'mysql', label: { en: 'MySQL or MariaDB', fr: 'MySQL ou MariaDB' } },
    ],
  },
  {
    name: 'path',
    kind: 'text',
    code: true,
    label: { en: 'File of a SQLite database', fr: 'Fichier d’une base SQLite' },
    hint: {
      en: 'Only for SQLite. On a local disk, outside what the web server shows.',
      fr: 'Seulement pour SQLite. Sur un disque local, hors de ce que montre le serveur web.',
    },
  },
  {
    name: 'url',
    kind: 'text',
    code: true,
    label: { en: 'Address of a server', fr: 'Adresse d’un serveur' },
    hint: {
      en: 'For PostgreSQL and MySQL: postgres://user@host:5432/name or mysql://user@host:3306/name',
      fr: 'Pour PostgreSQL et MySQL\u00a0: postgres://utilisateur@hôte:5432/nom ou mysql://utilisateur@hôte:3306/nom',
    },
  },
  {
    name: 'password',
    kind: 'password',
    autocomplete: 'off',
    label: { en: 'Password of the server', fr: 'Mot de passe du serveur' },
    hint: { en: 'Written to a file of this account alone.', fr: 'Écrit dans un fichier de ce seul compte.' },
  },
]

/** Asks which database, tries it for real, brings its tables up to date, and writes it to the settings. */
export function databaseStep(real: Variables, usualPath: string): WizardStep {
  const isFixed = isSaid(real, 'DATABASE_URL') || isSaid(real, 'DATABASE_PATH')

  const load = (): Promise<LoadedStep> => {
    const named = namedDatabase(real)
    const target = named === undefined ? undefined : readDatabaseUrl(named)
    const values = {
      engine: target?.engine ?? 'sqlite',
      path: target?.engine === 'sqlite' ? target.path : usualPath,
      url: target === undefined || target.engine === 'sqlite' ? '' : withoutPassword(target.url),
    }
    if (target === undefined) return Promise.resolve({ values, done: false })
    const from = isFixed
      ? { en: ' (named by the environment)', fr: ' (nommée par l’environnement)' }
      : { en: '', fr: '' }
    return Promise.resolve({
      values,
      done: true,
      summary: { en: target.location + from.en, fr: target.location + from.fr },
    })
  }

  const tryOut = async (address: string, field: string): Promise<SavedStep> => {
    try {
      const database = await openDatabase({ url: address, pool: { size: 1, overflow: 1 } })
      await database.close()
      return { ok: true }
    } catch (error) {
      if (error instanceof UnusableDatabase) return problemOf(field, error)
      throw error
    }
  }

  return {
    id: 'database',
    title: { en: 'Database', fr: 'Base de données' },
    lead: {
      en: 'Where contacts, campaigns and messages live. It is opened for real, and its tables are made or brought up to date.',
      fr: 'Où vivent contacts, campagnes et messages. Elle est réellement ouverte, et ses tables sont créées ou mises à jour.',
    },
    action: { en: 'Try it and use it', fr: 'L’essayer et l’utiliser' },
    fields: FIELDS,
    load,
    async save(values) {
      if (isFixed) return tryOut(namedDatabase(real) ?? '', 'url')
      const isFile = values['engine'] === 'sqlite'
      const field = isFile ? 'path' : 'url'
      const address = isFile ? `sqlite:${values['path'] ?? ''}` : addressOf(values)
      const tried = await tryOut(address, field)
      if (!tried.ok) return tried
      const named = isFile ? `sqlite:${readDatabaseUrl(address).location}` : address
      changeSettings(real, text => withValues(text, { DATABASE_URL: named, DATABASE_PATH: undefined }))
      return { ok: true }
    },
  }
}

function withoutPassword(url: URL): string {
  const shown = new URL(url)
  shown.password = ''
  return shown.href
}
