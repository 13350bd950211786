import type { CampaignTable, ContactTable, TemplateTable } from '../database/schema.ts'
import type { OutgoingContent, Recipient, ReplyButton } from '../whatsapp/port.ts'

/**
 * What is sent to one contact, made of a template or a text and the contact's own fields. Made once, when the message
 * is: what a contact is called later changes nothing of what was planned.
 */

/** A text for everybody, or a field of the contact, with what stands in for it where the contact has none. */
export type ParamValue = string | { readonly field: string; readonly fallback?: string }
/** By placeholder: `1` or `first_name` of the body, `header.1`, `header.link`, `button.0.1`. */
export type Params = Readonly<Record<string, ParamValue>>

export type Addressee = Pick<ContactTable, 'name' | 'phone_e164' | 'email' | 'username' | 'attributes'>
type Identifiers = Pick<ContactTable, 'phone_e164' | 'wa_id' | 'bsuid'>
type TemplateText = Pick<TemplateTable, 'name' | 'language' | 'components'>

export interface Rendered {
  readonly content: OutgoingContent
  /** As the contact reads it. */
  readonly body: string
}

/** Where to reach the contact. A phone goes first: some templates pass to nothing else. */
export function recipientOf(contact: Identifiers): Recipient | undefined {
  const { phone_e164, wa_id, bsuid } = contact
  if (phone_e164 !== null) return { phone: phone_e164 }
  if (wa_id !== null) return { phone: `+${wa_id}` }
  return bsuid === null ? undefined : { userId: bsuid }
}

const CONTACT_FIELDS = ['name', 'first_name', 'phone', 'email', 'username'] as const
const ATTRIBUTE = 'attributes.'

export const FIELD_EXPECTED: string = `one of ${CONTACT_FIELDS.join(', ')} or ${ATTRIBUTE}<name>`

export function isContactField(field: string): boolean {
  if ((CONTACT_FIELDS as readonly string[]).includes(field)) return true
  return field.startsWith(ATTRIBUTE) && field.length > ATTRIBUTE.length
}

function attributeOf({ attributes }: Addressee, name: string): string | null {
  const all = attributes === null ? {} : (JSON.parse(attributes) as Readonly<Record<string, unknown>>)
  const value = Object.hasOwn(all, name) ? all[name] : null
  return typeof value === 'string' ? value : null
}

function fieldOf(contact: Addressee, field: string): string | null {
  if (field.startsWith(ATTRIBUTE)) return attributeOf(contact, field.slice(ATTRIBUTE.length))
  if (field === 'name') return contact.name
  if (field === 'first_name') return contact.name.trim().split(/\s+/)[0] ?? null
  if (field === 'phone') return contact.phone_e164
  if (field === 'email') return contact.email
  return field === 'username' ? contact.username : null
}

/** WhatsApp refuses parameters with line ends, tabs or four spaces in a row. */
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** The text of a parameter for this contact; undefined when it would be empty, which WhatsApp refuses. */
function resolve(value: ParamValue | undefined, contact: Addressee): string | undefined {
  if (value === undefined) return undefined
  const text = typeof value === 'string' ? value : (fieldOf(contact, value.field) ?? '')
  const line = oneLine(text)
  if (line !== '') return line
  const fallback = typeof value === 'string' ? '' : oneLine(value.fallback ?? '')
  return fallback === '' ? undefined : fallback
}

interface Component {
  readonly type: string
  readonly format?: string
  readonly text?: string
  readonly buttons?: readonly { readonly type: string; readonly text?: string; readonly url?: string }[]
}

/** One parameter that the template asks for. */
interface Slot {
  /** Its key in `Params`. */
  readonly key: string
  readonly part: 'header' | 'body' | 'button'
  /** Of the button. */
  readonly index: number
  /** As in the text, between the braces. */
  readonly name: string
  /** For headers: image, video or document. */
  readonly media?: string
}

const PLACEHOLDER = /\{\{\s*([\w.]+)\s*\}\}/g

function namesIn(text: string | undefined): string[] {
  return [...new Set(Array.from((text ?? '').matchAll(PLACEHOLDER), match => match[1] ?? ''))]
}

function componentsOf({ components }: Pick<TemplateTable, 'components'>): Component[] {
  return JSON.parse(components) as Component[]
}

