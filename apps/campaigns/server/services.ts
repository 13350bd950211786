import type { Caching } from './caching.ts'
import type { Cursors } from './cursor.ts'
import type { Database } from './database/open.ts'
import type { IdSource } from './ids.ts'

/** What every route is given. */
export interface Services {
  readonly database: Database
  readonly caching: Caching
  readonly cursors: Cursors
  readonly newId: IdSource
  /** Milliseconds since 1970; a clock of its own in tests. */
  readonly now: () => number
}
