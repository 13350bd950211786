import Type, { type Static } from 'typebox'
import { EMAIL_EXPECTED, PHONE_EXPECTED, parseEmail, parsePhone, phoneExpected } from '../phone.ts'
import { badFields } from '../problem.ts'
import { type FieldFault, received } from '../validation.ts'
import type { Contact, ContactChange, ContactInput } from './store.ts'

/** What contacts look like in requests and answers. */

// Neither database nor spreadsheet takes a NUL, and no id has anything but these.
const TEXT = '^[^\\u0000]*$'
const SOME_TEXT = '^[^\\u0000]*\\S[^\\u0000]*$'
export const Id = Type.String({ pattern: '^[\\w-]{1,36}$', expected: 'an id' })
const Name = Type.String({
  minLength: 1,
  maxLength: 120,
  pattern: SOME_TEXT,
  expected: 'a name of 1 to 120 characters',
})
export const orNull = <T extends Type.TSchema>(schema: T): Type.TUnion<[T, Type.TNull]> =>
  Type.Union([schema, Type.Null()])

const Phone = Type.String({ minLength: 1, maxLength: 40, expected: PHONE_EXPECTED })
const PhoneOrNull = Type.Union([Phone, Type.Null()], { expected: `${PHONE_EXPECTED}, or null` })
const Email = Type.Union([Type.String({ maxLength: 254 }), Type.Null()], { expected: `${EMAIL_EXPECTED}, or null` })
export const CategoryIds = Type.Array(Id, { maxItems: 50 })
const Bsuid = Type.String({
  pattern: '^[A-Z]{2}\\.(ENT\\.)?[A-Za-z0-9]{1,128}$',
  expected: 'a business-scoped user id: two capital letters, a dot, 1 to 128 letters and digits',
})

export const MOST_ATTRIBUTES = 50
export const LONGEST_ATTRIBUTE_NAME = 64
export const LONGEST_ATTRIBUTE = 500
const AttributeText = Type.String({ maxLength: LONGEST_ATTRIBUTE, pattern: TEXT })
const Attributes = Type.Record(Type.String(), AttributeText, {
  maxProperties: MOST_ATTRIBUTES,
  expected: `an object of at most ${MOST_ATTRIBUTES} texts`,
})

export const ContactAnswer = Type.Object({
  id: Id,
  name: Type.String(),
  phone: orNull(Type.String()),
  email: orNull(Type.String()),
  wa_id: orNull(Type.String()),
  bsuid: orNull(Type.String()),
  username: orNull(Type.String()),
  attributes: Type.Record(Type.String(), Type.String()),
  categories: Type.Array(Type.Object({ id: Id, name: Type.String() })),
  opt_in_at: orNull(Type.Integer()),
  opt_out_at: orNull(Type.Integer()),
  last_inbound_at: orNull(Type.Integer()),
  window_expires_at: orNull(Type.Integer()),
  created_at: Type.Integer(),
  updated_at: Type.Integer(),
})

export const NewContact = Type.Object(
  {
    name: Name,
    phone: Type.Optional(Phone),
    email: Type.Optional(Email),
    category_ids: Type.Optional(CategoryIds),
    attributes: Type.Optional(Attributes),
    bsuid: Type.Optional(Bsuid),
  },
  { additionalProperties: false },
)

export const ChangedContact = Type.Object(
  {
    name: Type.Optional(Name),
    phone: Type.Optional(PhoneOrNull),
    email: Type.Optional(Email),
    category_ids: Type.Optional(CategoryIds),
    attributes: Type.Optional(Attributes),
    updated_at: Type.Optional(Type.Integer()),
  },
  { additionalProperties: false },
)

/** To the last one that a date can be. */
const Instant = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 })
const YesNo = Type.Enum(['true', 'false'])

export const FILTER_FIELDS = {
  q: Type.Optional(Type.String({ minLength: 1, maxLength: 254, pattern: TEXT })),
  category: Type.Optional(Id),
  opted_out: Type.Optional(YesNo),
  has_window: Type.Optional(YesNo),
  created_from: Type.Optional(Instant),
  created_to: Type.Optional(Instant),
}

export const Cursor = Type.String({ maxLength: 4000 })

export const ContactListQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Cursor),
    ...FILTER_FIELDS,
    sort: Type.Optional(Type.Enum(['newest', 'name'])),
  },
  { additionalProperties: false },
)

interface Written {
  readonly name?: string
  readonly phone?: string | null
  readonly email?: string | null
  readonly attributes?: Readonly<Record<string, string>>
}

/** What a schema cannot check, brought into the form it is stored in. `country` is what national numbers are read in. */
function readFields<F extends Written>(fields: F, country: string): F {
  const faults: FieldFault[] = []
  const parse = (name: 'phone' | 'email', expected: string, read: (text: string) => string | undefined): object => {
    const text = fields[name]
    if (text === undefined || text === null) return {}
    // An empty address is how forms say that there is none.
    if (name === 'email' && text.trim() === '') return { email: null }
    const value = read(text)
    if (value === undefined) faults.push({ field: `body.${name}`, expected, received: received(text) })
    return { [name]: value }
  }
  const parsed = {
    ...fields,
    ...(fields.name === undefined ? {} : { name: fields.name.trim() }),
    ...parse('phone', phoneExpected(country), text => parsePhone(text, country)),
    ...parse('email', EMAIL_EXPECTED, parseEmail),
  }
  const strange = Object.keys(fields.attributes ?? {}).find(name => !isAttributeName(name))
  if (strange !== undefined) {
    const expected = `names of 1 to ${LONGEST_ATTRIBUTE_NAME} characters`
    faults.push({ field: 'body.attributes', expected, received: received(strange) })
  }
  if (faults.length > 0) throw badFields(faults)
  return parsed
}

/** Names that objects are born with would be lost on the way through JSON. */
export function isAttributeName(name: string): boolean {
  return name.trim() === name && name !== '' && name.length <= LONGEST_ATTRIBUTE_NAME && !/[\p{Cc}]|^__/u.test(name)
}

export function readNewContact(body: Static<typeof NewContact>, country: string): ContactInput {
  if (body.phone === undefined && body.bsuid === undefined) {
    throw badFields([{ field: 'body.phone', expected: phoneExpected(country), received: 'nothing' }])
  }
  const {
    name,
    phone = null,
    email = null,
    attributes = {},
    category_ids = [],
    bsuid = null,
  } = readFields(body, country)
  return { name, phone, email, attributes, category_ids, bsuid }
}

export function readChangedContact(body: Static<typeof ChangedContact>, country: string): ContactChange {
  return readFields(body, country)
}

/** A copy that the answer's schema takes: it knows no read-only lists. */
export function answerOf(contact: Contact): Static<typeof ContactAnswer> {
  return { ...contact, attributes: { ...contact.attributes }, categories: [...contact.categories] }
}
