import { createHmac } from 'node:crypto'
import { type GraphFault, webhookError } from './graph-error.ts'
import type { Person } from './person.ts'

export interface Business {
  readonly phoneNumberId: string
  readonly wabaId: string
  readonly displayPhone: string
}

export interface Pricing {
  readonly category: string
  readonly type: 'regular' | 'free_customer_service'
  readonly billable: boolean
}

export type InboundContent =
  | { readonly type: 'text'; readonly body: string }
  /** A tap on a quick reply of a template. */
  | { readonly type: 'button'; readonly text: string; readonly payload: string }
  /** A tap on a button of an interactive message. */
  | { readonly type: 'interactive'; readonly id: string; readonly title: string }
  | { readonly type: 'reaction'; readonly emoji: string; readonly messageId: string }
  | { readonly type: 'image'; readonly caption?: string }
  | { readonly type: 'unsupported' }

/** One thing that Meta has to tell. `at` is when it happened, which is not when it is told. */
export type Notice =
  | {
      readonly kind: 'status'
      readonly status: 'sent' | 'delivered' | 'read' | 'failed'
      readonly wamid: string
      readonly person: Person
      readonly at: number
      readonly conversationId: string
      readonly pricing: Pricing
      readonly fault?: GraphFault
      readonly callbackData?: string
    }
  | {
      readonly kind: 'message'
      readonly wamid: string
      readonly person: Person
      readonly at: number
      readonly content: InboundContent
      /** The message of the business that is answered. */
      readonly contextId?: string
    }
  | {
      readonly kind: 'template'
      readonly id: string
      readonly name: string
      readonly language: string
      readonly event: string
      readonly at: number
    }

const seconds = (at: number): string => String(Math.floor(at / 1000))
const DAY = 24 * 3_600_000

function contactOf({ name, phone, userId }: Person): object {
  const username = `u${userId.slice(-6)}`
  return {
    profile: { name, ...(phone === undefined && { username }) },
    ...(phone !== undefined && { wa_id: phone }),
    user_id: userId,
  }
}

function statusOf(notice: Extract<Notice, { kind: 'status' }>): object {
  const { status, wamid, person, at, conversationId, pricing, fault, callbackData } = notice
  const told = status === 'sent' || status === 'delivered'
  const expires = status === 'sent' && { expiration_timestamp: seconds(at + DAY) }
  return {
    id: wamid,
    status,
    timestamp: seconds(at),
    ...(person.phone !== undefined && { recipient_id: person.phone }),
    recipient_user_id: person.userId,
    ...(told && {
      conversation: { id: conversationId, ...expires, origin: { type: pricing.category } },
      pricing: { billable: pricing.billable, pricing_model: 'PMP', category: pricing.category, type: pricing.type },
    }),
    ...(fault !== undefined && { errors: [webhookError(fault)] }),
    ...(callbackData !== undefined && { biz_opaque_callback_data: callbackData }),
  }
}

function contentOf(content: InboundContent): object {
  switch (content.type) {
    case 'text':
      return { text: { body: content.body } }
    case 'button':
      return { button: { payload: content.payload, text: content.text } }
    case 'interactive':
      return { interactive: { type: 'button_reply', button_reply: { id: content.id, title: content.title } } }
    case 'reaction':
      return { reaction: { message_id: content.messageId, emoji: content.emoji } }
    case 'image': {
      const { caption } = content
      return {
        image: { id: '3000000001', mime_type: 'image/jpeg', sha256: '', ...(caption !== undefined && { caption }) },
      }
    }
    case 'unsupported':
      return { errors: [webhookError({ code: 131051, details: 'Message type is currently not supported.' })] }
  }
}

function messageOf(notice: Extract<Notice, { kind: 'message' }>, displayPhone: string): object {
  const { wamid, person, at, content, contextId } = notice
  return {
    ...(contextId !== undefined && { context: { from: displayPhone, id: contextId } }),
    ...(person.phone !== undefined && { from: person.phone }),
    from_user_id: person.userId,
    id: wamid,
    timestamp: seconds(at),
    type: content.type,
    ...contentOf(content),
  }
}

interface Change {
  readonly field: string
  readonly value: object
}

type PersonNotice = Exclude<Notice, { kind: 'template' }>

/** A status that failed may come without a contact: the message id is all there is. */
function contactsOf(notices: readonly PersonNotice[]): object[] {
  const people = new Map<string, Person>()
  for (const notice of notices) {
    if (notice.kind === 'message' || notice.status !== 'failed') people.set(notice.person.userId, notice.person)
  }
  return [...people.values()].map(contactOf)
}

function changeOf(notices: readonly PersonNotice[], { phoneNumberId, displayPhone }: Business): Change {
  const contacts = contactsOf(notices)
  const messages = notices.filter(notice => notice.kind === 'message').map(notice => messageOf(notice, displayPhone))
  const statuses = notices.filter(notice => notice.kind === 'status').map(statusOf)
  return {
    field: 'messages',
    value: {
      messaging_product: 'whatsapp',
      metadata: { display_phone_number: displayPhone, phone_number_id: phoneNumberId },
      ...(contacts.length > 0 && { contacts }),
      ...(messages.length > 0 && { messages }),
      ...(statuses.length > 0 && { statuses }),
    },
  }
}

function templateChange({ id, name, language, event }: Extract<Notice, { kind: 'template' }>): Change {
  return {
    field: 'message_template_status_update',
    value: {
      event,
      message_template_id: Number(id),
      message_template_name: name,
      message_template_language: language,
      reason: 'NONE',
    },
  }
}

/** How notices share an envelope: several entries, several changes of one entry, or several items of one change. */
export type Grouping = 'entries' | 'changes' | 'items'

/** Neighbours of one kind go together, so that reading in order still gives the order of the notices. */
function changesOf(notices: readonly Notice[], business: Business, grouping: Grouping): Change[] {
  const changes: Change[] = []
  let run: PersonNotice[] = []
  const flush = (): void => {
    if (run.length > 0) changes.push(changeOf(run, business))
    run = []
  }
  for (const notice of notices) {
    if (grouping !== 'items' || notice.kind === 'template' || run[0]?.kind !== notice.kind) flush()
    if (notice.kind === 'template') changes.push(templateChange(notice))
    else run.push(notice)
  }
  flush()
  return changes
}

/** The envelope of these notices, in their order. */
export function envelopeOf(notices: readonly Notice[], business: Business, grouping: Grouping): object {
  const changes = changesOf(notices, business, grouping)
  const time = Math.floor(Math.max(0, ...notices.map(notice => notice.at)) / 1000)
  const groups = grouping === 'entries' ? changes.map(change => [change]) : [changes]
  return {
    object: 'whatsapp_business_account',
    entry: groups.map(group => ({ id: business.wabaId, time, changes: group })),
  }
}

/**
 * The bytes as Meta writes them: letters outside ASCII and slashes are escaped. Who checks the signature of anything but
 * the bytes received, such as the text of a JSON that was read and written again, fails on the first accent.
 */
export function encodeEnvelope(envelope: object): Buffer {
  const escaped = JSON.stringify(envelope)
    .replace(/[\u0080-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replaceAll('/', '\\/')
  return Buffer.from(escaped, 'latin1')
}

/** The value of `X-Hub-Signature-256`. */
export function sign(bytes: Buffer, appSecret: string): string {
  return `sha256=${createHmac('sha256', appSecret).update(bytes).digest('hex')}`
}
