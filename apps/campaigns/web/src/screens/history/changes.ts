/** What a field was and is. A side that was not told is undefined: the thing was not there. */
export interface FieldChange {
  readonly field: string
  readonly before: unknown
  readonly after: unknown
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

/** What a change did, field by field, in the order in which the server tells it. */
export function changesIn(before: unknown, after: unknown): readonly FieldChange[] {
  const [old, fresh] = [fieldsOf(before), fieldsOf(after)]
  const names = new Set([...Object.keys(old), ...Object.keys(fresh)])
  return [...names].map(field => ({ field, before: old[field], after: fresh[field] }))
}

/** "campaign.start" and "start" are one thing to people. */
export const actionName = (action: string): string => action.slice(action.lastIndexOf('.') + 1)

/** What is done with each kind of thing, as the server calls it. */
export const ACTIONS = {
  user: ['create', 'update', 'delete', 'login', 'password_forgotten'],
  api_key: ['create', 'revoke'],
  contact: ['create', 'update', 'delete', 'identify', 'merge', 'opt_in', 'opt_out'],
  contact_import: ['import'],
  contact_export: ['export'],
  category: ['create', 'update', 'delete'],
  campaign: [
    ...['create', 'start', 'campaign.create', 'campaign.update', 'campaign.delete', 'campaign.schedule'],
    ...['campaign.start', 'campaign.pause', 'campaign.resume', 'campaign.cancel', 'campaign.retry-failed'],
    ...['campaign.complete', 'campaign.fail', 'campaign.recount'],
  ],
  message: ['message.send', 'message.retry'],
  content: ['create', 'update', 'delete', 'publish', 'unpublish', 'restore'],
  media: ['create', 'update', 'delete'],
  setting: ['update', 'reset'],
  account: ['create', 'update'],
  rates: ['rates.replace'],
  job: ['job.cancel', 'job.retry'],
  cache: ['change', 'refused'],
} as const satisfies Readonly<Record<string, readonly string[]>>

type EntityName = keyof typeof ACTIONS
export const ENTITIES = Object.keys(ACTIONS) as readonly EntityName[]
export const isEntity = (name: string): name is EntityName => Object.hasOwn(ACTIONS, name)

/** What can be chosen as an action: those of the kind that is chosen, or what all kinds have. */
export function actionsOf(entity: string | undefined): readonly string[] {
  if (entity === undefined) return ['create', 'update', 'delete', 'login']
  return isEntity(entity) ? ACTIONS[entity] : []
}

type Written =
  | { readonly kind: 'nothing' | 'yes' | 'no' | 'hidden' | 'empty' }
  | { readonly kind: 'time' | 'number'; readonly value: number }
  | { readonly kind: 'text' | 'code'; readonly text: string }

const isPlain = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number'

/** How a value of the history is to be written: times are told by the name of their field. */
export function writtenOf(field: string, value: unknown): Written {
  if (value === null || value === undefined) return { kind: 'nothing' }
  if (value === true || value === false) return { kind: value ? 'yes' : 'no' }
  if (value === '(hidden)') return { kind: 'hidden' }
  if (typeof value === 'number') return { kind: /_(?:at|from|until)$/.test(field) ? 'time' : 'number', value }
  if (typeof value === 'string') return value === '' ? { kind: 'empty' } : { kind: 'text', text: value }
  if (Array.isArray(value) && value.every(isPlain)) {
    return value.length === 0 ? { kind: 'nothing' } : { kind: 'text', text: value.join(', ') }
  }
  return { kind: 'code', text: JSON.stringify(value, null, 1) }
}
