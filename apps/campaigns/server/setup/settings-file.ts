import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'

/*
 * The file that an installation writes: lines of the environment, for the owner alone. What the real environment says
 * goes before it.
 */

type Variables = Readonly<Record<string, string | undefined>>

/** Where uploads, the secret and this file are; known before the file is, so it cannot be named in it. */
const dataDirectory = ({ DATA_DIR = '' }: Variables): string =>
  resolve(DATA_DIR.trim() === '' ? './data' : DATA_DIR.trim())

export const settingsFile = (variables: Variables): string => join(dataDirectory(variables), 'settings.env')

/** The lines of the file; none when it is not there. Throws when it cannot be read. */
export function readSettings(variables: Variables): Readonly<Record<string, string>> {
  const file = settingsFile(variables)
  return existsSync(file) ? (parseEnv(readFileSync(file, 'utf8')) as Readonly<Record<string, string>>) : {}
}

/** Variables with the lines of the file where they say nothing themselves. */
export function withSettings(real: Variables, lines: Readonly<Record<string, string>>): Variables {
  const said = Object.entries(real).filter(([, value]) => value !== undefined && value.trim() !== '')
  return { ...lines, ...Object.fromEntries(said) }
}

/** Makes this process see the settings of the file. Returns the environment as it was without them. */
export function loadSettings(): Variables {
  const real = { ...process.env }
  enforce(real, readSettings(real))
  return real
}

/** Makes this process see these lines, and none of an earlier file. */
export function enforce(real: Variables, lines: Readonly<Record<string, string>>): void {
  const wanted = withSettings(real, lines)
  for (const name of Object.keys(process.env)) if (wanted[name] === undefined) delete process.env[name]
  for (const [name, value] of Object.entries(wanted)) process.env[name] = value
}

/** Replaces the file by what `change` makes of its text. */
export function changeSettings(variables: Variables, change: (text: string) => string): void {
  const file = settingsFile(variables)
  const next = `${file}.${process.pid}.t`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(next, change(existsSync(file) ? readFileSync(file, 'utf8') : ''), { mode: 0o600 })
  // A file that was there before may have been open to others.
  chmodSync(next, 0o600)
  renameSync(next, file)
}
