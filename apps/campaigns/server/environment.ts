import { resolve } from 'node:path'
import { EMAIL_EXPECTED, parseEmail } from './phone.ts'
import { received } from './validation.ts'

export interface Environment {
  readonly port: number
  readonly host: string
  /** As DATABASE_URL; a SQLite file unless said. */
  readonly databaseUrl: string
  readonly replicaUrl: string | undefined
  readonly pool: { readonly size: number; readonly overflow: number; readonly recycle: number }
  /** Uploads, media, mail that no server takes, the secret. Shared by all processes of the application. */
  readonly dataDir: string
  /** What all keys are derived from; made and kept in the data directory unless said. */
  readonly secret: string | undefined
  readonly sampleData: boolean
  /** Whether this process does the jobs, too. */
  readonly worker: boolean
  /** `auto`: where no account is configured. */
  readonly simulator: 'auto' | 'on' | 'off'
  readonly trustProxy: boolean
  readonly compressionLevel: number
  readonly smtpUrl: string | undefined
  readonly publicUrl: string | undefined
  readonly tickToken: string | undefined
  readonly elasticsearchUrl: string | undefined
  readonly admin: { readonly email: string; readonly password: string | undefined }
  readonly logLevel: string
  /** Begins with the pages of the installation, unless it is finished. */
  readonly setup: boolean
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/** A variable with a value nobody can act on: the message names it, what was expected and what came. */
export class BadVariable extends Error {
  constructor(name: string, expected: string, came: string) {
    super(`${name}: expected ${expected}, received ${came}`)
    this.name = 'BadVariable'
  }
}

/** Its text is in no message. */
function readSecretText(value: string | undefined): string | undefined {
  if (value === undefined || value.length >= 32) return value
  throw new BadVariable('APP_SECRET', 'a text of at least 32 characters', `one of ${value.length}`)
}

const SWITCHES: Readonly<Record<string, boolean>> = { 1: true, true: true, 0: false, false: false }

type Variables = Readonly<Record<string, string | undefined>>

/** Empty counts as not set. */
function readerOf(variables: Variables) {
  const text = (name: string): string | undefined => {
    const value = variables[name]?.trim()
    return value === '' ? undefined : value
  }
  const read = <T>(name: string, fallback: T, expected: string, parse: (value: string) => T | undefined): T => {
    const value = text(name)
    if (value === undefined) return fallback
    const parsed = parse(value)
    if (parsed === undefined) throw new BadVariable(name, expected, received(value))
    return parsed
  }
  return {
    text,
    read,
    whole: (name: string, fallback: number, min: number, max: number): number =>
      read(name, fallback, `a whole number from ${min} to ${max}`, value =>
        /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined,
      ),
    flag: (name: string, fallback: boolean): boolean =>
      read<boolean>(name, fallback, 'true or false', value =>
        value === 'true' ? true : value === 'false' ? false : undefined,
      ),
    url: (name: string, protocols: readonly string[]): string | undefined =>
      read<string | undefined>(name, undefined, `an address that begins with ${protocols.join(' or ')}//`, value =>
        URL.canParse(value) && protocols.includes(new URL(value).protocol) ? value : undefined,
      ),
  }
}

/** Reads the variables of the application; those of the cache are read by the cache, those of DATABASE_URL by the database. */
export function readEnvironment(variables: Variables): Environment {
  const { text, read, whole, flag, url } = readerOf(variables)
  const databasePath = resolve(
    read('DATABASE_PATH', './data/campaigns.sqlite', 'the path of a SQLite file', value =>
      value.endsWith('/') || value === ':memory:' ? undefined : value,
    ),
  )
  return {
    port: read('PORT', 3000, 'a port from 0 to 65535, where 0 takes any free one', value =>
      /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : undefined,
    ),
    host: read('HOST', '127.0.0.1', 'a host name or an address without a port', value =>
      /^[\w.:-]+$/.test(value) ? value : undefined,
    ),
    databaseUrl: text('DATABASE_URL') ?? `sqlite:${databasePath}`,
    replicaUrl: text('DATABASE_REPLICA_URL'),
    pool: {
      size: whole('DATABASE_POOL_SIZE', 10, 1, 1000),
      overflow: whole('DATABASE_POOL_OVERFLOW', 20, 0, 1000),
      recycle: whole('DATABASE_POOL_RECYCLE', 3600, 1, 86_400) * 1000,
    },
    dataDir: resolve(text('DATA_DIR') ?? './data'),
    secret: readSecretText(text('APP_SECRET')),
    sampleData: flag('SAMPLE_DATA', true),
    worker: flag('WORKER', true),
    simulator: read<Environment['simulator']>('SIMULATOR', 'auto', 'auto, on or off', value =>
      value === 'auto' || value === 'on' || value === 'off' ? value : undefined,
    ),
    trustProxy: flag('TRUST_PROXY', false),
    compressionLevel: whole('COMPRESSION_LEVEL', 6, 0, 9),
    smtpUrl: url('SMTP_URL', ['smtp:', 'smtps:']),
    publicUrl: url('PUBLIC_URL', ['http:', 'https:']),
    tickToken: text('TICK_TOKEN'),
    elasticsearchUrl: url('ELASTICSEARCH_URL', ['http:', 'https:']),
    admin: {
      email: read('ADMIN_EMAIL', 'admin@example.org', EMAIL_EXPECTED, parseEmail),
      password: text('ADMIN_PASSWORD'),
    },
    logLevel: read('LOG_LEVEL', 'warn', `one of ${LOG_LEVELS.join(', ')}`, value =>
      LOG_LEVELS.includes(value) ? value : undefined,
    ),
    setup: read<boolean>('PALIER_SETUP', false, '1, 0, true or false', value => SWITCHES[value]),
  }
}
