import { type ChildProcess, spawn } from 'node:child_process'
import {
  accessSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { freePort } from '../../../../packages/palier/test/support/ports.ts'
import { openDatabase } from '../../server/database/open.ts'

/**
 * One PostgreSQL and one MariaDB server for a run of these tests, each in a directory of its own and with nothing made
 * durable. They are configured as unkindly as real hosts are: a locale that does not sort by bytes, messages in French,
 * a mode that cuts long texts and does not escape. `engines.ts` makes each test a database in them.
 */
declare module 'vitest' {
  export interface ProvidedContext {
    /** The databases that are copied for each test: migrated, and used by nobody. */
    readonly postgresTemplate: string
    readonly mysqlTemplate: string
  }
}

const USER = 'palier'
/** Every character that an address has to escape. */
const PASSWORD = 's3cret/p@ss:?#%w'
const PATIENCE_MS = 60_000

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'))
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')
  if (user === undefined) throw new Error('expected a user named postgres or nobody to run PostgreSQL as')
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

function isRunnable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Debian keeps the server programs off the PATH; several versions of PostgreSQL may be there, the newest is taken. */
function findProgram(name: string): string {
  const versions = '/usr/lib/postgresql'
  const newest = existsSync(versions) ? readdirSync(versions).sort((a, b) => Number(b) - Number(a)) : []
  const directories = [
    ...newest.map(version => join(versions, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
  ]
  const found = directories.map(directory => join(directory, name)).find(isRunnable)
  if (found === undefined) throw new Error(`expected ${name} to be installed (Debian: postgresql, mariadb-server)`)
  return found
}

interface Place {
  readonly directory: string
  readonly port: number
  readonly owner: Owner | undefined
}

async function makePlace(name: string, owner: Owner | undefined): Promise<Place> {
  // In memory where there is such a directory.
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `campaigns-${name}-`))
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid)
  return { directory, port: await freePort(), owner }
}

function start({ directory, owner }: Place, command: readonly string[]): ChildProcess {
  const [program = '', ...args] = command
  // A session of its own: an interrupt from the keyboard is for the tests, which then stop their servers.
  return spawn(program, args, { cwd: directory, detached: true, stdio: ['pipe', 'ignore', 'pipe'], ...owner })
}

async function run(place: Place, command: readonly string[]): Promise<void> {
  const child = start(place, command)
  child.stdin?.end()
  const ended = new Promise<number | null>(done => child.once('close', done))
  const said = child.stderr === null ? '' : await text(child.stderr)
  if ((await ended) !== 0) throw new Error(`${command[0]} failed: ${said}`)
}

/**
 * Starts the server and stops it when its standard input ends: at the end of the run, and whatever else becomes of the
 * process that holds the other end, kill -9 included, when nobody reads what the shell says either. Its directory goes
 * with it; it says why when it stopped by itself.
 */
const GUARD = `
trap '' PIPE
signal=$1; shift
exec 3<&0
"$@" >log 2>&1 3<&- &
server=$!
(cat <&3; touch stopping; kill -s "$signal" $server) >/dev/null 2>&1 &
wait $server
[ -e stopping ] || tail -n 30 log >&2
rm -rf "$PWD"
`

interface Server {
  readonly child: ChildProcess
  stop(): Promise<void>
}

function guard(place: Place, signal: 'QUIT' | 'KILL', command: readonly string[]): Server {
  const child = start(place, ['/bin/sh', '-c', GUARD, 'guard', signal, ...command])
  const ended = new Promise<void>(done => void child.once('exit', () => done()))
  return {
    child,
    async stop() {
      child.stdin?.end()
      await ended
    },
  }
}

