import type { InboxTable, TemplateTable } from '../database/schema.ts'
import type { Work } from '../work.ts'
import type { Applied } from './apply-status.ts'
import { fieldsOf, idOf, TEMPLATE_FIELDS } from './envelope.ts'

/** Approved again: the event has a name of its own, the status has not. */
const SAME_AS: Readonly<Record<string, string>> = { REINSTATED: 'APPROVED', UNPAUSED: 'APPROVED' }
/** A warning: the template can still be sent. */
const WARNING = 'FLAGGED'
const WORD = /^[A-Z_]+$/

type Fields = ReturnType<typeof fieldsOf>

function wordOf(value: unknown, longest: number): string | undefined {
  const word = idOf(value, longest)
  return word !== undefined && WORD.test(word) && word !== WARNING ? (SAME_AS[word] ?? word) : undefined
}

function patchOf(field: unknown, value: Fields): Partial<TemplateTable> | undefined {
  const status = field === TEMPLATE_FIELDS.status ? wordOf(value['event'], 24) : undefined
  const quality = field === TEMPLATE_FIELDS.quality ? wordOf(value['new_quality_score'], 16) : undefined
  const category = field === TEMPLATE_FIELDS.category ? wordOf(value['new_category'], 32) : undefined
  if (status !== undefined) return { status }
  if (quality !== undefined) return { quality }
  return category === undefined ? undefined : { category }
}

const SECOND = 1000

/** Applies news of a template to each account of its WhatsApp Business account, unless a later sync knows better. */
export async function applyTemplateEvent({ trx, touch }: Work, row: InboxTable): Promise<Applied> {
  const { field, value, time } = fieldsOf(JSON.parse(row.payload))
  const fields = fieldsOf(value)
  const patch = patchOf(field, fields)
  const { message_template_name: name, message_template_language: language } = fields
  if (patch === undefined || typeof name !== 'string' || typeof language !== 'string')
    return { note: 'nothing to apply' }
  const at =
    typeof time === 'number' && Number.isSafeInteger(time) ? Math.min(time * SECOND, row.received_at) : row.received_at
  const templates = await trx
    .selectFrom('templates')
    .select(['templates.id', 'templates.synced_at'])
    .innerJoin('wa_accounts as theirs', 'theirs.id', 'templates.account_id')
    .innerJoin('wa_accounts as ours', 'ours.waba_id', 'theirs.waba_id')
    .where('ours.id', '=', row.account_id)
    .where('templates.name', '=', name)
    .where('templates.language', '=', language)
    .execute()
  if (templates.length === 0) return { note: 'the template is not known yet: the next synchronisation brings it' }
  // Times are told in whole seconds.
  const ids = templates.filter(template => template.synced_at < at + SECOND).map(template => template.id)
  if (ids.length === 0) return { note: 'older than what is known' }
  await trx
    .updateTable('templates')
    .set({ ...patch, synced_at: at })
    .where('id', 'in', ids)
    .execute()
  touch('templates')
  return {}
}
