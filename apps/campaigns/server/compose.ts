import { mkdirSync } from 'node:fs'
import type { FastifyBaseLogger } from 'fastify'
import { type CacheOptions, createMonitor } from 'palier'
import { pino } from 'pino'
import { type LimitName, openLimits, type Rate } from './access/limits.ts'
import { createPasswords, type Passwords } from './access/passwords.ts'
import { openSessions } from './access/sessions.ts'
import { createCacheOutbox } from './cache-outbox.ts'
import { type CachingOptions, openCaching } from './caching.ts'
import { createCursors } from './cursor.ts'
import { type DatabaseOptions, openDatabase } from './database/open.ts'
import { HANDLERS } from './handlers.ts'
import { createIdSource } from './ids.ts'
import { createJobs } from './jobs/queue.ts'
import { createMailer } from './mail/mailer.ts'
import { createMediaStore } from './media/files.ts'
import { createMetrics } from './operations/metrics.ts'
import { openSearch } from './search/open.ts'
import { createSecrets, readSecret } from './secrets.ts'
import type { Services } from './services.ts'
import { createSettings } from './settings/settings.ts'
import { createCloudApi } from './whatsapp/cloud-api.ts'
import type { WhatsApp } from './whatsapp/port.ts'

export interface ComposeOptions {
  readonly database: DatabaseOptions
  readonly dataDir: string
  /** At least 32 characters; made and kept in the data directory unless given. */
  readonly secret?: string | undefined
  /** What `POST /internal/tick` asks for; derived from the secret unless given. */
  readonly tickToken?: string | undefined
  readonly cache?: Omit<CachingOptions, 'databaseId'>
  /** The backend of sessions and limits; what their own variables say unless given. */
  readonly state?: Pick<CacheOptions, 'backend' | 'redisUrl' | 'detectBudget'>
  readonly rates?: Partial<Readonly<Record<LimitName, Rate>>>
  /** Where browsers find the site; over https cookies go no other way. */
  readonly publicUrl?: string | undefined
  /** As SMTP_URL; mail is written to files in the data directory unless given. */
  readonly smtpUrl?: string | undefined
  /** As ELASTICSEARCH_URL; the database searches unless given. */
  readonly elasticsearchUrl?: string | undefined
  readonly log?: FastifyBaseLogger
  readonly now?: () => number
  readonly passwords?: Passwords
  readonly whatsapp?: WhatsApp
}

export interface Composition extends Services {
  /** Tells the cache what waits, then closes it and the database. Servers and workers are closed before. */
  close(): Promise<void>
}

/** Opens everything that a process of the application works with. Nothing listens and nothing runs yet. */
export async function compose(options: ComposeOptions): Promise<Composition> {
  const { dataDir, now = Date.now, log = pino({ level: 'silent' }) } = options
  mkdirSync(dataDir, { recursive: true })
  const derived = createSecrets(readSecret(options.secret, dataDir))
  const secrets = { ...derived, tickToken: options.tickToken ?? derived.tickToken }
  const database = await openDatabase(options.database)
  const caching = openCaching({ ...options.cache, databaseId: database.id })
  const newId = createIdSource(now)
  const enabled = caching.cache.status().enabled
  const outbox = createCacheOutbox({ database, caching, newId, now, enabled })
  const logger = { warn: (line: string) => log.warn(line), info: (line: string) => log.info(line) }
  const kept = { ...options.state, databaseId: database.id, dataDir, logger }
  const sessions = openSessions({ ...kept, secure: options.publicUrl?.startsWith('https:') === true })
  const limits = openLimits({ ...kept, ...(options.rates === undefined ? {} : { rates: options.rates }) })
  const extra = [sessions.metrics, ...limits.metrics]
  const monitor = createMonitor(caching.cache, { logger, processName: 'campaigns', extra })
  const settings = createSettings(database, caching)
  const siteUrl = options.publicUrl ?? 'http://localhost:3000'
  const jobs = createJobs({ newId, handlers: HANDLERS })
  return {
    database,
    caching,
    monitor,
    outbox,
    cursors: createCursors(database.cursorSecret),
    newId,
    now,
    log,
    secrets,
    passwords: options.passwords ?? createPasswords(),
    sessions,
    limits,
    settings,
    mailer: createMailer({ smtpUrl: options.smtpUrl, siteUrl, dataDir, settings, log }),
    jobs,
    search: openSearch({ database, jobs, log, now, elasticsearchUrl: options.elasticsearchUrl }),
    media: createMediaStore(dataDir),
    whatsapp: options.whatsapp ?? createCloudApi({}),
    metrics: createMetrics(),
    dataDir,
    async close() {
      await caching.settle()
      await monitor.close()
      await limits.close()
      await sessions.close()
      await outbox.close()
      await caching.close()
      await database.close()
    },
  }
}
