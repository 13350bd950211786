import type { Actor } from '../access/actor.ts'
import type { Tables } from '../database/schema.ts'
import type { Transaction } from 'kysely'

/** One change as the history keeps it. `before` and `after` are rows or parts of them; only what differs is stored. */
export interface Change {
  readonly action: string
  readonly entity: string
  readonly id: string | null
  readonly before?: object | null
  readonly after?: object | null
}

type Fields = Readonly<Record<string, unknown>>

/** Never in the history, whoever asks for it, and however deep it lies. */
const SECRET = /password|secret|token|hash|credential|authorization|cookie|_enc$/i

function shown(name: string, value: unknown): unknown {
  if (SECRET.test(name)) return '(hidden)'
  if (Array.isArray(value)) return value.map(item => shown('', item))
  return typeof value === 'object' && value !== null ? visible(value) : value
}

function visible(row: object): Fields {
  return Object.fromEntries(Object.entries(row).map(([name, value]): [string, unknown] => [name, shown(name, value)]))
}

function differing(one: Fields, other: Fields): Fields {
  const same = (name: string): boolean => JSON.stringify(one[name]) === JSON.stringify(other[name])
  return Object.fromEntries(Object.entries(one).filter(([name]) => !same(name)))
}

/** The fields that changed, before and after. A row that came or went is shown whole. */
export function difference(
  before: object | null,
  after: object | null,
): { before: Fields | null; after: Fields | null } {
  if (before === null || after === null) {
    return { before: before === null ? null : visible(before), after: after === null ? null : visible(after) }
  }
  // Compared before secrets are hidden: that a password changed is told, the password is not.
  return {
    before: visible(differing(before as Fields, after as Fields)),
    after: visible(differing(after as Fields, before as Fields)),
  }
}

/** Writes one entry in the transaction of the change itself: there is never one without the other. */
export async function recordChange(
  trx: Transaction<Tables>,
  { actor, id, at }: { readonly actor: Actor; readonly id: string; readonly at: number },
  change: Change,
): Promise<void> {
  const { before, after } = difference(change.before ?? null, change.after ?? null)
  await trx
    .insertInto('admin_history')
    .values({
      id,
      admin_id: actor.userId,
      actor: actor.name,
      action: change.action,
      entity: change.entity,
      entity_id: change.id,
      before: before === null ? null : JSON.stringify(before),
      after: after === null ? null : JSON.stringify(after),
      ip: actor.ip,
      request_id: actor.requestId,
      timestamp: at,
    })
    .execute()
}
