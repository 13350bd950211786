import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  categoryDelta,
  changing,
  contactsWith,
  createPendingChanges,
  making,
  removing,
  type Step,
  totalDelta,
} from '../../web/src/data/pending.ts'

interface Contact {
  readonly id: string
  readonly categories: readonly { readonly id: string }[]
}
type State = ReadonlyMap<string, Contact>

const CATEGORIES = ['a', 'b', 'c'] as const
const contact = (id: string, ...categories: readonly string[]): Contact => ({
  id,
  categories: categories.map(name => ({ id: name })),
})
const INITIAL: State = new Map(['1', '2', '3', '4'].map((id, at) => [id, contact(id, ...CATEGORIES.slice(0, at % 3))]))

/** What becomes of a request: done and answered, refused, or done with the answer lost on the way. */
type Fate = 'done' | 'refused' | 'lost'
type Action =
  | { readonly kind: 'create'; readonly which: number; readonly fate: Fate }
  | { readonly kind: 'delete'; readonly which: number; readonly fate: Fate }
  | { readonly kind: 'move'; readonly which: number; readonly category: number; readonly fate: Fate }
  | { readonly kind: 'add'; readonly which: number; readonly category: number; readonly fate: Fate }
  | { readonly kind: 'foreign'; readonly which: number }
  | { readonly kind: 'read'; readonly which: number }
  | { readonly kind: 'go on'; readonly which: number }

const which = fc.nat(30)
const fate = fc.constantFrom<Fate>('done', 'done', 'refused', 'lost')
const actions = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('create' as const, 'delete' as const), which, fate }),
    fc.record({ kind: fc.constantFrom('move' as const, 'add' as const), which, category: fc.nat(2), fate }),
    fc.record({ kind: fc.constantFrom('foreign' as const, 'read' as const), which }),
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('go on' as const), which }) },
  ),
  { minLength: 5, maxLength: 60 },
)

/** A change as the model knows it: by the id that the server gives, whatever it is shown under meanwhile. */
interface Op {
  readonly id: string
  readonly apply: Step<Contact>['apply']
  state: 'shown' | 'failed' | 'foreign'
  /** When the server did it, by the count of what it did. */
  doneAt: number
  /** The answer with what the server made of the contact has come. */
  isTold: boolean
}

