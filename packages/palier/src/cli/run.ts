import { readFileSync } from 'node:fs'
import { PalierError } from '../errors.ts'
import { messageOf } from '../link.ts'
import { type Arguments, type CommandName, parseArguments, UsageError } from './arguments.ts'
import { type Place, placeOf } from './backend.ts'
import { clear } from './clear.ts'
import { doctor } from './doctor.ts'
import { gc } from './gc.ts'
import { helpText } from './help.ts'
import { init } from './init.ts'
import { type Hide, hider } from './secrets.ts'
import { stats } from './stats.ts'
import { type Paint, painter } from './text.ts'

/** The surroundings of a run: the process in `main.ts`, whatever a test likes elsewhere. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Standard output is a terminal. */
  readonly isTerminal: boolean
  out(text: string): void
  err(text: string): void
  /** Asks for a yes or no; undefined: nobody is there to answer. */
  confirm(question: string, signal?: AbortSignal): Promise<boolean | undefined>
  /** Asks for a text that is not shown while it is typed; undefined: nobody is there to answer. */
  secret?(question: string): Promise<string | undefined>
  /** Aborts when the user wants to leave: what was written is taken away first. */
  readonly signal: AbortSignal
}

export interface Job {
  readonly given: Arguments
  readonly place: Place
  readonly terminal: Terminal
  /** Prints for people at once, before the command is over; nothing with `--json`. */
  print(lines: (paint: Paint) => readonly string[]): void
}

/** What a command has to say. The report is what `--json` prints; its shape is in docs/cli.md. */
export interface Outcome {
  readonly exitCode: number
  readonly report: Readonly<Record<string, unknown>>
  /** The same for people. */
  lines(paint: Paint): readonly string[]
  /** What went wrong on the side: on standard error, and in the report as `warnings`. */
  readonly warnings?: readonly string[]
}

/** Raised when the shape of a report changes in a way that breaks a reader. */
const FORMAT = 1

const RUN: Readonly<Record<CommandName, (job: Job) => Promise<Outcome>>> = { init, doctor, stats, clear, gc }

const MISUSE: readonly string[] = ['PALIER_BAD_OPTION', 'PALIER_BAD_KEY', 'PALIER_PROTECTED']

const isMisuse = (error: unknown): error is Error =>
  error instanceof UsageError || (error instanceof PalierError && MISUSE.includes(error.code))

function versionText(): string {
  // The same relative place from src/cli and from dist/cli.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version?: unknown }).version)
}

function print(outcome: Outcome, job: Job, hide: Hide): void {
  const { terminal, given } = job
  const warnings = outcome.warnings ?? []
  for (const warning of warnings) terminal.err(`palier: ${hide(warning)}\n`)
  if (given.json) {
    const report = { format: FORMAT, command: given.command, ...outcome.report, warnings }
    const safe = (_key: string, value: unknown): unknown => (typeof value === 'string' ? hide(value) : value)
    terminal.out(`${JSON.stringify(report, safe, 2)}\n`)
    return
  }
  job.print(paint => outcome.lines(paint))
}

function printer(terminal: Terminal, isJson: boolean, hide: Hide): Job['print'] {
  const { NO_COLOR } = terminal.environment
  const paint = painter(terminal.isTerminal && (NO_COLOR === undefined || NO_COLOR === ''))
  return lines => {
    const text = lines(paint)
      .map(line => `${line}\n`)
      .join('')
    if (!isJson && text !== '') terminal.out(hide(text))
  }
}

/** A command that could not do its work: a report of its own, so that a reader of `--json` always finds one. */
function failure(error: unknown): Outcome {
  const message = messageOf(error)
  const code = error instanceof PalierError ? error.code : 'FAILED'
  return { exitCode: 1, report: { error: { code, message } }, lines: () => [], warnings: [message] }
}

async function perform(job: Job, command: CommandName, hide: Hide): Promise<number> {
  let outcome: Outcome
  try {
    outcome = await RUN[command](job)
  } catch (error) {
    if (isMisuse(error)) throw error
    outcome = failure(error)
  }
  print(outcome, job, hide)
  return outcome.exitCode
}

/** Runs one command line and resolves with its exit code. Never rejects. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { environment } = terminal
  let hide = hider([environment['REDIS_URL']], [environment['REDIS_PASSWORD']])
  try {
    const given = parseArguments(argv)
    hide = hider([environment['REDIS_URL'], given.redisUrl], [environment['REDIS_PASSWORD']])
    if (given.version) {
      terminal.out(`${versionText()}\n`)
      return 0
    }
    if (given.help) {
      terminal.out(helpText(given.command))
      return 0
    }
    if (given.command === undefined) {
      terminal.err(helpText(undefined))
      return 2
    }
    const job: Job = { given, place: placeOf(given, environment), terminal, print: printer(terminal, given.json, hide) }
    return await perform(job, given.command, hide)
  } catch (error) {
    terminal.err(`palier: ${hide(messageOf(error))}\n`)
    if (!isMisuse(error)) return 1
    terminal.err("Try 'palier --help'.\n")
    return 2
  }
}
