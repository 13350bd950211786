import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'

/** What a schema of `/openapi.json` says, as far as requests are made of it. */
export interface Described {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Described[]
  readonly items?: Described
  readonly properties?: Readonly<Record<string, Described>>
  readonly required?: readonly string[]
  readonly pattern?: string
  readonly minLength?: number
  readonly minItems?: number
  readonly minimum?: number
}

interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path' | 'header'
  readonly schema: Described
}

interface RawOperation {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Described }>> }
}

/** One operation of the description, with a request that its schema takes. */
export interface Operation {
  readonly line: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query: readonly Parameter[]
  readonly params: readonly string[]
  /** Of JSON bodies. */
  readonly body: Described | undefined
}

export async function operationsOf(app: FastifyInstance): Promise<readonly Operation[]> {
  const { paths } = (await app.inject({ url: '/openapi.json' })).json<{
    paths: Record<string, Record<string, RawOperation>>
  }>()
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([name, { parameters = [], requestBody }]): Operation => {
      const method = name.toUpperCase() as Operation['method']
      return {
        line: `${method} ${path}`,
        method,
        path,
        query: parameters.filter(parameter => parameter.in === 'query'),
        params: parameters.filter(parameter => parameter.in === 'path').map(parameter => parameter.name),
        body: requestBody?.content['application/json']?.schema,
      }
    }),
  )
}

/** Texts that one pattern or another of the application takes. */
const TEXTS = [
  'Ada',
  '12345',
  '#0f766e',
  'FR',
  'EUR',
  'v23.0',
  'marketing',
  'FR.abc',
  'a secret of some length'.replaceAll(' ', '-'),
]

function textOf({ pattern, minLength = 0 }: Described, name: string): string {
  const named: Readonly<Record<string, string>> = {
    email: 'nobody@example.org',
    phone: '+33612345678',
    password: 'correct staple, no horse',
    new_password: 'correct staple, no horse',
    mail_from: 'team@example.org',
  }
  const accepted = (text: string): boolean =>
    text.length >= minLength && (pattern === undefined || new RegExp(pattern, 'u').test(text))
  return [named[name] ?? 'Ada', ...TEXTS].find(accepted) ?? 'x'.repeat(minLength)
}

/** The smallest value that the schema takes, with all its fields when `whole`. */
export function sampleOf(schema: Described, name = '', whole = true): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  if (schema.anyOf !== undefined) return sampleOf(schema.anyOf[0] ?? {}, name, whole)
  if (schema.type === 'string') return textOf(schema, name)
  if (schema.type === 'integer' || schema.type === 'number') return Math.max(schema.minimum ?? 1, 1)
  if (schema.type === 'boolean') return false
  if (schema.type === 'array')
    return Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items ?? {}, name))
  if (schema.type === 'null') return null
  const fields = Object.entries(schema.properties ?? {}).filter(([key]) => whole || schema.required?.includes(key))
  return Object.fromEntries(fields.map(([key, field]) => [key, sampleOf(field, key, whole)]))
}

/** Where values of the type stand in a body: the names on the way to each of them. */
export function placesOf(
  type: 'string' | 'integer',
  schema: Described,
  at: readonly string[] = [],
): readonly (readonly string[])[] {
  if (schema.enum !== undefined || schema.const !== undefined) return []
  if (schema.anyOf !== undefined) {
    return placesOf(type, schema.anyOf.find(choice => choice.type !== 'null') ?? {}, at)
  }
  if (schema.type === type) return [at]
  if (schema.type === 'array') return placesOf(type, schema.items ?? {}, [...at, '0'])
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => placesOf(type, field, [...at, name]))
}

/** The value with another one at that place; what is missing on the way is made. */
export function withAt(value: unknown, [step, ...rest]: readonly string[], put: unknown): unknown {
  if (step === undefined) return put
  if (step === '0') return [withAt((value as readonly unknown[] | undefined)?.[0], rest, put)]
  const fields = (value ?? {}) as Readonly<Record<string, unknown>>
  return { ...fields, [step]: withAt(fields[step], rest, put) }
}

/** Half a character cannot stand in an address. */
const wellFormed = (text: string): string => Buffer.from(text).toString()

type Send = (request: InjectOptions) => Promise<LightMyRequestResponse>

export interface Attempt {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly id?: string
}

/** Sends the operation; `ids` are those of rows that exist, by the first word behind the prefix. */
export function attempt(
  send: Send,
  { method, path, params }: Operation,
  ids: ReadonlyMap<string, string>,
  { query = {}, body, id }: Attempt,
): Promise<LightMyRequestResponse> {
  const family = path.replace('/api/v1/', '').split('/', 2).join('/')
  const known = id ?? ids.get(family) ?? ids.get(family.split('/', 1)[0] ?? '') ?? 'none'
  const filled = params.reduce((url, name) => {
    return url.replace(`{${name}}`, name === 'version' ? '1' : encodeURIComponent(wellFormed(known)))
  }, path)
  const search = new URLSearchParams(query).toString()
  const payload =
    body === undefined ? {} : { headers: { 'content-type': 'application/json' }, payload: JSON.stringify(body) }
  return send({ method, url: search === '' ? filled : `${filled}?${search}`, ...payload })
}