function world() {
  const pending = createPendingChanges<Contact, { readonly id: string }>()
  const ops: Op[] = []
  let did = 0
  let made = 0
  let server: State = INITIAL
  /** Requests under way: each goes on by a step when the test says so. */
  const waiting: (() => void)[] = []
  const step = (): Promise<void> => new Promise(resolve => void waiting.push(resolve))
  /** The copy that this browser shows. */
  let shown: { readonly asked: number; readonly at: number; readonly items: readonly Contact[] } | undefined

  const read = async (): Promise<number> => {
    const { value, asked } = await pending.steady(async () => {
      await step()
      const seen = { at: did, items: [...server.values()] }
      await step()
      return seen
    })
    // As a query does: an answer that is overtaken by a later one is not shown.
    if (shown === undefined || asked > shown.asked) shown = { ...value, asked }
    return shown.asked
  }

  const change = (steps: readonly Step<Contact>[], serverIds: readonly string[], end: Fate): void => {
    const mine = steps.map(
      ({ apply }, at): Op => ({
        id: serverIds[at] ?? '',
        apply,
        state: 'shown',
        doneAt: Number.POSITIVE_INFINITY,
        isTold: false,
      }),
    )
    ops.push(...mine)
    const fail = (): never => {
      for (const op of mine) op.state = op.doneAt === Number.POSITIVE_INFINITY ? 'failed' : 'foreign'
      throw new Error('refused')
    }
    const send = async () => {
      await step()
      const isNew = steps[0]?.known === undefined
      if (end === 'refused' || (!isNew && mine.some(op => !server.has(op.id)))) {
        await step()
        return fail()
      }
      did++
      const next = new Map(server)
      for (const op of mine) {
        op.doneAt = did
        const after = op.apply(server.get(op.id))
        if (after === undefined) next.delete(op.id)
        else next.set(op.id, { ...after, id: op.id })
      }
      server = next
      await step()
      if (end === 'lost') return fail()
      for (const op of mine) op.isTold = true
      return { value: undefined, contacts: steps.map(({ id }, at) => [id, server.get(serverIds[at] ?? '')] as const) }
    }
    void pending.run({ contacts: steps }, { send, settled: read }).catch(() => undefined)
  }

  const view = (): readonly Contact[] =>
    shown === undefined ? [] : contactsWith(shown.items, pending.all, shown.asked)
  const own = (at: number): Contact | undefined =>
    view().filter(one => !one.id.startsWith('f') && !one.id.startsWith('new'))[at % 30]

  const act = (action: Action): void => {
    if (action.kind === 'go on') return waiting.splice(action.which % Math.max(waiting.length, 1), 1)[0]?.()
    if (action.kind === 'read') return void read()
    if (action.kind === 'foreign') {
      const op: Op = {
        id: `f${++made}`,
        apply: () => contact(`f${made}`, 'a'),
        state: 'foreign',
        doneAt: ++did,
        isTold: false,
      }
      server = new Map(server).set(op.id, contact(op.id, 'a'))
      ops.push({ ...op, apply: () => contact(op.id, 'a') })
      return
    }
    if (action.kind === 'create') {
      const id = `c${++made}`
      return change([making(contact(`new-${made}`, 'b'))], [id], action.fate)
    }
    const target = own(action.which % Math.max(1, view().length))
    if (target === undefined) return
    if (action.kind === 'delete') return change([removing(target)], [target.id], action.fate)
    const category = { id: CATEGORIES[action.category] ?? 'a' }
    if (action.kind === 'move') {
      return change([changing(target, one => ({ ...one, categories: [category] }))], [target.id], action.fate)
    }
    const others = view().filter(one => /^\d/.test(one.id))
    const add = (one: Contact): Contact =>
      one.categories.some(({ id }) => id === category.id) ? one : { ...one, categories: [...one.categories, category] }
    return change(
      others.map(one => changing(one, add)),
      others.map(one => one.id),
      action.fate,
    )
  }

  /** What was done and its answer lost is told by the next answer about the same contact. */
  const isToldLater = (op: Op): boolean =>
    ops.some(other => other.id === op.id && other.isTold && other.doneAt > op.doneAt)

  /** The truth: what the copy has of others, and everything of one's own that has not failed. */
  const expected = (): State => {
    const at = shown?.at ?? 0
    const state = new Map(INITIAL)
    for (const op of ops) {
      if (op.state === 'failed' || (op.state === 'foreign' && op.doneAt > at && !isToldLater(op))) continue
      const after = op.apply(state.get(op.id))
      if (after === undefined) state.delete(op.id)
      else state.set(op.id, { ...after, id: op.id })
    }
    return state
  }

  const counts = (contacts: Iterable<Contact>): Record<string, number> => {
    const all = [...contacts]
    const within = (name: string): number => all.filter(one => one.categories.some(({ id }) => id === name)).length
    return { total: all.length, ...Object.fromEntries(CATEGORIES.map(name => [name, within(name)])) }
  }

  return {
    pending,
    act,
    async ready() {
      void read()
      await this.finish()
    },
    async finish() {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        next()
        await setImmediate()
      }
    },
    check() {
      if (shown === undefined) throw new Error('nothing was read')
      const { asked, items } = shown
      const truth = counts(expected().values())
      const base = counts(items)
      const deltas = CATEGORIES.map(name => [name, (base[name] ?? 0) + categoryDelta(pending.all, name, asked)])
      const told = { total: (base['total'] ?? 0) + totalDelta(pending.all, asked), ...Object.fromEntries(deltas) }
      expect(told).toEqual(truth)
      expect(counts(view())).toEqual(truth)
      expect(new Set(view().map(one => one.id)).size).toBe(view().length)
    },
    checkSettled() {
      this.check()
      expect(counts(view())).toEqual(counts(server.values()))
      expect(pending.all).toEqual([])
    },
  }
}

test('lists and counters equal the model at every moment, whatever order changes, answers, failures and readings come in', async () => {
  await fc.assert(
    fc.asyncProperty(actions, async script => {
      const one = world()
      await one.ready()
      for (const action of script) {
        one.act(action)
        await setImmediate()
        one.check()
      }
      await one.finish()
      // Others have told what they did.
      await one.ready()
      one.checkSettled()
    }),
    { numRuns: 400 },
  )
})

test('a change of something that is being changed is sent after the first one, with what that made of it', async () => {
  const pending = createPendingChanges<Contact, { readonly id: string }>()
  const seen = contact('1')
  const answers: ((value: Contact) => void)[] = []
  const sent: (Contact | undefined)[] = []
  const move = (category: string): Promise<void> =>
    pending.run(
      { contacts: [changing(seen, one => ({ ...one, categories: [{ id: category }] }))] },
      {
        async send(known) {
          sent.push(known.contact('1'))
          const value = await new Promise<Contact>(resolve => void answers.push(resolve))
          return { value: undefined, contacts: [['1', value]] }
        },
        settled: async () => 0,
      },
    )
  const [first, second] = [move('a'), move('b')]
  await setImmediate()
  expect(sent).toEqual([seen])
  expect(contactsWith([seen], pending.all, 0)).toEqual([contact('1', 'b')])
  answers[0]?.(contact('1', 'a'))
  await first
  await setImmediate()
  expect(sent).toEqual([seen, contact('1', 'a')])
  answers[1]?.(contact('1', 'b'))
  await second
})
