import { parseArgs } from 'node:util'
import { openCaching } from './caching.ts'
import { openDatabase } from './database/open.ts'
import { UnusableDatabase } from './database/url.ts'
import { BadVariable, readEnvironment } from './environment.ts'
import { digest } from './generator/digest.ts'
import { type DataSet, NotEmpty, writeDataSet } from './generator/write.ts'
import { loadSettings } from './setup/settings-file.ts'

const USAGE = `npm run generate -- [options]

  --contacts N    how many contacts            (default 200000)
  --messages N    how many messages            (default 1000000)
  --seed N        the same seed, the same rows (default 1)
  --now TIME      the latest time in the data, as an ISO date or milliseconds (default: today, 00:00 UTC)
  --db ADDRESS    the database: a file, sqlite:<path>, postgres://… or mysql://…
                  (default: DATABASE_URL, DATABASE_PATH, else ./data/campaigns.sqlite)
  --replace       delete what the database holds first: contacts, campaigns, messages, pages, accounts, jobs, history
`

const OPTIONS = {
  contacts: { type: 'string', default: '200000' },
  messages: { type: 'string', default: '1000000' },
  seed: { type: 'string', default: '1' },
  now: { type: 'string' },
  db: { type: 'string' },
  replace: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function whole(name: string, text: string, max: number): number {
  if (/^\d{1,15}$/.test(text) && Number(text) <= max) return Number(text)
  throw new BadVariable(name, `a whole number from 0 to ${max}`, text)
}

function instant(text: string | undefined): number {
  if (text === undefined) return Math.floor(Date.now() / 86_400_000) * 86_400_000
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isSafeInteger(time)) return time
  throw new BadVariable('--now', 'an ISO date or milliseconds since 1970', text)
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS })
  if (values.help) return console.log(USAGE)
  loadSettings()
  const set: DataSet = {
    contacts: whole('--contacts', values.contacts, 50_000_000),
    messages: whole('--messages', values.messages, 50_000_000),
    seed: whole('--seed', values.seed, Number.MAX_SAFE_INTEGER),
    now: instant(values.now),
  }
  const database = await openDatabase({ url: values.db ?? readEnvironment(process.env).databaseUrl })
  try {
    const { location } = database
    console.log(`writing ${set.contacts} contacts and ${set.messages} messages with seed ${set.seed} to ${location}`)
    const began = performance.now()
    const { rows } = await writeDataSet(database, set, { replace: values.replace })
    const seconds = (performance.now() - began) / 1000
    console.log(`${rows} rows in ${seconds.toFixed(1)} s, ${Math.round(rows / seconds)} rows/s`)
    await forgetAll(database.id)
    console.log(`digest ${await digest(database.reader)}`)
  } finally {
    await database.close()
  }
}

/** A server may be running on this database: what it has cached is of the rows that were there before. */
async function forgetAll(databaseId: string): Promise<void> {
  const { cache, close } = openCaching({ databaseId, logger: { warn: console.warn, info: () => undefined } })
  await cache.ready()
  await cache.clear()
  await close()
}

try {
  await main()
} catch (error) {
  if (error instanceof NotEmpty) {
    console.error(`${error.message}. Add --replace to delete its rows first, or choose another file with --db.`)
  } else if (error instanceof UnusableDatabase) {
    console.error(error.message)
  } else if (error instanceof BadVariable || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
  } else {
    console.error(error)
  }
  process.exitCode = 1
}
