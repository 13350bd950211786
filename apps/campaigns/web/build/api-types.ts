// The types of the application's API, from what the server says of itself in /openapi.json: one entry for each operation,
// with its path, query and body, and the answer of its success.
import { compile, type JSONSchema } from 'json-schema-to-typescript'

type Schema = JSONSchema
interface Operation {
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema: Schema
  }[]
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >
}
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const PREFIX = '/api/v1'
const HEAD = `/* Made by \`npm run api-types -w campaigns\` from the server's own description. Not to be edited. */\n`

/** Formats and limits are the server's to check; here they would only make the types longer. */
function bare(schema: Schema): Schema {
  if (Array.isArray(schema)) return schema.map(one => bare(one as Schema)) as Schema
  if (typeof schema !== 'object' || schema === null) return schema
  const kept = [
    'type',
    'properties',
    'required',
    'items',
    'enum',
    'const',
    'anyOf',
    'allOf',
    'oneOf',
    'additionalProperties',
    'patternProperties',
  ]
  const entries = Object.entries(schema).filter(([key]) => kept.includes(key))
  return Object.fromEntries(
    entries.map(([key, value]) => {
      if (key === 'properties' || key === 'patternProperties') {
        const inner = Object.entries(value as Record<string, Schema>)
        return [key, Object.fromEntries(inner.map(([name, one]) => [name, bare(one)]))]
      }
      const isSchema =
        typeof value === 'object' && value !== null && key !== 'enum' && key !== 'required' && key !== 'const'
      return [key, isSchema ? bare(value as Schema) : value]
    }),
  ) as Schema
}

function parametersOf({ parameters = [] }: Operation, place: string): Schema | undefined {
  const own = parameters.filter(one => one.in === place)
  if (own.length === 0) return undefined
  return {
    type: 'object',
    properties: Object.fromEntries(own.map(({ name, schema }) => [name, bare(schema)])),
    required: own.filter(one => one.required).map(one => one.name),
    additionalProperties: false,
  }
}

function operationSchema(operation: Operation): Schema {
  const success = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))
  const answer = success?.[1].content?.['application/json']?.schema
  const body = operation.requestBody?.content?.['application/json']?.schema
  const parts = {
    path: parametersOf(operation, 'path'),
    query: parametersOf(operation, 'query'),
    body: body === undefined ? undefined : bare(body),
  }
  const given = Object.entries(parts).filter((entry): entry is [string, Schema] => entry[1] !== undefined)
  return {
    type: 'object',
    properties: Object.fromEntries([...given, ['answer', answer === undefined ? { type: 'null' } : bare(answer)]]),
    required: [...given.map(([name]) => name), 'answer'],
    additionalProperties: false,
  }
}

/** The text of `src/data/api-types.ts`. */
export async function apiTypes({ paths }: Description): Promise<string> {
  const operations = Object.entries(paths)
    .filter(([path]) => path.startsWith(PREFIX))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        const name = `${method.toUpperCase()} ${path.slice(PREFIX.length).replace(/\/$/, '')}`
        return [name, operationSchema(operation)] as const
      }),
    )
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  const schema: Schema = {
    type: 'object',
    properties: Object.fromEntries(operations),
    required: operations.map(([name]) => name),
    additionalProperties: false,
  }
  const style = { semi: false, singleQuote: true, printWidth: 120 }
  return compile(schema, 'Api', { bannerComment: HEAD, style, format: true, additionalProperties: false })
}
