/** What the server says of one setting, as JSON Schema. */
export interface SettingSchema {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly maxItems?: number
  readonly pattern?: string
  readonly items?: SettingSchema
  readonly default?: unknown
  readonly description?: string
}

type FieldKind = 'choice' | 'text' | 'number' | 'switch' | 'words'

/** What is typed: a text, a number as a text, words one a line; or a switch. */
export type Typed = string | boolean

export function kindOf({ type, enum: choices }: SettingSchema): FieldKind {
  if (choices !== undefined) return 'choice'
  if (type === 'boolean') return 'switch'
  if (type === 'integer' || type === 'number') return 'number'
  return type === 'array' ? 'words' : 'text'
}

/** The settings of an answer of the server, with what each may be. */
export function schemasOf(schema: unknown): readonly (readonly [string, SettingSchema])[] {
  if (typeof schema !== 'object' || schema === null || !('properties' in schema)) return []
  const { properties } = schema
  return typeof properties === 'object' && properties !== null
    ? Object.entries(properties as Record<string, SettingSchema>)
    : []
}

export function typedOf(value: unknown): Typed {
  if (typeof value === 'boolean') return value
  return Array.isArray(value)
    ? value.join('\n')
    : typeof value === 'string' || typeof value === 'number'
      ? String(value)
      : ''
}

const wordsOf = (typed: string): readonly string[] => [
  ...new Set(
    typed
      .split(/[\n,]/)
      .map(word => word.trim())
      .filter(word => word !== ''),
  ),
]

/** The value as the server takes it; only for what `problemOf` finds nothing wrong with. */
export function valueOf(schema: SettingSchema, typed: Typed): unknown {
  if (typeof typed === 'boolean') return typed
  const kind = kindOf(schema)
  if (kind === 'number') return Number(typed.trim())
  return kind === 'words' ? wordsOf(typed) : typed.trim()
}

export type FieldProblem =
  | { readonly key: 'number'; readonly min: number; readonly max: number }
  | { readonly key: 'empty' | 'form' }
  | { readonly key: 'long' | 'longWord' | 'many'; readonly max: number }

const isWhole = (text: string): boolean => /^-?\d+$/.test(text)

function textProblem(text: string, { minLength = 0, maxLength, pattern }: SettingSchema): FieldProblem | undefined {
  if (text === '' && minLength > 0) return { key: 'empty' }
  if (maxLength !== undefined && text.length > maxLength) return { key: 'long', max: maxLength }
  return pattern !== undefined && !new RegExp(pattern, 'u').test(text) ? { key: 'form' } : undefined
}

/** What is wrong with what is typed; undefined when the server will take it. */
export function problemOf(schema: SettingSchema, typed: Typed): FieldProblem | undefined {
  if (typeof typed === 'boolean') return undefined
  const text = typed.trim()
  const kind = kindOf(schema)
  if (kind === 'number') {
    const { minimum: min = Number.MIN_SAFE_INTEGER, maximum: max = Number.MAX_SAFE_INTEGER } = schema
    return isWhole(text) && Number(text) >= min && Number(text) <= max ? undefined : { key: 'number', min, max }
  }
  if (kind !== 'words') return textProblem(text, schema)
  const words = wordsOf(typed)
  const { maxItems, items = {} } = schema
  if (maxItems !== undefined && words.length > maxItems) return { key: 'many', max: maxItems }
  const longest = items.maxLength
  return longest !== undefined && words.some(word => word.length > longest)
    ? { key: 'longWord', max: longest }
    : undefined
}

/** What is typed and differs from what is saved, as a change to be sent. */
export function changedValues(
  schemas: readonly (readonly [string, SettingSchema])[],
  values: Readonly<Record<string, unknown>>,
  typed: Readonly<Record<string, Typed>>,
): Readonly<Record<string, unknown>> {
  const changed = schemas.flatMap(([name, schema]) => {
    const given = typed[name]
    if (given === undefined) return []
    const value = valueOf(schema, given)
    return JSON.stringify(value) === JSON.stringify(values[name]) ? [] : [[name, value] as const]
  })
  return Object.fromEntries(changed)
}

/** Settings that belong together; one that a newer server has comes last. */
const GROUPS = [
  ['general', ['company_name', 'default_locale', 'default_country', 'mail_from']],
  ['sending', ['rate_per_minute', 'interaction_timeout_h', 'accept_late']],
  ['consent', ['opt_out_words', 'opt_in_words']],
  ['keeping', ['inbox_days', 'jobs_days', 'history_days']],
] as const

type GroupName = (typeof GROUPS)[number][0] | 'other'

export function grouped<T>(
  entries: readonly (readonly [string, T])[],
): readonly { readonly group: GroupName; readonly entries: readonly (readonly [string, T])[] }[] {
  const known = new Set<string>(GROUPS.flatMap(([, names]) => [...names]))
  const groups = GROUPS.map(([group, names]) => ({
    group,
    entries: entries.filter(([name]) => (names as readonly string[]).includes(name)),
  }))
  const others = { group: 'other' as const, entries: entries.filter(([name]) => !known.has(name)) }
  return [...groups, others].filter(group => group.entries.length > 0)
}
