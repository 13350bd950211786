import { resolve } from 'node:path'
import { received } from './validation.ts'

export interface Environment {
  readonly port: number
  readonly host: string
  readonly databasePath: string
  readonly sampleData: boolean
  readonly logLevel: string
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/** A variable with a value nobody can act on: the message names it, what was expected and what came. */
export class BadVariable extends Error {
  constructor(name: string, expected: string, value: string) {
    super(`${name}: expected ${expected}, received ${received(value)}`)
    this.name = 'BadVariable'
  }
}

/** Reads the variables of the server; those of the cache are read by the cache. Empty counts as not set. */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  const read = <T>(name: string, fallback: T, expected: string, parse: (text: string) => T | undefined): T => {
    const text = variables[name]?.trim()
    if (text === undefined || text === '') return fallback
    const value = parse(text)
    if (value === undefined) throw new BadVariable(name, expected, text)
    return value
  }
  return {
    port: read('PORT', 3000, 'a port from 0 to 65535, where 0 takes any free one', text =>
      /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined,
    ),
    host: read('HOST', '127.0.0.1', 'a host name or an address without a port', text =>
      /^[\w.:-]+$/.test(text) ? text : undefined,
    ),
    databasePath: resolve(
      read('DATABASE_PATH', './data/campaigns.sqlite', 'the path of a SQLite file', text =>
        text.endsWith('/') || text === ':memory:' ? undefined : text,
      ),
    ),
    sampleData: read<boolean>('SAMPLE_DATA', true, 'true or false', text =>
      text === 'true' ? true : text === 'false' ? false : undefined,
    ),
    logLevel: read('LOG_LEVEL', 'warn', `one of ${LOG_LEVELS.join(', ')}`, text =>
      LOG_LEVELS.includes(text) ? text : undefined,
    ),
  }
}
