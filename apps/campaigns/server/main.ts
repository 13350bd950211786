import { buildApp } from './app.ts'
import { type Caching, openCaching } from './caching.ts'
import { type Database, openDatabase } from './database/open.ts'
import { BadVariable, type Environment, readEnvironment } from './environment.ts'
import { NotEmpty, writeDataSet } from './generator/write.ts'

/** What stops the start and is the reader's to change: said in one line, without a stack. */
class CannotStart extends Error {}

const SAMPLE = { contacts: 2000, messages: 10_000, seed: 1 }

/** An empty database gets a small sample, so that the first page has something to show. Never a second time. */
async function addSample({ writer, path }: Database): Promise<boolean> {
  const first = await writer.selectFrom('contacts').select('id').limit(1).executeTakeFirst()
  if (first !== undefined) return false
  try {
    writeDataSet(path, { ...SAMPLE, now: Date.now() })
    return true
  } catch (error) {
    // Something is in it after all, or another process was quicker: both are as good as a sample.
    if (error instanceof NotEmpty) return false
    throw error
  }
}

async function listen(app: Awaited<ReturnType<typeof buildApp>>, { port, host }: Environment): Promise<string> {
  try {
    return await app.listen({ port, host })
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EADDRINUSE') {
      const other = port === 65_535 ? 3000 : port + 1
      const advice = `Stop that program, or choose another port: PORT=${other} npm start (PORT=0 takes any free one).`
      throw new CannotStart(`Port ${port} on ${host} is already in use by another program. ${advice}`)
    }
    if (code === 'EACCES') {
      throw new CannotStart(`Port ${port} may not be opened by this user. Choose one from 1024 on with PORT.`)
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new CannotStart(`HOST: expected an address of this machine, received "${host}".`)
    }
    throw error
  }
}

function printState(address: string, { databasePath }: Environment, caching: Caching, sampled: boolean): void {
  const { backend, why, enabled } = caching.status()
  console.log(`campaigns    ${address}`)
  console.log(`database     ${databasePath}`)
  if (sampled) {
    console.log(
      `sample data  ${SAMPLE.contacts} contacts, ${SAMPLE.messages} messages; SAMPLE_DATA=false leaves it out`,
    )
  }
  const off = 'off (CACHE_ENABLED=false): every read goes to the database'
  console.log(`cache        ${enabled ? `${backend}: ${why}` : off}`)
}

function closeOnSignal(close: () => Promise<void>): void {
  let closing = false
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    // A second signal means that somebody does not want to wait.
    if (closing) process.exit(1)
    closing = true
    console.log(`${signal}: closing`)
    try {
      await close()
      process.exit(0)
    } catch (error) {
      console.error(error)
      process.exit(1)
    }
  }
  process.on('SIGINT', signal => void stop(signal))
  process.on('SIGTERM', signal => void stop(signal))
}

async function start(): Promise<void> {
  const environment = readEnvironment(process.env)
  const database = await openDatabase(environment.databasePath)
  // Before the cache looks for its backend: the sample holds the event loop, and every store would seem slow.
  const sampled = environment.sampleData && (await addSample(database))
  let started = false
  // The lines of the start say how it went; later changes of state are news.
  const info = (line: string): void => (started ? console.info(line) : undefined)
  const logger = { warn: console.warn, info }
  // A start is the busiest moment of a process. Nobody waits for this budget, and too small a one refuses good stores.
  const caching = openCaching({ databaseId: database.id, detectBudget: '3s', logger })
  const app = await buildApp({ database, caching, logLevel: environment.logLevel })
  const close = async (): Promise<void> => {
    await app.close()
    await caching.close()
    await database.close()
  }
  closeOnSignal(close)
  try {
    const address = await listen(app, environment)
    await caching.ready()
    printState(address, environment, caching, sampled)
    started = true
  } catch (error) {
    await close()
    throw error
  }
}

function isForReader(error: unknown): error is Error {
  const badOption = (error as { code?: string }).code === 'PALIER_BAD_OPTION'
  return error instanceof BadVariable || error instanceof CannotStart || badOption
}

try {
  await start()
} catch (error) {
  console.error(isForReader(error) ? error.message : error)
  process.exitCode = 1
}
