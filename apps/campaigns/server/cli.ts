#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { NoSuchMigration, runMigrate } from './commands/migrate.ts'
import { recountCampaigns } from './commands/recount.ts'
import { type Composition, compose } from './compose.ts'
import type { DatabaseOptions } from './database/open.ts'
import { UnusableDatabase } from './database/url.ts'
import { BadVariable, type Environment, readEnvironment } from './environment.ts'
import type { WorkDone } from './jobs/work-done.ts'
import { createWorker } from './jobs/worker.ts'
import { createLog } from './log.ts'
import { closeWhenAsked } from './operations/shutdown.ts'
import { readPlan } from './setup/plan.ts'
import { loadSettings } from './setup/settings-file.ts'

const USAGE = `palier-campaigns <command> [options]

  tick                 does what is due: ticks, jobs, webhooks, mail; for a crontab, every minute
    --seconds N        at most so long, 1 to 3600 (default 50)
    --verbose          say what was done; without it only trouble is told
  migrate              brings the tables of the database up to date
    --to NAME          to that migration, up or down; none takes all tables away
    --status           only says which migrations have run
  recount              compares the counters of campaigns with their messages; exit code 1 when some are wrong
    --repair           sets them right
  help                 this text

The database and all else are found by the same variables as for the server.
`

const OPTIONS = {
  seconds: { type: 'string' },
  verbose: { type: 'boolean' },
  to: { type: 'string' },
  status: { type: 'boolean' },
  repair: { type: 'boolean' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

const CLOSE_WITHIN_MS = 10_000

/** What the caller wrote and nobody can act on. */
class BadUsage extends Error {}

const databaseOf = ({ databaseUrl, replicaUrl, pool }: Environment): DatabaseOptions => ({
  url: databaseUrl,
  replicaUrl,
  pool,
})

async function withServices<T>(run: (services: Composition) => Promise<T>): Promise<T> {
  const environment = readEnvironment(process.env)
  const services = await compose({
    ...environment,
    database: databaseOf(environment),
    cache: {
      detectBudget: '3s',
      logger: { warn: console.warn, info: () => undefined },
      ...readPlan(environment.dataDir),
    },
    log: createLog(environment.logLevel),
  })
  try {
    await services.caching.cache.ready()
    return await run(services)
  } finally {
    await services.close()
  }
}

function readSeconds(text = '50'): number {
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 3600) return Number(text)
  throw new BadUsage(`--seconds: expected a whole number from 1 to 3600, received ${JSON.stringify(text)}`)
}

function printDone({ ticks, jobs, drained, idle }: WorkDone): void {
  for (const name of ticks) console.log(`tick      ${name}`)
  for (const [name, ends] of Object.entries(jobs)) {
    console.log(
      `job       ${name}: ${Object.entries(ends)
        .map(([end, count]) => `${count} ${end}`)
        .join(', ')}`,
    )
  }
  for (const [name, count] of Object.entries(drained)) console.log(`drained   ${name}: ${count}`)
  if (!idle) console.log('the time was over before all of it was done')
}

async function tick({ seconds, verbose = false }: Values): Promise<number> {
  const within = readSeconds(seconds) * 1000
  let stop = (): Promise<void> => Promise.resolve()
  const ended = withServices(async services => {
    const worker = createWorker(services)
    stop = () => worker.close()
    const done = await worker.runUntilIdle({ within })
    await worker.close()
    if (verbose) printDone(done)
  })
  const close = async (): Promise<void> => {
    await stop()
    await ended
  }
  closeWhenAsked({ within: CLOSE_WITHIN_MS, close, say: line => console.error(line) })
  await ended
  return 0
}

async function recount({ repair = false }: Values): Promise<number> {
  const differences = await withServices(services => recountCampaigns(services, repair))
  for (const { campaignId, counter, stored, counted } of differences) {
    console.log(`campaign ${campaignId}: ${counter} is ${stored}, its messages are ${counted}`)
  }
  if (differences.length === 0) console.log('all counters are what their messages add up to')
  else if (repair) console.log(`${differences.length} counters set right`)
  return differences.length === 0 || repair ? 0 : 1
}

async function migrateCommand({ to, status = false }: Values): Promise<number> {
  await runMigrate({ database: databaseOf(readEnvironment(process.env)), to, status, say: line => console.log(line) })
  return 0
}

interface Command {
  readonly options: readonly (keyof typeof OPTIONS)[]
  run(values: Values): number | Promise<number>
}

function help(): number {
  console.log(USAGE)
  return 0
}

const COMMANDS: Readonly<Record<string, Command>> = {
  tick: { options: ['seconds', 'verbose'], run: tick },
  migrate: { options: ['to', 'status'], run: migrateCommand },
  recount: { options: ['repair'], run: recount },
  help: { options: [], run: help },
}

async function main(args: readonly string[]): Promise<number> {
  loadSettings()
  const [name = 'help', ...rest] = args
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    throw new BadUsage(`expected one of ${Object.keys(COMMANDS).join(', ')}, received ${JSON.stringify(name)}`)
  }
  const options = Object.fromEntries(command.options.map(option => [option, OPTIONS[option]])) as typeof OPTIONS
  return await command.run(parseArgs({ args: rest, options }).values)
}

const isUsage = (error: unknown): error is Error =>
  error instanceof BadUsage || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const known = [BadVariable, UnusableDatabase, NoSuchMigration].some(kind => error instanceof kind)
  if (isUsage(error)) console.error(`${error.message}\n\n${USAGE}`)
  else console.error(known ? (error as Error).message : error)
  process.exitCode = isUsage(error) ? 2 : 1
}
