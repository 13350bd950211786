import { MIGRATION_NAMES, migrate, pendingMigrations } from '../database/migrate.ts'
import { type Database, type DatabaseOptions, openDatabase } from '../database/open.ts'
import { UnusableDatabase } from '../database/url.ts'

export interface MigrateOptions {
  readonly database: DatabaseOptions
  /** The name of a migration, or `none`; the latest unless said. */
  readonly to?: string | undefined
  /** Only tell where the database stands. */
  readonly status: boolean
  readonly say: (line: string) => void
}

/** A name that no migration has. */
export class NoSuchMigration extends Error {}

async function withDatabase(options: DatabaseOptions, run: (database: Database) => Promise<void>): Promise<void> {
  const database = await openDatabase(options)
  try {
    await run(database)
  } finally {
    await database.close()
  }
}

/** Brings the tables of the database to a migration, up or down, and says what was done. */
export async function runMigrate({ database: options, to, status, say }: MigrateOptions): Promise<void> {
  if (to !== undefined && to !== 'none' && !MIGRATION_NAMES.includes(to)) {
    throw new NoSuchMigration(
      `--to: expected none or one of ${MIGRATION_NAMES.join(', ')}, received ${JSON.stringify(to)}`,
    )
  }
  const asItIs = { ...options, migrate: false }
  if (status) {
    return await withDatabase(asItIs, async ({ writer, engine, location }) => {
      const pending = await pendingMigrations(writer, engine)
      say(location)
      for (const name of MIGRATION_NAMES) say(`${pending.includes(name) ? 'not run' : 'run    '}  ${name}`)
    })
  }
  const run = async ({ writer, engine, location }: Database): Promise<void> => {
    const done = await migrate(writer, engine, to)
    for (const name of done) say(`migrated  ${name}`)
    say(`${location} is ${done.length === 0 ? 'as it should be: nothing to do' : 'migrated'}`)
  }
  try {
    await withDatabase(asItIs, run)
  } catch (error) {
    // A database without tables cannot be opened as it is; one that cannot be reached will say so again.
    if (!(error instanceof UnusableDatabase)) throw error
    await withDatabase(options, async database => {
      for (const name of MIGRATION_NAMES) say(`migrated  ${name}`)
      await run(database)
    })
  }
}
