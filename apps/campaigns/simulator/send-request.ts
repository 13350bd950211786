import type { GraphFault } from './graph-error.ts'
import { digitsOf, type Person, personOfPhone, personOfUserId } from './person.ts'

/** A refusal on its way to the caller. */
export class Refusal extends Error {
  readonly fault: GraphFault

  constructor(fault: GraphFault) {
    super(fault.details ?? `error ${fault.code}`)
    this.fault = fault
  }
}

export interface Button {
  readonly id: string
  readonly title: string
}

export type Content =
  | {
      readonly type: 'template'
      readonly name: string
      readonly language: string
      readonly bodyParameters: number
      /** Payloads of the quick replies, by the index of the button. */
      readonly payloads: ReadonlyMap<number, string>
    }
  | { readonly type: 'text'; readonly body: string }
  | { readonly type: 'interactive'; readonly body: string; readonly buttons: readonly Button[] }
  | { readonly type: 'media' | 'location' | 'contacts' | 'reaction' }

export interface SendRequest {
  readonly person: Person
  /** As it was given, for the answer. */
  readonly input: string
  readonly content: Content
  readonly callbackData?: string
}

type Fields = Readonly<Record<string, unknown>>

const MISSING = 131008
const NOT_VALID = 131009
const MEDIA: ReadonlySet<string> = new Set(['image', 'video', 'audio', 'document', 'sticker'])
const BSUID = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/
const PHONE = /^\+?[1-9]\d{6,14}$/

function fields(value: unknown, path: string): Fields {
  if (value === undefined) throw new Refusal({ code: MISSING, details: `Parameter '${path}' is mandatory.` })
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new Refusal({ code: NOT_VALID, details: `Parameter '${path}' must be an object.` })
}

function list(value: unknown, path: string): readonly unknown[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value
  throw new Refusal({ code: NOT_VALID, details: `Parameter '${path}' must be an array.` })
}

function text(value: unknown, path: string, most: number): string {
  if (value === undefined || value === '') {
    throw new Refusal({ code: MISSING, details: `Parameter '${path}' is mandatory.` })
  }
  if (typeof value !== 'string')
    throw new Refusal({ code: NOT_VALID, details: `Parameter '${path}' must be a string.` })
  if (value.length > most) {
    throw new Refusal({ code: NOT_VALID, details: `Parameter '${path}' must not exceed ${most} characters.` })
  }
  return value
}

/** Meta writes as it likes; a phone in any other form is read by its digits. */
function readPerson({ to, recipient }: Fields): { person: Person; input: string } {
  if (to !== undefined) {
    const input = text(to, 'to', 32)
    if (!PHONE.test(input)) throw new Refusal({ code: NOT_VALID, details: "Parameter 'to' is not a phone number." })
    return { person: personOfPhone(digitsOf(input)), input }
  }
  if (recipient === undefined) throw new Refusal({ code: 100, details: "Parameter 'to' or 'recipient' is mandatory." })
  const input = text(recipient, 'recipient', 160)
  if (!BSUID.test(input)) throw new Refusal({ code: NOT_VALID, details: "Parameter 'recipient' is not a user id." })
  return { person: personOfUserId(input), input }
}

function readTemplate(value: unknown): Content {
  const { name, language, components } = fields(value, 'template')
  const payloads = new Map<number, string>()
  let bodyParameters = 0
  for (const component of list(components, 'template.components')) {
    const { type, sub_type, index, parameters } = fields(component, 'template.components')
    const values = list(parameters, 'template.components.parameters').map(one => fields(one, 'parameters'))
    const kind = text(type, 'template.components.type', 20).toLowerCase()
    if (kind === 'body') bodyParameters += values.length
    if (kind !== 'button' || sub_type !== 'quick_reply') continue
    payloads.set(Number(index), text(values[0]?.['payload'], 'template.components.parameters.payload', 256))
  }
  return {
    type: 'template',
    name: text(name, 'template.name', 512),
    language: text(fields(language, 'template.language')['code'], 'template.language.code', 15),
    bodyParameters,
    payloads,
  }
}

const MOST_BUTTONS = 3

function readButtons(value: unknown): readonly Button[] {
  const buttons = list(value, 'interactive.action.buttons').map(one => {
    const { type, reply } = fields(one, 'interactive.action.buttons')
    if (type !== 'reply') throw new Refusal({ code: NOT_VALID, details: "A button's type must be 'reply'." })
    const { id, title } = fields(reply, 'interactive.action.buttons.reply')
    return { id: text(id, 'button id', 256), title: text(title, 'button title', 20) }
  })
  if (buttons.length === 0 || buttons.length > MOST_BUTTONS) {
    throw new Refusal({ code: NOT_VALID, details: 'There must be 1 to 3 buttons.' })
  }
  if (new Set(buttons.map(({ id }) => id)).size < buttons.length) {
    throw new Refusal({ code: NOT_VALID, details: 'Button ids must be unique.' })
  }
  return buttons
}

function readInteractive(value: unknown): Content {
  const { type, body, action } = fields(value, 'interactive')
  const kind = text(type, 'interactive.type', 40)
  const words = text(fields(body, 'interactive.body')['text'], 'interactive.body.text', kind === 'button' ? 1024 : 4096)
  const chosen = fields(action, 'interactive.action')
  return { type: 'interactive', body: words, buttons: kind === 'button' ? readButtons(chosen['buttons']) : [] }
}

function readMedia(value: unknown, type: string): Content {
  const { id, link } = fields(value, type)
  if (id === undefined && link === undefined) {
    throw new Refusal({ code: MISSING, details: `Parameter '${type}.id' or '${type}.link' is mandatory.` })
  }
  return { type: 'media' }
}

function readContent(body: Fields): Content {
  const type = body['type'] === undefined ? 'text' : text(body['type'], 'type', 40)
  if (type === 'template') return readTemplate(body['template'])
  if (type === 'text') return { type, body: text(fields(body['text'], 'text')['body'], 'text.body', 4096) }
  if (type === 'interactive') return readInteractive(body['interactive'])
  if (MEDIA.has(type)) return readMedia(body[type], type)
  if (type === 'contacts' && list(body['contacts'], 'contacts').length > 0) return { type }
  if (type === 'location' || type === 'reaction') {
    fields(body[type], type)
    return { type }
  }
  throw new Refusal({ code: 100, details: `Param type must be one of the message types - got "${type}".` })
}

const MOST_CALLBACK_BYTES = 512

/** Reads the body of `POST /{phone-number-id}/messages`; throws a `Refusal` that says what Meta would. */
export function readSendRequest(value: unknown): SendRequest {
  const body = fields(value, 'body')
  if (body['messaging_product'] !== 'whatsapp') {
    throw new Refusal({ code: 100, details: "Parameter 'messaging_product' must be 'whatsapp'." })
  }
  const callbackData = body['biz_opaque_callback_data']
  if (callbackData !== undefined && typeof callbackData !== 'string') {
    throw new Refusal({ code: NOT_VALID, details: "Parameter 'biz_opaque_callback_data' must be a string." })
  }
  if (callbackData !== undefined && Buffer.byteLength(callbackData) > MOST_CALLBACK_BYTES) {
    throw new Refusal({ code: NOT_VALID, details: "Parameter 'biz_opaque_callback_data' must not exceed 512 bytes." })
  }
  const content = readContent(body)
  return { ...readPerson(body), content, ...(callbackData !== undefined && { callbackData }) }
}
