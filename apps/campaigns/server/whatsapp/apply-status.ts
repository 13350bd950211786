import { setConsent } from '../contacts/consent.ts'
import { forUpdate } from '../database/portable.ts'
import type { MessageTable } from '../database/schema.ts'
import { applyReport } from '../messages/states.ts'
import type { Work } from '../work.ts'
import type { Batch } from './batch.ts'
import { actionOf, classify } from './errors.ts'
import type { StatusEvent } from './events.ts'

/** What became of an event: applied, with a note for people where there is something to say; or not yet, and why. */
export interface Applied {
  readonly note?: string
  readonly later?: string
}

/**
 * Whether a status that names our own attempt is news of this message. An older attempt is none: somebody has retried
 * since. While the retry waits, that the old attempt arrived after all is believed, because it spares the person a second
 * message; that it failed, or only left, is what made somebody retry.
 */
function isNewsOf(message: MessageTable, attempt: number, { report }: StatusEvent): boolean {
  if (message.attempts !== attempt || message.wamid !== null) return false
  return message.status !== 'queued' || report.status === 'delivered' || report.status === 'read'
}

function find(batch: Batch, event: StatusEvent): MessageTable | Applied {
  const { wamid, callback, accountId } = event
  const isOurs = (message: MessageTable): boolean =>
    message.direction === 'out' && (message.account_id === null || message.account_id === accountId)
  const known = batch.byWamid(wamid)
  if (known !== undefined) return isOurs(known) ? known : { note: 'orphan: the message belongs to another account' }
  if (callback === undefined) return { later: 'the message is not known yet' }
  const named = batch.byId(callback.messageId)
  if (named === undefined || !isOurs(named)) return { note: 'orphan: there is no such message' }
  return isNewsOf(named, callback.attempt, event) ? named : { note: 'orphan: the message has been tried again since' }
}

/** Who stopped marketing with a tap in WhatsApp itself is told to us only by this error. */
async function optOut(work: Work, contactId: string): Promise<void> {
  const contact = await work.trx
    .selectFrom('contacts')
    .selectAll()
    .where('id', '=', contactId)
    .$call(forUpdate(work.engine))
    .executeTakeFirst()
  if (contact !== undefined) await setConsent(work, contact, 'opt_out')
}

async function heed(batch: Batch, { campaign_id, contact_id }: MessageTable, { report }: StatusEvent): Promise<void> {
  const { error } = report
  if (error === undefined || error.code === null) return
  const action = actionOf(classify(error.code), error.code)
  if (action === 'opt_out' && contact_id !== null) await optOut(batch.work, contact_id)
  if (campaign_id === null) return
  const reason = `${error.code}: ${error.detail}`
  if (action === 'stop_campaign') batch.halt(campaign_id, 'failed', reason)
  if (action === 'pause_campaign') batch.halt(campaign_id, 'paused', reason)
}

/** Applies news of an outbound message. */
export async function applyStatus(batch: Batch, event: StatusEvent): Promise<Applied> {
  const message = find(batch, event)
  if (!('id' in message)) return message
  const patch = applyReport(message, event.report)
  const named = message.wamid === null ? { wamid: event.wamid } : {}
  if (patch !== undefined || message.wamid === null) await batch.change(message, { ...patch, ...named })
  if (patch?.status === 'failed') await heed(batch, message, event)
  return {}
}
