import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { withDirectory } from './fixtures.ts'
import type { Verdict } from './harness.ts'
import { NO_REDIS, type RunOptions, type Table } from './table.ts'

/*
 * The dashboard of the real application over a real data set, asked through HTTP, on each backend: a miss (a contact was
 * just changed), then hits. The server times its own answers (Server-Timing); queries are those it counted itself.
 */

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const FULL = { contacts: 200_000, messages: 1_000_000, misses: 7, hits: 300 }
const QUICK = { contacts: 2000, messages: 10_000, misses: 2, hits: 20 }
/** Milliseconds of server time a hit may take at the median. */
const MOST_PER_HIT = 3

interface Measured {
  readonly miss: number
  readonly hit: number
  readonly hit95: number
  readonly missQueries: number
  readonly hitQueries: number
}

interface Server {
  readonly address: string
  stop(): Promise<void>
}

/** The built application, on a port of its own choosing; resolves when it has printed its address. */
async function startServer(environment: Readonly<Record<string, string>>): Promise<Server> {
  const main = join(project, 'apps', 'campaigns', 'dist', 'server', 'main.js')
  const child: ChildProcess = spawn(process.execPath, [main], {
    // Nothing but the requests measured asks the database.
    env: { ...process.env, PORT: '0', SAMPLE_DATA: 'false', WORKER: 'false', SIMULATOR: 'off', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  let printed = ''
  const address = await new Promise<string>((resolve, reject) => {
    child.once('exit', code => reject(new Error(`the application ended with ${code}: ${printed}`)))
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      const found = /http:\/\/\S+/.exec(printed)
      if (found !== null && printed.includes('cache ')) resolve(found[0])
    })
  })
  return {
    address,
    async stop() {
      process.removeListener('exit', kill)
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** What each request carries: the session of the administrator, and for changes its token. */
interface Visitor {
  readonly address: string
  readonly cookie: string
  readonly token: string
}

const PASSWORD = 'a password for measuring'
const json = { 'content-type': 'application/json' }

async function logIn(address: string): Promise<Visitor> {
  const body = JSON.stringify({ email: 'admin@example.org', password: PASSWORD })
  const login = await fetch(`${address}/api/v1/auth/login`, { method: 'POST', headers: json, body })
  if (!login.ok) throw new Error(`nobody could log in: ${login.status} ${await login.text()}`)
  const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const me = await fetch(`${address}/api/v1/auth/me`, { headers: { cookie } })
  return { address, cookie, token: ((await me.json()) as { csrf_token: string }).csrf_token }
}

async function ask({ address, cookie }: Visitor, path: string, wanted: string): Promise<number> {
  const response = await fetch(address + path, { headers: { cookie } })
  await response.arrayBuffer()
  const outcome = response.headers.get('x-cache')
  if (!response.ok || outcome !== wanted)
    throw new Error(`${path}: expected ${wanted}, got ${response.status} ${outcome}`)
  return Number(/dur=([\d.]+)/.exec(response.headers.get('server-timing') ?? '')?.[1])
}

async function queries({ address, cookie }: Visitor): Promise<number> {
  const text = await (await fetch(`${address}/metrics`, { headers: { cookie } })).text()
  return Number(/^campaigns_database_queries_total (\d+)$/m.exec(text)?.[1])
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The note of a write is taken away within a second of it, by a query that belongs to no request. */
const NOTED_MS = 1500

/** A change of one contact: what the dashboard shows is void. */
async function addContact({ address, cookie, token }: Visitor, n: number): Promise<void> {
  const phone = `+3361${String(Date.now() % 100_000).padStart(5, '0')}${n % 100}`.slice(0, 13)
  const response = await fetch(`${address}/api/v1/contacts`, {
    method: 'POST',
    headers: { ...json, cookie, 'x-csrf-token': token },
    body: JSON.stringify({ name: `Bench ${n}`, phone }),
  })
  if (!response.ok) throw new Error(`a contact was refused: ${response.status} ${await response.text()}`)
  await pause(NOTED_MS)
}

async function measure(address: string, size: typeof FULL): Promise<Measured> {
  const visitor = await logIn(address)
  const misses: number[] = []
  const hits: number[] = []
  let missQueries = 0
  let hitQueries = 0
  for (let round = 0; round < size.misses; round++) {
    await addContact(visitor, round)
    const before = await queries(visitor)
    misses.push(await ask(visitor, '/api/dashboard', 'MISS'))
    const between = await queries(visitor)
    for (let i = 0; i < size.hits / size.misses; i++) hits.push(await ask(visitor, '/api/dashboard', 'HIT'))
    missQueries = Math.max(missQueries, between - before)
    hitQueries += (await queries(visitor)) - between
  }
  const hit = percentile(hits, 0.5)
  return { miss: percentile(misses, 0.5), hit, hit95: percentile(hits, 0.95), missQueries, hitQueries }
}

function generate(path: string, size: typeof FULL): void {
  const args = [`--contacts=${size.contacts}`, `--messages=${size.messages}`, `--db=${path}`]
  const { status } = spawnSync(process.execPath, [join(project, 'scripts', 'generate.mjs'), ...args], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('the data could not be generated')
}

async function run({ quick, servers, say }: RunOptions): ReturnType<Table['run']> {
  const size = quick ? QUICK : FULL
  const redis = await servers.redis()
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  await withDirectory(async dir => {
    const database = join(dir, 'campaigns.sqlite')
    generate(database, size)
    const backends = ['memory', 'filesystem', ...(redis === undefined ? [] : ['redis'])]
    for (const backend of backends) {
      const server = await startServer({
        DATABASE_PATH: database,
        CACHE_BACKEND: backend,
        CACHE_DIR: join(dir, 'cache'),
        DATA_DIR: join(dir, 'data'),
        ADMIN_PASSWORD: PASSWORD,
        ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
      })
      try {
        const { miss, hit, hit95, missQueries, hitQueries } = await measure(server.address, size)
        rows.push([
          backend,
          miss.toFixed(1),
          hit.toFixed(2),
          hit95.toFixed(2),
          `${missQueries}`,
          `${hitQueries}`,
          `${Math.round(miss / hit)}x`,
        ])
        say(`${backend}: done`)
        const text = `${backend}: a hit takes at most ${MOST_PER_HIT} ms and no query, a miss seven`
        const met = hit <= MOST_PER_HIT && hitQueries === 0 && missQueries === 7
        verdicts.push({ text, met, figure: `${hit.toFixed(2)} ms, ${hitQueries} and ${missQueries} queries` })
      } finally {
        await server.stop()
      }
    }
  })
  const what = `${size.contacts} contacts, ${size.messages} messages; milliseconds of server time, ${size.misses} misses and ${size.hits} hits`
  const columns = [
    'backend',
    'miss p50',
    'hit p50',
    'hit p95',
    'queries per miss',
    'queries in all hits',
    'miss to hit',
  ]
  return {
    works: [],
    facts: [{ name: 'Dashboard', what, columns, rows, verdicts }],
    missing: redis === undefined ? [NO_REDIS] : [],
  }
}

/** The KPI dashboard of `apps/campaigns`, on each backend. */
export const dashboard: Table = { name: 'dashboard', title: 'The dashboard of the application', run }
