import type { SampleContact, Template } from '../../data/campaigns.ts'

/** What is read of a template, by part. */
export interface TemplateParts {
  readonly header: string | undefined
  /** The header is a picture, a video or a document. */
  readonly media: string | undefined
  readonly body: string
  readonly footer: string | undefined
  readonly buttons: readonly { readonly text: string; readonly isReply: boolean }[]
}

interface Component {
  readonly type?: string
  readonly format?: string
  readonly text?: string
  readonly buttons?: readonly { readonly type?: string; readonly text?: string }[]
}

/** The parts of a template as Meta describes it. */
export function partsOf({ components }: Pick<Template, 'components'>): TemplateParts {
  const all = components as readonly Component[]
  const of = (type: string): Component | undefined => all.find(one => one.type?.toUpperCase() === type)
  const header = of('HEADER')
  const format = (header?.format ?? 'TEXT').toLowerCase()
  const isMedia = ['image', 'video', 'document'].includes(format)
  const text = header?.text
  return {
    header: isMedia || text === undefined || text === '' ? undefined : text,
    media: header !== undefined && isMedia ? format : undefined,
    body: of('BODY')?.text ?? '',
    footer: of('FOOTER')?.text,
    buttons: all
      .flatMap(one => (one.type?.toUpperCase() === 'BUTTONS' ? (one.buttons ?? []) : []))
      .map(({ type, text: label = '' }) => ({ text: label, isReply: type?.toUpperCase() === 'QUICK_REPLY' })),
  }
}

/** The server renders header, body and footer below each other; a bubble shows them apart again. */
export function partsOfRendered(parts: TemplateParts, rendered: string): TemplateParts {
  let body = rendered
  let header = parts.header
  if (header !== undefined) {
    const end = body.indexOf('\n')
    header = end === -1 ? body : body.slice(0, end)
    body = end === -1 ? '' : body.slice(end + 1)
  }
  const { footer } = parts
  if (footer !== undefined && body.endsWith(`\n${footer}`)) body = body.slice(0, -footer.length - 1)
  return { ...parts, header, body }
}

const PLACEHOLDER = /\{\{\s*([\w.]+)\s*\}\}/g

/** What a text may name of a contact. */
export const CONTACT_FIELDS = ['first_name', 'name', 'phone', 'email', 'username'] as const

type Addressee = Pick<SampleContact, 'name' | 'phone' | 'email' | 'username' | 'attributes'>

const ATTRIBUTE = 'attributes.'

export function isContactField(field: string): boolean {
  if ((CONTACT_FIELDS as readonly string[]).includes(field)) return true
  return field.startsWith(ATTRIBUTE) && field.length > ATTRIBUTE.length
}

function fieldOf(contact: Addressee, field: string): string {
  if (field.startsWith(ATTRIBUTE)) {
    const name = field.slice(ATTRIBUTE.length)
    return Object.hasOwn(contact.attributes, name) ? (contact.attributes[name] ?? '') : ''
  }
  if (field === 'first_name') return contact.name.trim().split(/\s+/)[0] ?? ''
  const { name, phone, email, username } = contact
  return { name, phone, email, username }[field] ?? ''
}

/** A text of Message 2 as the contact would read it: what names no field stays as it is. */
export function fillText(text: string, contact: Addressee): string {
  return text.replaceAll(PLACEHOLDER, (whole, field: string) =>
    isContactField(field) ? fieldOf(contact, field) : whole,
  )
}

/** A text in pieces: what stands between braces apart from the rest. */
export function piecesOf(text: string): readonly { readonly text: string; readonly isOpen: boolean }[] {
  const pieces: { text: string; isOpen: boolean }[] = []
  let from = 0
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > from) pieces.push({ text: text.slice(from, match.index), isOpen: false })
    pieces.push({ text: match[0], isOpen: true })
    from = match.index + match[0].length
  }
  if (from < text.length) pieces.push({ text: text.slice(from), isOpen: false })
  return pieces
}

type Params = Readonly<Record<string, string | { readonly field: string; readonly fallback?: string }>>

/** The template with what is known of its placeholders; the others stay in sight. For the moment before the server answers. */
export function partsWith(parts: TemplateParts, params: Params, contact: Addressee): TemplateParts {
  const fill = (text: string, prefix: string): string =>
    text.replaceAll(PLACEHOLDER, (whole, name: string) => {
      const value = Object.hasOwn(params, `${prefix}${name}`) ? params[`${prefix}${name}`] : undefined
      if (value === undefined) return whole
      const known = typeof value === 'string' ? value : fieldOf(contact, value.field) || (value.fallback ?? '')
      return known.trim() === '' ? whole : known
    })
  const { header, body } = parts
  return { ...parts, header: header === undefined ? undefined : fill(header, 'header.'), body: fill(body, '') }
}
