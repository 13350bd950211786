import Type from 'typebox'
import { FIELD_EXPECTED, isContactField, type Params, placeholdersOf } from '../messages/content.ts'
import type { TemplateTable } from '../database/schema.ts'
import { received, type FieldFault } from '../validation.ts'

/** Enough for every placeholder of every part of a template. */
const MOST = 50

const Text = Type.String({ minLength: 1, maxLength: 1024 })

/** By placeholder: a text, or a field of the contact with what stands in for it. */
export const ParamsSchema: Type.TRecord<string, Type.TUnion<[Type.TString, Type.TObject]>> = Type.Record(
  Type.String({ minLength: 1, maxLength: 80 }),
  Type.Union([
    Text,
    Type.Object(
      { field: Type.String({ minLength: 1, maxLength: 80 }), fallback: Type.Optional(Text) },
      { additionalProperties: false },
    ),
  ]),
  { maxProperties: MOST },
)

/** What a schema cannot check: that each placeholder has a value, and each field is one that contacts have. */
export function paramFaults(template: Pick<TemplateTable, 'components'>, params: Params, field: string): FieldFault[] {
  const missing = placeholdersOf(template)
    .filter(key => !Object.hasOwn(params, key))
    .map(key => ({ field: `${field}.${key}`, expected: 'a text or a field of the contact', received: 'nothing' }))
  const unknown = Object.entries(params).flatMap(([key, value]) =>
    typeof value === 'string' || isContactField(value.field)
      ? []
      : [{ field: `${field}.${key}.field`, expected: FIELD_EXPECTED, received: received(value.field) }],
  )
  return [...missing, ...unknown]
}
