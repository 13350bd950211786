import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/**
 * Checks requests against their TypeBox schemas. Bodies are taken as they are: "12" is no number there. Query strings
 * can only hold texts, so whole numbers are read from them, and nothing else is converted.
 */
export interface FieldFault {
  /** Where: `body.phone`, `query.limit`, `path.id`. */
  readonly field: string
  readonly expected: string
  readonly received: string
}

/** What came, short enough for a message. */
export function received(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** The parts of a JSON schema that can be put into words. `expected` says it better where a schema has it. */
interface Described {
  readonly type?: string
  readonly expected?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Described[]
  readonly items?: Described
  readonly properties?: Readonly<Record<string, Described>>
  /** Of an object whose names are free: all its values are alike. */
  readonly patternProperties?: Readonly<Record<string, Described>>
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly maxItems?: number
  /** A secret: what came is not repeated, though it came from whoever gets the answer. */
  readonly writeOnly?: boolean
}

function bounds(what: string, min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return ` ${what} ${min} to ${max}`
  if (min !== undefined) return ` ${what} at least ${min}`
  return max === undefined ? '' : ` ${what} at most ${max}`
}

function describe(schema: Described): string {
  if (schema.expected !== undefined) return schema.expected
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return `one of ${schema.enum.map(value => JSON.stringify(value)).join(', ')}`
  if (schema.anyOf !== undefined) {
    const choices = schema.anyOf.map(describe)
    return choices.every(choice => choice.startsWith('"')) ? `one of ${choices.join(', ')}` : choices.join(' or ')
  }
  if (schema.type === 'string') {
    const size = bounds('of', schema.minLength, schema.maxLength)
    return size === '' ? 'a text' : `a text${size} characters`
  }
  if (schema.type === 'integer') return `a whole number${bounds('from', schema.minimum, schema.maximum)}`
  if (schema.type === 'array') {
    return `a list${schema.maxItems === undefined ? '' : ` of at most ${schema.maxItems}`}: each ${describe(schema.items ?? {})}`
  }
  if (schema.type === 'object') return `an object with the fields ${Object.keys(schema.properties ?? {}).join(', ')}`
  return schema.type ?? 'something else'
}

function at(schema: Described, path: readonly string[]): Described | undefined {
  let node: Described | undefined = schema
  for (const step of path) {
    const free: Described | undefined = Object.values(node?.patternProperties ?? {})[0]
    // Its own only: every object has a `constructor`, and no schema means that.
    const named: Described | undefined = Object.hasOwn(node?.properties ?? {}, step)
      ? node?.properties?.[step]
      : undefined
    node = node?.type === 'array' ? node.items : (named ?? free)
  }
  return node
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let node = value
  for (const step of path) node = (node as Readonly<Record<string, unknown>> | null | undefined)?.[step]
  return node
}

interface SchemaFault {
  readonly keyword: string
  readonly instancePath: string
  readonly params: object
}

function pathsOf({ keyword, instancePath, params }: SchemaFault): readonly (readonly string[])[] {
  const base = instancePath.split('/').slice(1)
  const named = params as { requiredProperties?: readonly string[] }
  return keyword === 'required' ? (named.requiredProperties ?? []).map(name => [...base, name]) : [base]
}

function isHidden(schema: Described | undefined): boolean {
  if (schema?.writeOnly === true) return true
  return Object.values(schema?.properties ?? {}).some(isHidden)
}

const MOST_FAULTS = 20
const HIDDEN = 'one that is not shown'
/** More than any body of ours has. What is nested a thousand times deeper cannot even be quoted. */
const MOST_LEVELS = 32

/**
 * What no route can use, whatever its schema says: a text with a NUL, which PostgreSQL refuses, and endless nesting. Walks
 * without calling itself, which such nesting would not survive.
 */
function findUnfit(schema: Described, whole: unknown, part: string): FieldFault | undefined {
  const waiting: { readonly path: readonly string[]; readonly value: unknown }[] = [{ path: [], value: { '': whole } }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const [name, value] of Object.entries(next.value ?? {}) as [string, unknown][]) {
      const path = name === '' ? next.path : [...next.path, name]
      if (name.includes('\0') || (typeof value === 'string' && value.includes('\0'))) {
        const hidden = path.some((_step, index) => isHidden(at(schema, path.slice(0, index + 1))))
        const field = [part, ...path].join('.')
        return { field, expected: 'no text with a NUL in it', received: hidden ? HIDDEN : received(value) }
      }
      if (typeof value !== 'object' || value === null) continue
      if (path.length === MOST_LEVELS) {
        return { field: part, expected: `at most ${MOST_LEVELS} levels`, received: 'more of them' }
      }
      waiting.push({ path, value })
    }
  }
  return undefined
}

function explain(schema: Described, value: unknown, faults: readonly SchemaFault[], part: string): FieldFault[] {
  const found = new Map<string, FieldFault>()
  for (const fault of faults) {
    // Told once, at the field itself, and not again at the object that holds it.
    if (fault.keyword === 'additionalProperties') continue
    for (const path of pathsOf(fault)) {
      const field = [part, ...path].join('.')
      if (found.has(field) || found.size === MOST_FAULTS) continue
      const node = at(schema, path)
      const holder = at(schema, path.slice(0, -1))
      const expected = node === undefined ? `no such field; there are ${names(holder)}` : describe(node)
      found.set(field, {
        field,
        expected,
        // A field that nobody knows may be one of the secrets beside it, misspelt.
        received: isHidden(node ?? holder) ? HIDDEN : received(valueAt(value, path)),
      })
    }
  }
  return [...found.values()]
}

function names(schema: Described | undefined): string {
  return Object.keys(schema?.properties ?? {}).join(', ')
}

const WHOLE = /^-?\d{1,15}$/

function readNumbers(schema: Described, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, text]: [string, unknown]) => {
    const whole = at(schema, [name])?.type === 'integer' && typeof text === 'string' && WHOLE.test(text)
    return [name, whole ? Number(text) : text]
  })
  return Object.fromEntries(entries)
}

const PARTS: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'header',
}
const FAULTS = Symbol('faults')

interface Refusal extends Error {
  readonly [FAULTS]: readonly FieldFault[]
}

/** The faults that the compiled check found, when this error is one of its refusals. */
export function readFaults(error: Error): readonly FieldFault[] | undefined {
  return FAULTS in error ? (error as Refusal)[FAULTS] : undefined
}

/** Compiled once for each schema, however many servers a process builds. */
const compiled = new WeakMap<object, ReturnType<typeof Compile>>()

function checkOf(schema: TSchema): ReturnType<typeof Compile> {
  const check = compiled.get(schema) ?? Compile(schema)
  compiled.set(schema, check)
  return check
}

export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart = 'body' }) => {
  const check = checkOf(schema)
  return (raw: unknown) => {
    const value = httpPart === 'body' ? raw : readNumbers(schema, raw)
    const part = PARTS[httpPart] ?? httpPart
    const unfit = findUnfit(schema, value, part)
    if (unfit === undefined && check.Check(value)) return { value }
    const faults = unfit === undefined ? explain(schema, value, check.Errors(value), part) : [unfit]
    return { error: Object.assign(new Error('the request is not valid'), { [FAULTS]: faults }) }
  }
}
