import { insertIfAbsent, isTransient, skipLocked } from '../database/portable.ts'
import { type InboxTable, INBOX_KINDS } from '../database/schema.ts'
import type { Drain } from '../jobs/contract.ts'
import type { Services } from '../services.ts'
import type { SettingValues } from '../settings/definitions.ts'
import { type Work, write } from '../work.ts'
import { applyEvents } from './apply-events.ts'
import type { Applied } from './apply-status.ts'
import { readEnvelope, type WebhookEvent } from './envelope.ts'
import type { Signer } from './signature.ts'

/**
 * The inbox of webhooks: what Meta told us, stored before it is answered and applied afterwards. A row leaves the inbox
 * in the transaction that applies it, so whatever kills the process, each event is applied once.
 */

/** For whom the event may be: of the accounts that signed it, the one that it names. */
function accountOf({ phoneNumberId, wabaId }: WebhookEvent, signers: readonly Signer[]): Signer | undefined {
  if (phoneNumberId !== undefined) return signers.find(signer => signer.phone_number_id === phoneNumberId)
  return wabaId === undefined ? signers[0] : signers.find(signer => signer.waba_id === wabaId)
}

function rowsOf(
  { newId, metrics, log }: Services,
  signers: readonly Signer[],
  bytes: Buffer,
  at: number,
): InboxTable[] {
  const rows = new Map<string, InboxTable>()
  for (const event of readEnvelope(bytes)) {
    const { kind, key, payload, phoneNumberId, wabaId } = event
    const account = accountOf(event, signers)
    if (account === undefined) {
      // Its signer may not speak for this number, or nobody has told us of it. Meta would repeat it for days otherwise.
      metrics.event(kind, 'refused')
      log.warn({ phoneNumberId, wabaId }, 'an event of a number without an account was refused')
      continue
    }
    const dedupe_key = `${account.id}:${key}`
    rows.set(dedupe_key, {
      id: newId(),
      account_id: account.id,
      kind,
      dedupe_key,
      payload,
      received_at: at,
      // There is nothing to do about the others but to keep them.
      processed_at: kind === 'other' ? at : null,
      attempts: 0,
      next_attempt_at: at,
      error: null,
    })
  }
  return [...rows.values()]
}

/** Stores the events of a signed body in one transaction; what is there already stays as it is. */
export async function storeWebhook(services: Services, signers: readonly Signer[], bytes: Buffer): Promise<void> {
  const rows = rowsOf(services, signers, bytes, services.now())
  if (rows.length === 0) return
  // By key, so that two deliveries of the same events wait for each other and not in a circle.
  const sorted = rows.sort((a, b) => (a.dedupe_key < b.dedupe_key ? -1 : 1))
  const parts = INBOX_KINDS.map(kind => ({ kind, rows: sorted.filter(row => row.kind === kind) }))
  const inserted = await write(services, async ({ trx, engine }) => {
    const counts: number[] = []
    for (const part of parts) counts.push(await insertIfAbsent(trx, engine, 'webhook_inbox', part.rows))
    return counts
  })
  for (const [index, { kind, rows: all }] of parts.entries()) {
    const fresh = inserted[index] ?? 0
    for (let count = 0; count < all.length; count++) services.metrics.event(kind, count < fresh ? 'new' : 'repeated')
  }
  services.jobs.wake()
}

const BATCH = 200
const SECOND = 1000
/** For so long the commit of our own send may lag behind the news of it. */
const PATIENCE = 600 * SECOND
const LONGEST_PAUSE = 3600 * SECOND

const pauseAfter = (attempts: number): number => Math.min(SECOND * 2 ** Math.min(attempts, 20), LONGEST_PAUSE)

async function claim({ trx, engine, at }: Work, limit: number): Promise<InboxTable[]> {
  return await trx
    .selectFrom('webhook_inbox')
    .selectAll()
    .where('processed_at', 'is', null)
    .where('next_attempt_at', '<=', at)
    .orderBy('next_attempt_at')
    .orderBy('id')
    .limit(limit)
    .$call(skipLocked(engine))
    .execute()
}

async function settle(
  { trx, at }: Work,
  rows: readonly InboxTable[],
  applied: ReadonlyMap<string, Applied>,
): Promise<void> {
  const done: string[] = []
  for (const { id, attempts, received_at } of rows) {
    const { later, note = null } = applied.get(id) ?? {}
    if (later === undefined && note === null) {
      done.push(id)
      continue
    }
    const over = later === undefined || at >= received_at + PATIENCE
    await trx
      .updateTable('webhook_inbox')
      .set({
        attempts: attempts + 1,
        error: later ?? note,
        ...(over
          ? { processed_at: at }
          : { next_attempt_at: Math.min(at + pauseAfter(attempts), received_at + PATIENCE) }),
      })
      .where('id', '=', id)
      .execute()
  }
  if (done.length === 0) return
  await trx.updateTable('webhook_inbox').set({ processed_at: at, error: null }).where('id', 'in', done).execute()
}

async function applyRows(
  services: Services,
  work: Work,
  settings: SettingValues,
  rows: readonly InboxTable[],
): Promise<void> {
  // By the time of receipt, as far as clocks of several processes agree; nothing depends on it but the look of a log.
  const ordered = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  await settle(work, ordered, await applyEvents(services, work, settings, ordered))
}

/** A row that fails by itself waits longer and longer and says why; all others go past it. */
async function applyAlone(services: Services, settings: SettingValues, id: string): Promise<void> {
  const find = async ({ trx, engine }: Work): Promise<InboxTable | undefined> =>
    await trx
      .selectFrom('webhook_inbox')
      .selectAll()
      .where('id', '=', id)
      .where('processed_at', 'is', null)
      .$call(skipLocked(engine))
      .executeTakeFirst()
  const options = { pace: 'soon' } as const
  try {
    await write(
      services,
      async work => {
        const row = await find(work)
        if (row !== undefined) await applyRows(services, work, settings, [row])
      },
      options,
    )
  } catch (error) {
    if (isTransient(error)) throw error
    services.log.error({ err: error, event: id }, 'an event of a webhook cannot be applied')
    services.metrics.event('webhook', 'failed')
    const why = (error instanceof Error ? error.message : String(error)).replaceAll('\0', '').slice(0, 500)
    await write(services, async work => {
      const row = await find(work)
      if (row === undefined) return
      const next = { attempts: row.attempts + 1, next_attempt_at: work.at + pauseAfter(row.attempts), error: why }
      await work.trx.updateTable('webhook_inbox').set(next).where('id', '=', id).execute()
    })
  }
}

async function drain(services: Services, signal: AbortSignal): Promise<number> {
  if (signal.aborted) return 0
  const settings = await services.settings.read()
  let ids: readonly string[] = []
  try {
    return await write(
      services,
      async work => {
        const rows = await claim(work, BATCH)
        ids = rows.map(row => row.id)
        if (rows.length > 0) await applyRows(services, work, settings, rows)
        return rows.length
      },
      { pace: 'soon' },
    )
  } catch (error) {
    if (ids.length === 0 || isTransient(error)) throw error
    services.log.warn({ err: error, events: ids.length }, 'a batch of webhook events failed; applying them one by one')
  }
  for (const id of ids) {
    if (signal.aborted) break
    await applyAlone(services, settings, id)
  }
  return ids.length
}

/** Applies what is due, 200 events a transaction. Any number of drains may run beside each other. */
export const inboxDrain: Drain = { name: 'inbox', run: drain }
