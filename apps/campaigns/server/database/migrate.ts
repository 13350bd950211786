import { type Kysely, type Migration, Migrator, NO_MIGRATIONS } from 'kysely'
import * as contactsAndMessages from './migrations/0001-contacts-and-messages.ts'
import * as peopleAndHistory from './migrations/0002-people-and-history.ts'
import * as jobs from './migrations/0003-jobs.ts'
import * as whatsapp from './migrations/0004-whatsapp.ts'
import * as content from './migrations/0005-content.ts'
import * as search from './migrations/0006-search.ts'
import * as sending from './migrations/0007-sending.ts'
import type { AnyDb } from './migrations/columns.ts'
import type { Tables } from './schema.ts'
import type { Engine } from './url.ts'

interface Step {
  up(db: AnyDb, engine: Engine): Promise<void>
  down(db: AnyDb, engine: Engine): Promise<void>
}

/** One ordered list for all engines. A migration that has been released is never edited: the next change is the next entry. */
const STEPS: Readonly<Record<string, Step>> = {
  '0001_contacts_and_messages': { up: contactsAndMessages.up, down: contactsAndMessages.down },
  '0002_people_and_history': { up: peopleAndHistory.up, down: peopleAndHistory.down },
  '0003_jobs': { up: jobs.up, down: jobs.down },
  '0004_whatsapp': { up: whatsapp.up, down: whatsapp.down },
  '0005_content': { up: content.up, down: content.down },
  '0006_search': { up: search.up, down: search.down },
  '0007_sending': { up: sending.up, down: sending.down },
}

export const MIGRATION_NAMES: readonly string[] = Object.keys(STEPS)

function migratorOf(db: Kysely<Tables>, engine: Engine): Migrator {
  const migrations = Object.entries(STEPS).map(([name, step]): [string, Migration] => [
    name,
    { up: open => step.up(open, engine), down: open => step.down(open, engine) },
  ])
  return new Migrator({ db, provider: { getMigrations: () => Promise.resolve(Object.fromEntries(migrations)) } })
}

/**
 * Brings the tables to a migration, by its name; to the latest unless said, and to none with `'none'`. One process at a
 * time does it: the others wait and find it done. On SQLite and PostgreSQL all of it happens or nothing does; MySQL
 * commits each change of a table by itself. Returns the names of what ran.
 */
export async function migrate(db: Kysely<Tables>, engine: Engine, to?: string): Promise<readonly string[]> {
  const migrator = migratorOf(db, engine)
  const target = to === 'none' ? NO_MIGRATIONS : to
  const { error, results = [] } =
    target === undefined ? await migrator.migrateToLatest() : await migrator.migrateTo(target)
  if (error !== undefined) throw new Error('the database could not be brought up to date', { cause: error })
  return results.filter(result => result.status === 'Success').map(result => result.migrationName)
}

/** The names of the migrations that have not run on this database. */
export async function pendingMigrations(db: Kysely<Tables>, engine: Engine): Promise<readonly string[]> {
  const all = await migratorOf(db, engine).getMigrations()
  return all.filter(migration => migration.executedAt === undefined).map(migration => migration.name)
}
