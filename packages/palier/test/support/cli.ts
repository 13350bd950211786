import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { run } from '../../src/cli/run.ts'
import { compiled } from './compiled.ts'
import { until } from './redis-server.ts'

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  /** The whole environment that counts: nothing of the machine's own configuration reaches the command. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface CliProcessOptions extends CliOptions {
  /** Once this holds the process gets a SIGINT, as from Ctrl-C. */
  readonly interruptWhen?: () => Promise<boolean>
}

/** Runs the command in this process, in the directory and with the environment given, and nobody to answer it. */
export async function palier(args: readonly string[], { env = {}, cwd }: CliOptions = {}): Promise<CliResult> {
  const before = process.cwd()
  let stdout = ''
  let stderr = ''
  if (cwd !== undefined) process.chdir(cwd)
  try {
    const code = await run(args, {
      environment: env,
      isTerminal: false,
      out: text => void (stdout += text),
      err: text => void (stderr += text),
      confirm: () => Promise.resolve(undefined),
      signal: new AbortController().signal,
    })
    return { code, stdout, stderr }
  } finally {
    process.chdir(before)
  }
}

/** Runs the command as it is installed: a process of its own, with nobody at its standard input. */
export async function palierProcess(
  args: readonly string[],
  { env = {}, cwd, interruptWhen }: CliProcessOptions = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [await compiled(new URL('../../src/cli/main.ts', import.meta.url)), ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => (stdout += String(chunk)))
  child.stderr.on('data', chunk => (stderr += String(chunk)))
  const closed = once(child, 'close')
  if (interruptWhen !== undefined) {
    await until('the moment to interrupt the command has come', interruptWhen)
    child.kill('SIGINT')
  }
  const [code] = (await closed) as [number | null]
  return { code, stdout, stderr }
}

/** The one JSON document on standard output; throws when there is anything else. */
export function reportOf(result: CliResult): Record<string, unknown> {
  const report: unknown = JSON.parse(result.stdout)
  if (typeof report !== 'object' || report === null) throw new Error(`no report: ${result.stdout}`)
  return report as Record<string, unknown>
}
