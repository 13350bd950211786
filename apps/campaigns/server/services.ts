import type { FastifyBaseLogger } from 'fastify'
import type { Monitor } from 'palier'
import type { Limits } from './access/limits.ts'
import type { Passwords } from './access/passwords.ts'
import type { Sessions } from './access/sessions.ts'
import type { CacheOutbox } from './cache-outbox.ts'
import type { Caching } from './caching.ts'
import type { Cursors } from './cursor.ts'
import type { Database } from './database/open.ts'
import type { IdSource } from './ids.ts'
import type { JobQueue } from './jobs/queue.ts'
import type { Mailer } from './mail/mailer.ts'
import type { MediaStore } from './media/files.ts'
import type { Metrics } from './operations/metrics.ts'
import type { Search } from './search/port.ts'
import type { Secrets } from './secrets.ts'
import type { Settings } from './settings/settings.ts'
import type { WhatsApp } from './whatsapp/port.ts'

/** What every part is given. Made by `compose.ts`, closed by who made it. */
export interface Services {
  readonly database: Database
  readonly caching: Caching
  readonly outbox: CacheOutbox
  readonly cursors: Cursors
  readonly newId: IdSource
  /** Milliseconds since 1970; a clock of its own in tests and demos. */
  readonly now: () => number
  readonly log: FastifyBaseLogger
  readonly secrets: Secrets
  readonly passwords: Passwords
  readonly sessions: Sessions
  readonly limits: Limits
  readonly settings: Settings
  readonly mailer: Mailer
  readonly jobs: JobQueue
  readonly whatsapp: WhatsApp
  readonly search: Search
  readonly media: MediaStore
  readonly metrics: Metrics
  /** What the cache counts, of all processes. */
  readonly monitor: Monitor
  /** Where uploads lie until they are read: shared by all processes of the application. */
  readonly dataDir: string
}
