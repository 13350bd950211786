import { badOption, type ClearTarget, type Cleared, type KeyName } from 'palier'
import { type Answer, problem } from './answer.ts'
import type { ClearedAnswer, PreviewAnswer, UndoAnswer } from './api.ts'
import { isFields, onlyFields, optionalText, textOf } from './input.ts'
import type { Room } from './room.ts'
import type { Call, Route } from './router.ts'
import { described, keyOptions, patternTarget, targetOf } from './target.ts'

/** Milliseconds for which a clear waits for its count. */
const COUNT_BUDGET = 1000

/** How many entries a clear was aimed at, where that could be found out; not exact: at least so many. */
interface Counted {
  readonly entries?: number
  readonly exact?: boolean
}

/** What a clear is said to have done: no more than its receipt says. */
function clearedAnswer(cleared: Cleared, counted: Counted): Answer {
  const count = counted.entries === undefined ? {} : { count: counted.entries }
  const { receipt } = cleared
  if (receipt.shared === 'refused') {
    const detail = 'the backend refused to clear, and nothing waits to be tried again'
    return { problem: { status: 503, code: 'PALIER_STORE_REFUSED', detail, more: { receipt } }, ...count }
  }
  const answer: ClearedAnswer = { ...cleared, ...counted }
  return { status: receipt.shared === 'pending' ? 202 : 200, body: answer, ...count }
}

const MOST_KEYS = 200

/** The keys in a body, all of them looked at before the first is cleared. */
function keysOf(value: unknown): readonly KeyName[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_KEYS) {
    const came = Array.isArray(value) ? `${value.length} of them` : value
    throw badOption('keys', `1 to ${MOST_KEYS} keys such as { "type": "dashboard", "key": "kpis" }`, came)
  }
  return value.map((one: unknown, i): KeyName => {
    if (!isFields(one)) throw badOption(`keys[${i}]`, 'an object with type and key', one)
    onlyFields(`keys[${i}]`, one, ['type', 'key', 'subject'])
    const subject = optionalText(`keys[${i}].subject`, one['subject'])
    const type = textOf(`keys[${i}].type`, one['type'])
    return { type, key: textOf(`keys[${i}].key`, one['key']), ...(subject !== undefined && { subject }) }
  })
}

/** All that takes entries away, what it would take, and putting them back. */
export function clearingRoutes({ cache, clock }: Room): readonly Route[] {
  const { operator } = cache

  /**
   * Counted before, for who asks and for the audit log. A backend that cannot count, or not soon, must not keep anybody from
   * clearing.
   */
  const count = (target: ClearTarget): Promise<Counted> =>
    new Promise(resolve => {
      const cancel = clock.hold(COUNT_BUDGET, () => resolve({}))
      operator
        .preview(target)
        .then(({ entries, exact }) => resolve({ entries, exact }))
        .catch(() => resolve({}))
        .finally(cancel)
    })

  const clear = async ({ aim }: Call, target: ClearTarget): Promise<Answer> => {
    aim(described(target))
    const counted = await count(target)
    return clearedAnswer(await operator.clear(target), counted)
  }

  const change = (name: string, path: string, answer: Route['answer']): Route => ({
    method: 'POST',
    path,
    role: 'operator',
    kind: 'change',
    name,
    answer,
  })

  return [
    {
      ...change('preview', '/api/cache/preview', async ({ fields }) => {
        onlyFields('body', fields, ['target'])
        const answer: PreviewAnswer = await operator.preview(targetOf(fields['target']))
        return { body: answer }
      }),
      kind: 'look',
    },
    change('invalidate-type', '/api/cache/invalidate/', call => {
      onlyFields('body', call.fields, [])
      return clear(call, { kind: 'type', type: textOf('type', call.rest) })
    }),
    change('invalidate-pattern', '/api/cache/invalidate-pattern', call => {
      onlyFields('body', call.fields, ['pattern', 'type'])
      return clear(call, patternTarget(call.fields))
    }),
    change('invalidate-tag', '/api/cache/invalidate-tag', call => {
      onlyFields('body', call.fields, ['tag'])
      return clear(call, { kind: 'tag', tag: textOf('tag', call.fields['tag']) })
    }),
    {
      ...change('delete-key', '/api/cache/keys/', call =>
        clear(call, { kind: 'key', key: textOf('key', call.rest), ...keyOptions(call.query) }),
      ),
      method: 'DELETE',
    },
    change('clear-keys', '/api/cache/keys/clear', async ({ aim, fields }) => {
      onlyFields('body', fields, ['keys'])
      const keys = keysOf(fields['keys'])
      aim(`${keys.length} keys: ${keys.map(({ type, key }) => `${type}:${key}`).join(', ')}`)
      const receipt = await operator.clearKeys(keys)
      return clearedAnswer({ receipt }, { entries: keys.length })
    }),
    {
      ...change('clear-all', '/api/cache/clear-all', call => {
        call.aim(described({ kind: 'all' }))
        onlyFields('body', call.fields, ['confirm'])
        const { namespace } = cache.status()
        const { confirm } = call.fields
        if (confirm !== namespace) throw badOption('confirm', `the name of the namespace, "${namespace}"`, confirm)
        return clear(call, { kind: 'all' })
      }),
      role: 'admin',
      rare: true,
    },
    change('undo', '/api/cache/undo', async ({ aim, fields }) => {
      aim('the clear of a token')
      onlyFields('body', fields, ['token'])
      const undone: UndoAnswer = await operator.undo(textOf('token', fields['token']))
      if (undone.restored) return { body: undone }
      return { problem: problem(409, 'not-restored', undone.reason ?? 'it cannot be put back') }
    }),
  ]
}
