import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/schema.ts'
import type { SettingValues } from '../settings/definitions.ts'
import { write } from '../work.ts'
import type { JobContext, JobHandler } from './contract.ts'
import { TICK_KEYS } from './ticks.ts'

/** One kind of rows that are kept for a while only: the oldest are found on an index, a part at a time. */
interface Sweep {
  readonly name: string
  /** How many days its rows are kept. */
  days(settings: SettingValues): number
  find(db: Kysely<Tables>, before: number): Promise<readonly { readonly id: string }[]>
  remove(trx: Transaction<Tables>, ids: readonly string[]): Promise<unknown>
}

const DAY_MS = 86_400_000
const PART = 500
/** The tick of each minute leaves 1,440 jobs a day that nobody reads. Longer than the claim of an occurrence is kept. */
const TICK_DAYS = 3
/** A link for a new password is dead when it was used or an hour has passed. */
const RESET_DAYS = 1

const removeJobs: Sweep['remove'] = (trx, ids) =>
  trx
    .deleteFrom('jobs')
    .where('id', 'in', [...ids])
    .execute()

const SWEEPS: readonly Sweep[] = [
  {
    name: 'processed webhooks',
    days: settings => settings.inbox_days,
    find: (db, before) =>
      db
        .selectFrom('webhook_inbox')
        .select('id')
        .where('processed_at', '<', before)
        .orderBy('processed_at')
        .limit(PART)
        .execute(),
    remove: (trx, ids) =>
      trx
        .deleteFrom('webhook_inbox')
        .where('id', 'in', [...ids])
        .execute(),
  },
  {
    name: 'jobs of ticks',
    days: () => TICK_DAYS,
    find: (db, before) =>
      db
        .selectFrom('jobs')
        .select('id')
        .where('dedupe_key', '>', TICK_KEYS.from)
        .where('dedupe_key', '<', TICK_KEYS.to)
        .where('status', '=', 'done')
        .where('finished_at', '<', before)
        .limit(PART)
        .execute(),
    remove: removeJobs,
  },
  {
    name: 'ended jobs',
    days: settings => settings.jobs_days,
    find: (db, before) =>
      db.selectFrom('jobs').select('id').where('finished_at', '<', before).orderBy('finished_at').limit(PART).execute(),
    remove: removeJobs,
  },
  {
    name: 'history',
    days: settings => settings.history_days,
    find: (db, before) =>
      db
        .selectFrom('admin_history')
        .select('id')
        .where('timestamp', '<', before)
        .orderBy('timestamp')
        .limit(PART)
        .execute(),
    remove: (trx, ids) =>
      trx
        .deleteFrom('admin_history')
        .where('id', 'in', [...ids])
        .execute(),
  },
  {
    name: 'mail',
    days: settings => settings.jobs_days,
    find: (db, before) =>
      db
        .selectFrom('emails')
        .select('id')
        .where('created_at', '<', before)
        .where('status', '!=', 'queued')
        .orderBy('created_at')
        .limit(PART)
        .execute(),
    remove: (trx, ids) =>
      trx
        .deleteFrom('emails')
        .where('id', 'in', [...ids])
        .execute(),
  },
  {
    name: 'events of the cache',
    days: settings => settings.history_days,
    find: (db, before) =>
      db.selectFrom('cache_events').select('id').where('at', '<', before).orderBy('at').limit(PART).execute(),
    remove: (trx, ids) =>
      trx
        .deleteFrom('cache_events')
        .where('id', 'in', [...ids])
        .execute(),
  },
  {
    name: 'links for new passwords',
    days: () => RESET_DAYS,
    find: (db, before) =>
      db
        .selectFrom('password_resets')
        .select('token_hash as id')
        .where('expires_at', '<', before)
        .orderBy('expires_at')
        .limit(PART)
        .execute(),
    remove: (trx, ids) =>
      trx
        .deleteFrom('password_resets')
        .where('token_hash', 'in', [...ids])
        .execute(),
  },
]

async function sweepAll({ services, signal }: JobContext<object>, sweep: Sweep, before: number): Promise<number> {
  for (let removed = 0; ; ) {
    signal.throwIfAborted()
    const rows = await sweep.find(services.database.writer, before)
    if (rows.length > 0)
      await write(services, ({ trx }) =>
        sweep.remove(
          trx,
          rows.map(row => row.id),
        ),
      )
    removed += rows.length
    if (rows.length < PART) return removed
  }
}

/** Takes away what has been kept long enough, in small transactions that hold nobody up. Harmless to run twice. */
export const maintenance: JobHandler<object> = {
  name: 'maintenance',
  queue: 'maintenance',
  maxAttempts: 5,
  parse: () => ({}),
  async run(context) {
    const { services } = context
    const settings = await services.settings.read()
    const result: Record<string, number> = {}
    for (const sweep of SWEEPS) {
      result[sweep.name] = await sweepAll(context, sweep, services.now() - sweep.days(settings) * DAY_MS)
    }
    return { result }
  },
}
