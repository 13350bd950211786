import type { Identity } from '../contacts/identity.ts'
import type { InboxTable } from '../database/schema.ts'
import type { ReportedStatus, StatusReport } from '../messages/states.ts'
import { fieldsOf, idOf, LONGEST_USER_ID, LONGEST_WAMID } from './envelope.ts'
import { classify } from './errors.ts'

/** The events of the inbox as they are applied: read from what Meta sent, nothing of which is trusted to be there. */
export interface StatusEvent {
  readonly accountId: string
  readonly wamid: string
  readonly report: StatusReport
  /** Our own name of the attempt, as it came back; undefined when it did not. */
  readonly callback: { readonly messageId: string; readonly attempt: number } | undefined
}

export interface IdentityChange {
  /** The user id or the number that was; at least one is there. */
  readonly userId: string | undefined
  readonly waId: string | undefined
  readonly newUserId: string
  readonly newWaId: string | undefined
}

export interface InboundEvent {
  readonly id: string
  readonly accountId: string
  readonly wamid: string
  readonly type: string
  readonly body: string | null
  /** The message that it answers, or reacts to. */
  readonly contextWamid: string | undefined
  /** When it was written, in milliseconds since 1970. */
  readonly at: number
  /** Undefined when WhatsApp did not say who it is from, and for news about people, which are from nobody. */
  readonly identity: Identity | undefined
  readonly change: IdentityChange | undefined
}

const SECONDS = /^\d{1,11}$/

/** Never later than it came: their clock may be ahead of ours. */
function timeOf(timestamp: unknown, receivedAt: number): number {
  const text = typeof timestamp === 'number' ? String(timestamp) : timestamp
  return typeof text === 'string' && SECONDS.test(text) ? Math.min(Number(text) * 1000, receivedAt) : receivedAt
}

/** PostgreSQL takes no NUL. */
function plain(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' ? value.replaceAll('\0', '').slice(0, longest) : undefined
}

const REPORTED: Readonly<Record<string, ReportedStatus>> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  played: 'read',
  failed: 'failed',
}

const CALLBACK = /^([\da-f-]{36})\.(\d{1,9})$/
const LONGEST_DETAIL = 500
const LONGEST_PRICING = 40

function errorOf(errors: unknown): NonNullable<StatusReport['error']> {
  const { code, title, message, error_data } = fieldsOf(Array.isArray(errors) ? errors[0] : undefined)
  const known = typeof code === 'number' && Number.isSafeInteger(code) && Math.abs(code) < 2 ** 31 ? code : null
  const texts = [message ?? title, fieldsOf(error_data)['details']].map(text => plain(text, LONGEST_DETAIL))
  const detail = [...new Set(texts)].filter(text => text !== undefined && text !== '').join(': ')
  return {
    code: known,
    errorClass: known === null ? 'other' : classify(known),
    detail: detail.slice(0, LONGEST_DETAIL),
  }
}

function pricingOf(pricing: unknown): NonNullable<StatusReport['pricing']> {
  const { category, type, billable } = fieldsOf(pricing)
  return {
    category: idOf(category, LONGEST_PRICING) ?? null,
    type: idOf(type, LONGEST_PRICING) ?? null,
    billable: typeof billable === 'boolean' ? billable : null,
  }
}

export function readStatus({ account_id, payload, received_at }: InboxTable): StatusEvent {
  const { id, status, timestamp, errors, pricing, biz_opaque_callback_data } = fieldsOf(
    fieldsOf(JSON.parse(payload))['status'],
  )
  const wamid = idOf(id, LONGEST_WAMID)
  const reported = REPORTED[String(status)]
  if (wamid === undefined || reported === undefined) throw new Error('a status without an id or a name that is known')
  const [, messageId, attempt] = CALLBACK.exec(String(biz_opaque_callback_data)) ?? []
  return {
    accountId: account_id,
    wamid,
    report: {
      status: reported,
      at: timeOf(timestamp, received_at),
      ...(reported === 'failed' ? { error: errorOf(errors) } : {}),
      ...(pricing === undefined ? {} : { pricing: pricingOf(pricing) }),
    },
    callback: messageId === undefined ? undefined : { messageId, attempt: Number(attempt) },
  }
}

const DIGITS = /^\d{5,20}$/
const USER_ID = /^[A-Z]{2}\.[A-Za-z0-9.]+$/

function waIdOf(value: unknown): string | undefined {
  return typeof value === 'string' && DIGITS.test(value) ? value : undefined
}

function userIdOf(value: unknown): string | undefined {
  const id = idOf(value, LONGEST_USER_ID)
  return id !== undefined && USER_ID.test(id) ? id : undefined
}

function identityOf(message: ReturnType<typeof fieldsOf>, profile: ReturnType<typeof fieldsOf>): Identity | undefined {
  const waId = waIdOf(message['from']) ?? waIdOf(profile['wa_id'])
  const bsuid = userIdOf(message['from_user_id']) ?? userIdOf(profile['user_id'])
  if (waId === undefined && bsuid === undefined) return undefined
  const parentBsuid = userIdOf(message['from_parent_user_id']) ?? userIdOf(profile['parent_user_id'])
  return { waId, bsuid, parentBsuid, username: plain(profile['username'], 80), name: plain(profile['name'], 200) }
}

/** Somebody has another number, or another user id, which comes with a number. */
function changeOf(message: ReturnType<typeof fieldsOf>): IdentityChange | undefined {
  const system = fieldsOf(message['system'])
  const newUserId = userIdOf(system['user_id'])
  const userId = userIdOf(system['previous_user_id']) ?? userIdOf(message['from_user_id'])
  const waId = waIdOf(message['from'])
  if (newUserId === undefined || (userId === undefined && waId === undefined)) return undefined
  return { userId, waId, newUserId, newWaId: waIdOf(system['wa_id']) }
}

const LONGEST_BODY = 10_000
const LONGEST_TYPE = 16

/** What people read of it: the text, the button, the caption. */
function bodyOf(type: string, message: ReturnType<typeof fieldsOf>): string | null {
  const content = fieldsOf(message[type])
  const reply = fieldsOf(content['button_reply'] ?? content['list_reply'] ?? content['nfm_reply'])
  const error = fieldsOf(Array.isArray(message['errors']) ? message['errors'][0] : undefined)
  const candidates = [
    ...[content['body'], content['text'], content['caption'], reply['title'], reply['body'], content['emoji']],
    ...[content['name'], content['filename'], error['title']],
  ]
  return candidates.map(text => plain(text, LONGEST_BODY)).find(text => text !== undefined && text !== '') ?? null
}

export function readInbound({ id, account_id, payload, received_at }: InboxTable): InboundEvent {
  const event = fieldsOf(JSON.parse(payload))
  const message = fieldsOf(event['message'])
  const wamid = idOf(message['id'], LONGEST_WAMID)
  if (wamid === undefined) throw new Error('a message without an id')
  const type = idOf(message['type'], LONGEST_TYPE) ?? 'unsupported'
  const context = type === 'reaction' ? fieldsOf(message['reaction'])['message_id'] : fieldsOf(message['context'])['id']
  const isSystem = type === 'system'
  return {
    id,
    accountId: account_id,
    wamid,
    type,
    body: bodyOf(type, message),
    contextWamid: idOf(context, LONGEST_WAMID),
    at: timeOf(message['timestamp'], received_at),
    identity: isSystem ? undefined : identityOf(message, fieldsOf(event['contact'])),
    change: isSystem ? changeOf(message) : undefined,
  }
}
