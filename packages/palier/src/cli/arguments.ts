import { parseArgs } from 'node:util'

export const COMMANDS = ['init', 'doctor', 'stats', 'clear', 'gc'] as const
export type CommandName = (typeof COMMANDS)[number]

/** What was typed, checked. */
export interface Arguments {
  /** Undefined: only help or the version was asked for, or nothing at all. */
  readonly command: CommandName | undefined
  readonly help: boolean
  readonly version: boolean
  readonly json: boolean
  readonly yes: boolean
  readonly namespace?: string
  readonly backend?: string
  readonly dir?: string
  readonly redisUrl?: string
  readonly type?: string
  readonly tag?: string
  readonly pattern?: string
  readonly maxBytes?: number
  readonly maxFiles?: number
  /** Only of `init`. */
  readonly lang?: 'en' | 'fr'
  readonly file?: string
  readonly dryRun: boolean
  readonly reopen: boolean
}

/** The command line is wrong: exit code 2. The message names what is wrong, and never shows a URL whole. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
  namespace: { type: 'string' },
  backend: { type: 'string' },
  dir: { type: 'string' },
  'redis-url': { type: 'string' },
  type: { type: 'string' },
  tag: { type: 'string' },
  pattern: { type: 'string' },
  'max-bytes': { type: 'string' },
  'max-files': { type: 'string' },
  lang: { type: 'string' },
  file: { type: 'string' },
  'dry-run': { type: 'boolean' },
  reopen: { type: 'boolean' },
} as const

type OptionName = keyof typeof OPTIONS

const EVERYWHERE: readonly OptionName[] = ['help', 'version', 'json', 'namespace', 'backend', 'dir', 'redis-url']
const OWN: Readonly<Record<CommandName, readonly OptionName[]>> = {
  init: ['yes', 'lang', 'file', 'dry-run', 'reopen'],
  doctor: [],
  stats: ['max-bytes', 'max-files'],
  clear: ['yes', 'type', 'tag', 'pattern'],
  gc: ['max-bytes', 'max-files'],
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

function bytesOf(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim())
  const bytes = Math.round(Number(match?.[1]) * (UNITS[(match?.[2] ?? '').toLowerCase()] ?? Number.NaN))
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw new UsageError(`--${option}: expected a size such as 512MiB or 1g, received '${text}'`)
}

function countOf(option: string, text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new UsageError(`--${option}: expected a whole number above 0, received '${text}'`)
}

function languageOf(text: string): 'en' | 'fr' {
  if (text === 'en' || text === 'fr') return text
  throw new UsageError(`--lang: expected en or fr, received '${text}'`)
}

function isCommand(word: string): word is CommandName {
  return COMMANDS.some(name => name === word)
}

function commandOf(words: readonly string[]): CommandName | undefined {
  const [word, extra] = words
  if (word === undefined) return undefined
  if (!isCommand(word)) throw new UsageError(`unknown command '${word}': expected ${COMMANDS.join(', ')}`)
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}' after ${word}`)
  return word
}

interface Given {
  readonly values: Readonly<Partial<Record<OptionName, string | boolean>>>
  readonly words: readonly string[]
}

/** Every option at most once: of two values one would be passed over in silence. */
function split(argv: readonly string[]): Given {
  const { tokens } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values: Partial<Record<OptionName, string | boolean>> = {}
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const name = token.name as OptionName
    if (!Object.hasOwn(OPTIONS, name)) throw new UsageError(`unknown option '${token.rawName}'`)
    if (values[name] !== undefined) throw new UsageError(`option '${token.rawName}' is given twice`)
    const takesValue = OPTIONS[name].type === 'string'
    if (!takesValue && token.value !== undefined) throw new UsageError(`option '${token.rawName}' takes no value`)
    if (takesValue && !token.inlineValue && token.value?.startsWith('-')) {
      throw new UsageError(
        `option '${token.rawName}' needs a value; one that begins with '-' is written ${token.rawName}=VALUE`,
      )
    }
    if (takesValue && !token.value) throw new UsageError(`option '${token.rawName}' needs a value`)
    values[name] = token.value ?? true
  }
  return { values, words }
}

/** Throws UsageError. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, words } = split(argv)
  const command = commandOf(words)
  for (const name of Object.keys(values) as OptionName[]) {
    const allowed = command === undefined ? EVERYWHERE : [...EVERYWHERE, ...OWN[command]]
    if (!allowed.includes(name))
      throw new UsageError(`option '--${name}' does not belong to ${command ?? 'palier alone'}`)
  }
  if (command === 'init' && values.namespace !== undefined) {
    throw new UsageError("option '--namespace' does not belong to init")
  }
  const targets = (['type', 'tag', 'pattern'] as const).filter(name => values[name] !== undefined)
  if (targets.length > 1) throw new UsageError(`--${targets.join(' and --')} exclude each other`)
  const texts = ['namespace', 'backend', 'dir', 'type', 'tag', 'pattern', 'file'] as const
  const given = Object.fromEntries(texts.filter(name => values[name] !== undefined).map(name => [name, values[name]]))
  const url = values['redis-url']
  const maxBytes = values['max-bytes']
  const maxFiles = values['max-files']
  const { lang } = values
  return {
    command,
    help: values.help === true,
    version: values.version === true,
    json: values.json === true,
    yes: values.yes === true,
    dryRun: values['dry-run'] === true,
    reopen: values.reopen === true,
    ...given,
    ...(typeof lang === 'string' && { lang: languageOf(lang) }),
    ...(typeof url === 'string' && { redisUrl: url }),
    ...(typeof maxBytes === 'string' && { maxBytes: bytesOf('max-bytes', maxBytes) }),
    ...(typeof maxFiles === 'string' && { maxFiles: countOf('max-files', maxFiles) }),
  }
}