function slotsOf(template: Pick<TemplateTable, 'components'>): Slot[] {
  return componentsOf(template).flatMap(({ type, format, text, buttons = [] }): Slot[] => {
    const kind = type.toUpperCase()
    if (kind === 'BODY') return namesIn(text).map(name => ({ key: name, part: 'body', index: 0, name }))
    if (kind === 'HEADER') {
      const media = (format ?? 'TEXT').toLowerCase()
      if (['image', 'video', 'document'].includes(media)) {
        return [{ key: 'header.link', part: 'header', index: 0, name: 'link', media }]
      }
      return namesIn(text).map(name => ({ key: `header.${name}`, part: 'header', index: 0, name }))
    }
    return buttons.flatMap((button, index) =>
      namesIn(button.url).map((name): Slot => ({ key: `button.${index}.${name}`, part: 'button', index, name })),
    )
  })
}

/** The keys of the parameters that the template asks for, in their order. */
export function placeholdersOf(template: Pick<TemplateTable, 'components'>): string[] {
  return slotsOf(template).map(slot => slot.key)
}

function parameterOf({ name, media }: Slot, text: string): object {
  if (media !== undefined) return { type: media, [media]: { link: text } }
  return { type: 'text', ...(/^\d+$/.test(name) ? {} : { parameter_name: name }), text }
}

const NUMBERED = /^\d+$/

/** Positional parameters go in the order of their numbers, wherever they stand in the text. */
function inOrder(slots: readonly Slot[]): Slot[] {
  return slots.toSorted((a, b) =>
    NUMBERED.test(a.name) && NUMBERED.test(b.name) ? Number(a.name) - Number(b.name) : 0,
  )
}

function fill(text: string | undefined, prefix: string, values: ReadonlyMap<string, string>): string {
  return (text ?? '').replace(PLACEHOLDER, (whole, name: string) => values.get(`${prefix}${name}`) ?? whole)
}

/** As the contact reads it: header, body and footer, one below the other. */
function previewOf(template: Pick<TemplateTable, 'components'>, values: ReadonlyMap<string, string>): string {
  const lines = componentsOf(template).map(({ type, text }) => {
    const kind = type.toUpperCase()
    if (kind === 'BODY') return fill(text, '', values)
    if (kind === 'HEADER') return fill(text, 'header.', values)
    return kind === 'FOOTER' ? (text ?? '') : ''
  })
  return lines.filter(line => line !== '').join('\n')
}

/** What is sent of the template; undefined when a parameter has no text for this contact. */
export function templateContent(template: TemplateText, params: Params, contact: Addressee): Rendered | undefined {
  const slots = slotsOf(template)
  const values = new Map<string, string>()
  for (const { key } of slots) {
    const text = resolve(Object.hasOwn(params, key) ? params[key] : undefined, contact)
    if (text === undefined) return undefined
    values.set(key, text)
  }
  const parametersOf = (mine: readonly Slot[]): object[] =>
    inOrder(mine).map(slot => parameterOf(slot, values.get(slot.key) ?? ''))
  const whole = (['header', 'body'] as const).flatMap(part => {
    const mine = slots.filter(slot => slot.part === part)
    return mine.length === 0 ? [] : [{ type: part, parameters: parametersOf(mine) }]
  })
  const links = [...new Set(slots.filter(slot => slot.part === 'button').map(slot => slot.index))].map(index => ({
    type: 'button',
    sub_type: 'url',
    index: String(index),
    parameters: parametersOf(slots.filter(slot => slot.part === 'button' && slot.index === index)),
  }))
  const { name, language } = template
  return {
    content: { type: 'template', name, language, components: [...whole, ...links] },
    body: previewOf(template, values),
  }
}

/** `{{first_name}}` in a free text is that field of the contact, and nothing where they have none. */
function fillText(text: string, contact: Addressee): string {
  return text.replace(PLACEHOLDER, (whole, field: string) =>
    isContactField(field) ? (fieldOf(contact, field) ?? '') : whole,
  )
}

type FreeForm = Pick<CampaignTable, 'message2_kind' | 'message2_body' | 'message2_buttons'>

/** Message 2 of a campaign as a text or with buttons; undefined when it is a template or there is none. */
export function freeFormContent(campaign: FreeForm, contact: Addressee): Rendered | undefined {
  const { message2_kind: kind, message2_body, message2_buttons } = campaign
  if (kind !== 'text' && kind !== 'interactive') return undefined
  const body = fillText(message2_body ?? '', contact)
  if (kind === 'text') return { content: { type: 'text', body }, body }
  const buttons = JSON.parse(message2_buttons ?? '[]') as ReplyButton[]
  return { content: { type: 'interactive', body, buttons }, body }
}

export function readParams(json: string | null): Params {
  return json === null ? {} : (JSON.parse(json) as Params)
}
