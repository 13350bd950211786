import { createHash } from 'node:crypto'
import type { INBOX_KINDS } from '../database/schema.ts'

/**
 * The envelopes of webhooks, taken apart: each message, status and error of each change of each entry becomes an event of
 * its own, with a key by which it is recognised when it comes again. Nothing is thrown away for being unknown.
 */
export interface WebhookEvent {
  readonly kind: (typeof INBOX_KINDS)[number]
  /** Unique among the events of an account; ASCII. */
  readonly key: string
  /** The number it is about; undefined for what concerns the whole WhatsApp Business account. */
  readonly phoneNumberId: string | undefined
  readonly wabaId: string | undefined
  /** json */
  readonly payload: string
}

type Fields = Readonly<Record<string, unknown>>

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

// No database takes every text that JSON can hold as a key: NUL and halves of characters are refused or changed.
const VISIBLE = /^[\x21-\x7e]+$/

/** An identifier, when it is one that can be stored and compared as it is. */
export function idOf(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' && value.length <= longest && VISIBLE.test(value) ? value : undefined
}

export const LONGEST_WAMID = 128
export const LONGEST_USER_ID = 160
const LONGEST_ID = 64
const LONGEST_TIMESTAMP = 20
const LONGEST_NAME = 200

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

type Source = Pick<WebhookEvent, 'phoneNumberId' | 'wabaId'>

/** What is no event that we know is kept as it is, once for each wording. */
function otherEvent(content: object, of: Source): WebhookEvent {
  const payload = JSON.stringify(content)
  return { ...of, kind: 'other', key: `other:${digest(payload)}`, payload }
}

/** `played` is told of voice messages that were listened to. */
const STATUSES: ReadonlySet<string> = new Set(['sent', 'delivered', 'read', 'played', 'failed'])

function statusEvent(status: unknown, of: Source): WebhookEvent {
  const { id, status: name, timestamp } = fieldsOf(status)
  const wamid = idOf(id, LONGEST_WAMID)
  if (wamid === undefined || typeof name !== 'string' || !STATUSES.has(name)) return otherEvent({ status }, of)
  // A message may fail twice, for different reasons; everything else happens to it once.
  const when = name === 'failed' ? `:${idOf(timestamp, LONGEST_TIMESTAMP) ?? ''}` : ''
  return { ...of, kind: 'status', key: `status:${wamid}:${name}${when}`, payload: JSON.stringify({ status }) }
}

/** Of a profile, what is used: repeated with each message, the whole of it would multiply the size of the envelope. */
function profileOf(contact: unknown): object {
  const { wa_id, user_id, parent_user_id, profile } = fieldsOf(contact)
  const { name, username } = fieldsOf(profile)
  return {
    wa_id: idOf(wa_id, LONGEST_ID),
    user_id: idOf(user_id, LONGEST_USER_ID),
    parent_user_id: idOf(parent_user_id, LONGEST_USER_ID),
    name: typeof name === 'string' ? name.slice(0, LONGEST_NAME) : undefined,
    username: typeof username === 'string' ? username.slice(0, LONGEST_NAME) : undefined,
  }
}

/** Finds who wrote, by either identifier; the only profile of an envelope is that of whoever wrote in it. */
function profilesOf(contacts: readonly unknown[]): (message: Fields) => object | null {
  const found = new Map<unknown, unknown>()
  for (const contact of contacts) {
    const { wa_id, user_id } = fieldsOf(contact)
    for (const id of [wa_id, user_id]) if (typeof id === 'string') found.set(id, contact)
  }
  const only = contacts.length === 1 ? contacts[0] : undefined
  return ({ from, from_user_id }) => {
    const contact = found.get(from_user_id) ?? found.get(from) ?? only
    return contact === undefined ? null : profileOf(contact)
  }
}

function messageEvents(messages: readonly unknown[], contacts: readonly unknown[], of: Source): WebhookEvent[] {
  const senderOf = profilesOf(contacts)
  return messages.map(message => {
    const wamid = idOf(fieldsOf(message)['id'], LONGEST_WAMID)
    if (wamid === undefined) return otherEvent({ message }, of)
    const payload = JSON.stringify({ message, contact: senderOf(fieldsOf(message)) })
    return { ...of, kind: 'message', key: `message:${wamid}`, payload }
  })
}

export const TEMPLATE_FIELDS = {
  status: 'message_template_status_update',
  quality: 'message_template_quality_update',
  category: 'template_category_update',
} as const
const ABOUT_TEMPLATES: ReadonlySet<unknown> = new Set(Object.values(TEMPLATE_FIELDS))

function changeEvents(change: unknown, wabaId: string | undefined, time: unknown): WebhookEvent[] {
  const { field, value } = fieldsOf(change)
  const { metadata, contacts, messages, statuses, errors } = fieldsOf(value)
  const of = { phoneNumberId: idOf(fieldsOf(metadata)['phone_number_id'], LONGEST_ID), wabaId }
  const whole = { field, value, time: time ?? null, waba_id: wabaId ?? null }
  if (ABOUT_TEMPLATES.has(field)) {
    const payload = JSON.stringify(whole)
    // The same status can be reached again later: only the time of the entry tells that from a repetition.
    return [{ ...of, kind: 'template', key: `template:${digest(payload)}`, payload }]
  }
  const known = [
    ...messageEvents(listOf(messages), listOf(contacts), of),
    ...listOf(statuses).map(status => statusEvent(status, of)),
    ...listOf(errors).map(error => otherEvent({ error, time: time ?? null }, of)),
  ]
  return field === 'messages' && known.length > 0 ? known : [otherEvent(whole, of)]
}

const LONGEST_RAW = 500_000
const NOWHERE: Source = { phoneNumberId: undefined, wabaId: undefined }

/** What cannot be read as JSON, or is nested too deep to be written again, is kept as text. */
function rawEvent(bytes: Buffer): WebhookEvent {
  const raw = bytes.toString('utf8', 0, LONGEST_RAW)
  const event = otherEvent({ raw, bytes: bytes.length }, NOWHERE)
  return { ...event, key: `other:${createHash('sha256').update(bytes).digest('hex')}` }
}

/** The events of a body, in its order. One that holds none is itself an event, of kind `other`. Never throws. */
export function readEnvelope(bytes: Buffer): readonly WebhookEvent[] {
  try {
    const body: unknown = JSON.parse(bytes.toString('utf8'))
    const events = listOf(fieldsOf(body)['entry']).flatMap(entry => {
      const { id, changes, time } = fieldsOf(entry)
      return listOf(changes).flatMap(change => changeEvents(change, idOf(id, LONGEST_ID), time))
    })
    return events.length > 0 ? events : [otherEvent({ body }, NOWHERE)]
  } catch {
    return [rawEvent(bytes)]
  }
}