async function whenReady({ child }: Server, connect: () => Promise<void>): Promise<void> {
  const until = performance.now() + PATIENCE_MS
  const said = child.stderr === null ? Promise.resolve('') : text(child.stderr)
  for (;;) {
    try {
      return await connect()
    } catch (error) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the server stopped: ${await said}`, { cause: error })
      if (performance.now() > until) throw error
    }
    await setTimeout(20)
  }
}

const url = (scheme: string, port: number, database: string): string =>
  `${scheme}://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`

const TEMPLATE = 'template_campaigns'

async function startPostgres(owner: Owner | undefined): Promise<{ server: Server; template: string }> {
  const place = await makePlace('postgres', owner)
  const data = join(place.directory, 'data')
  const passwordFile = join(place.directory, 'password')
  writeFileSync(passwordFile, PASSWORD, { mode: 0o644 })
  const options = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '--no-instructions', '-E', 'UTF8']
  const locale = ['--locale=C', '--locale-provider=icu', '--icu-locale=en-US']
  await run(place, [findProgram('initdb'), '-D', data, '-U', USER, ...options, ...locale])
  const settings = {
    listen_addresses: '127.0.0.1',
    port: place.port,
    unix_socket_directories: place.directory,
    max_connections: 200,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    wal_level: 'minimal',
    max_wal_senders: 0,
    autovacuum: 'off',
    jit: 'off',
    deadlock_timeout: '100ms',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = guard(place, 'QUIT', [findProgram('postgres'), '-D', data, ...flags])
  await whenReady(server, async () => {
    const client = new Client({ connectionString: url('postgres', place.port, 'postgres') })
    await client.connect()
    await client.query(`create database ${TEMPLATE}`)
    await client.end()
  })
  return { server, template: url('postgres', place.port, TEMPLATE) }
}

async function startMysql(owner: Owner | undefined): Promise<{ server: Server; template: string }> {
  const place = await makePlace('mysql', owner)
  const { directory, port } = place
  const data = join(directory, 'data')
  mkdirSync(data)
  if (owner !== undefined) chownSync(data, owner.uid, owner.gid)
  const quiet = ['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve']
  await run(place, [findProgram('mariadb-install-db'), '--no-defaults', `--datadir=${data}`, ...quiet])
  const first = join(directory, 'first.sql')
  const account = `'${USER}'@'%'`
  const user = `create user ${account} identified by '${PASSWORD}';\ngrant all on *.* to ${account} with grant option;\n`
  writeFileSync(first, user, { mode: 0o644 })
  const settings = {
    datadir: data,
    tmpdir: directory,
    socket: join(directory, 'socket'),
    'pid-file': join(directory, 'pid'),
    'bind-address': '127.0.0.1',
    port,
    'init-file': first,
    'max-connections': 300,
    'innodb-flush-log-at-trx-commit': 0,
    'innodb-doublewrite': 0,
    'innodb-buffer-pool-size': '128M',
    'innodb-log-file-size': '32M',
    'sql-mode': 'NO_BACKSLASH_ESCAPES',
    'lc-messages': 'fr_FR',
  }
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  const command = [findProgram('mariadbd'), '--no-defaults', ...flags, '--skip-name-resolve', '--skip-log-bin']
  const server = guard(place, 'KILL', command)
  await whenReady(server, async () => {
    const connection = await createConnection(url('mysql', port, ''))
    await connection.query(`create database ${TEMPLATE}`)
    await connection.end()
  })
  return { server, template: url('mysql', port, TEMPLATE) }
}

async function migrated(template: string): Promise<void> {
  const database = await openDatabase({ url: template })
  await database.close()
}

/** Vitest's global setup of the project `campaigns`; returns what stops the servers. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const owner = unprivileged()
  const [postgres, mysql] = await Promise.all([startPostgres(owner), startMysql(owner)])
  const stop = async (): Promise<void> => void (await Promise.all([postgres.server.stop(), mysql.server.stop()]))
  try {
    await Promise.all([migrated(postgres.template), migrated(mysql.template)])
  } catch (error) {
    await stop()
    throw error
  }
  project.provide('postgresTemplate', postgres.template)
  project.provide('mysqlTemplate', mysql.template)
  return stop
}
