import { resolve } from 'node:path'

/** The three kinds of database the application runs on. MariaDB is spoken to as MySQL. */
export type Engine = 'sqlite' | 'postgres' | 'mysql'

export interface FileTarget {
  readonly engine: 'sqlite'
  /** Absolute. */
  readonly path: string
  /** Where the database is, for people. */
  readonly location: string
}

export interface ServerTarget {
  readonly engine: 'postgres' | 'mysql'
  readonly url: URL
  /** Where the database is, for people: without user, password and parameters. */
  readonly location: string
}

export type DatabaseTarget = FileTarget | ServerTarget

/** How many connections a server's pool may hold: `size` are kept, `overflow` more are opened under load and closed again. */
export interface PoolLimits {
  readonly size: number
  readonly overflow: number
  /** Milliseconds after which a connection is replaced: load balancers and servers drop old ones without a word. */
  readonly recycle: number
}

/** A database that cannot be used as it is named. The message is one line for the reader, and shows no password. */
export class UnusableDatabase extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UnusableDatabase'
  }
}

const ENGINES: Readonly<Record<string, ServerTarget['engine']>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
}

const FORMS =
  'sqlite:<path>, <path>, postgres://user:password@host:port/database or mysql://user:password@host:port/database'

/**
 * A password with an unescaped `@`, `/`, `?` or `#` ends up anywhere in what a parser makes of the text, so a refused
 * text is shown by its two ends only: the scheme, and what follows the last `@`.
 */
function masked(text: string): string {
  const scheme = /^[^:/?#@]*:\/\//.exec(text)?.[0] ?? ''
  const at = text.lastIndexOf('@')
  return `"${scheme}***${at === -1 ? '' : text.slice(at).replace(/[?#].*$/s, '')}"`
}

function readFile(path: string, variable: string): FileTarget {
  if (path === '' || path === ':memory:' || path.endsWith('/')) {
    throw new UnusableDatabase(`${variable}: expected the path of a SQLite file, received ${JSON.stringify(path)}`)
  }
  const absolute = resolve(path)
  return { engine: 'sqlite', path: absolute, location: absolute }
}

function parse(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function readServer(engine: ServerTarget['engine'], text: string, variable: string): ServerTarget {
  const url = parse(text)
  // `@` and `#` behind the host are a password's, cut in the wrong place: nothing of it may be taken for a host or a port.
  if (
    url === undefined ||
    url.hash !== '' ||
    /[@#]/.test(url.pathname + url.search) ||
    !/^\/[^/]+$/.test(url.pathname)
  ) {
    const escaped = 'with / ? # @ and % in the password as %2F %3F %23 %40 %25'
    throw new UnusableDatabase(
      `${variable}: expected ${engine}://user:password@host:port/database, ${escaped}, received ${masked(text)}`,
    )
  }
  if (url.hostname === '') {
    throw new UnusableDatabase(`${variable}: expected a host after ${url.protocol}//, received ${masked(text)}`)
  }
  for (const part of [url.username, url.password, url.pathname]) {
    try {
      decodeURIComponent(part)
    } catch (cause) {
      // A lone % is an escape that was not made.
      const message = `${variable}: expected every % to be written %25 or to begin an escape, received ${masked(text)}`
      throw new UnusableDatabase(message, { cause })
    }
  }
  if (url.port === '') url.port = engine === 'postgres' ? '5432' : '3306'
  return { engine, url, location: `${engine}://${url.host}${decodeURIComponent(url.pathname)}` }
}

/**
 * Reads the address of a database: `sqlite:<path>` or a bare path, `postgres://…`, `postgresql://…`, `mysql://…` or
 * `mariadb://…`. Throws UnusableDatabase, which names the variable, what was expected and what came.
 */
export function readDatabaseUrl(text: string, variable = 'DATABASE_URL'): DatabaseTarget {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1]?.toLowerCase()
  const engine = scheme === undefined ? undefined : ENGINES[scheme]
  if (engine !== undefined) return readServer(engine, text, variable)
  if (/^sqlite:/i.test(text)) return readFile(text.replace(/^sqlite:(\/\/)?/i, ''), variable)
  if (scheme !== undefined) throw new UnusableDatabase(`${variable}: expected ${FORMS}, received ${masked(text)}`)
  return readFile(text, variable)
}
