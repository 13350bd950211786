import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../server/database/open.ts'
import { readDatabaseUrl } from '../../server/database/url.ts'
import { freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

const refusal = (text: string): string => {
  try {
    readDatabaseUrl(text)
  } catch (error) {
    return (error as Error).message
  }
  return 'it was accepted'
}

/** The message of the database that could not be opened. */
async function failure(options: Parameters<typeof openDatabase>[0]): Promise<string> {
  try {
    await (await openDatabase(options)).close()
  } catch (error) {
    expect((error as Error).name).toBe('UnusableDatabase')
    return (error as Error).message
  }
  return 'it was opened'
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise(done => server.close(done))
  return port
}

describe('the address of a database', () => {
  test('names a SQLite file with and without its scheme', () => {
    const path = resolve('data/a b.sqlite')
    for (const text of [
      'data/a b.sqlite',
      'sqlite:data/a b.sqlite',
      'SQLite:./data/a b.sqlite',
      `sqlite://${path}`,
      path,
    ]) {
      expect(readDatabaseUrl(text)).toEqual({ engine: 'sqlite', path, location: path })
    }
    expect(readDatabaseUrl('C:\\data\\campaigns.sqlite').engine).toBe('sqlite')
    for (const text of ['sqlite:', 'sqlite::memory:', ':memory:', './data/', ''])
      expect(refusal(text)).toMatch(/^DATABASE_URL: expected the path/)
  })

  test('names a server, and shows people neither user nor password nor parameters', () => {
    const shown = (text: string) => {
      const { engine, location } = readDatabaseUrl(text)
      return `${engine} ${location}`
    }
    expect(shown('postgres://me:s3cret@db.example/app')).toBe('postgres postgres://db.example:5432/app')
    expect(shown('postgresql://me:s3cret@[::1]:6000/app?sslmode=require')).toBe('postgres postgres://[::1]:6000/app')
    expect(shown('mysql://me:s%40%2Fcret@db.example/app')).toBe('mysql mysql://db.example:3306/app')
    expect(shown('MariaDB://db.example:3307/app?socket=/run/s')).toBe('mysql mysql://db.example:3307/app')
  })

  test('is refused in words that hold no piece of the password, wherever a parser would cut it', () => {
    const texts = [
      'postgres://me:s3cret@db.example',
      'postgres://me:s3cret@db.example/',
      'postgres://me:s3cret@db.example/a/b',
      'postgres://me:12#s3cret@db.example/app',
      'postgres://me:12?s3cret@db.example/app',
      'postgres://me:12/s3cret@db.example/app',
      'postgres://me:s3cret/x@y@db.example/app',
      'postgres://me:s3cret/app',
      'postgres://me:s3cret@/app',
      'mysql://me:100%s3cret@db.example/app',
      'mysql://me:s3cret@db.example:99999/app',
      'oracle://me:s3cret@db.example/app?password=s3cret',
      'mssql://db.example/app?password=s3cret',
      'postgres:///app?password=s3cret',
    ]
    for (const text of texts) {
      const message = refusal(text)
      expect(message).toMatch(/^DATABASE_URL: expected .*, received "\w+:\/\/\*\*\*/)
      expect(message).not.toMatch(/s3cret|"12|:12/)
    }
    expect(refusal('postgres://me:12/s3cret@db.example/app')).toContain('received "postgres://***@db.example/app"')
  })

  test('of a server that is not there is told in one line with host and port', async () => {
    const port = await closedPort()
    for (const scheme of ['postgres', 'mysql'] as const) {
      const message = await failure({ url: `${scheme}://me:s3cret@127.0.0.1:${port}/app` })
      const product = scheme === 'postgres' ? 'a PostgreSQL server' : 'a MySQL or MariaDB server'
      expect(message).toBe(
        `DATABASE_URL: expected ${product} at ${scheme}://127.0.0.1:${port}/app, received: nothing listens there (ECONNREFUSED)`,
      )
    }
    expect(await failure({ url: `postgres://me:s3cret@localhost:${port}/app` })).toMatch(/nothing listens there/)
  })

  test('with a wrong password or database is told as such, without the password', async () => {
    for (const template of ['postgresTemplate', 'mysqlTemplate'] as const) {
      const wrongPassword = new URL(inject(template))
      wrongPassword.password = 's3cret'
      const refused = await failure({ url: wrongPassword.href })
      expect(refused).toContain('it refuses this user and password')
      expect(refused).not.toContain('s3cret')
      const wrongName = new URL(inject(template))
      wrongName.pathname = '/nowhere'
      const missing = await failure({ url: wrongName.href })
      expect(missing).toContain('it has no database of that name')
      expect(missing).not.toContain(wrongName.password)
    }
    const address = new URL(inject('mysqlTemplate'))
    address.search = '?ssl-mode=perhaps'
    expect(await failure({ url: address.href })).toMatch(/ssl-mode: expected disabled, .* received "perhaps"$/)
    address.search = '?secret=s3cret'
    expect(await failure({ url: address.href })).toMatch(
      /expected the parameters ssl-mode and socket only, received "secret"$/,
    )
  })

  test('of a file that is no database, or below a file, is told in one line', async () => {
    const path = join(freshDirectory(), 'note.txt')
    writeFileSync(
      path,
      'plain text, and long enough to be read as a header of a database file, of 100 bytes or so'.repeat(3),
    )
    expect(await failure({ url: path })).toMatch(/the file is not a SQLite database \(SQLITE_NOTADB\)$/)
    expect(await failure({ url: join(path, 'deeper', 'file.sqlite') })).toMatch(/in a directory that can be made/)
  })
})

describe('a read replica', () => {
  test('must be of the engine of the primary, and hold the same database', async () => {
    const url = await freshDatabase('postgres')
    const other = await freshDatabase('postgres')
    expect(await failure({ url, replicaUrl: other })).toMatch(
      /^DATABASE_REPLICA_URL: expected a replica of DATABASE_URL/,
    )
    expect(await failure({ url, replicaUrl: inject('mysqlTemplate') })).toMatch(/expected a postgres database/)
    expect(await failure({ url: await freshDatabase('sqlite'), replicaUrl: url })).toMatch(
      /no replica of a SQLite file/,
    )
    const gone = `postgres://me:s3cret@127.0.0.1:${await closedPort()}/app`
    expect(await failure({ url, replicaUrl: gone })).toMatch(/^DATABASE_REPLICA_URL: .*nothing listens there/)
    const database = await openDatabase({ url, replicaUrl: url })
    onTestFinished(() => database.close())
    expect(database.replica).not.toBe(database.reader)
    expect(database.reader).toBe(database.writer)
    const before = database.queries.count
    await database.replica.selectFrom('contacts').select('id').execute()
    expect(database.queries.count).toBe(before + 1)
  })
})
