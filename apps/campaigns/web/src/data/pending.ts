import type { Answer, Client, Operation } from './client.ts'

/*
 * What the person did and the server's data do not show yet. Screens show the server's data with these changes laid over
 * it; a change that fails is taken away again, and with it all it had done to lists and counters. Nothing is ever written
 * into the server's data, so changes under way at the same time cannot undo each other.
 *
 * Whether data has a change is never guessed. A change is asked for and answered at moments of one count, the turns; so
 * is what is read. What was read while a change was under way may have it or not: it is read again (`steady`). Anything
 * else was asked for after the answer to the change, and has it, or came before it was sent, and lacks it.
 */
export interface Thing {
  readonly id: string
}

export interface ContactShape extends Thing {
  readonly categories: readonly Thing[]
}

/** What happens to one thing: a function, so that changes of the same thing follow each other, and any of them may fail. */
export interface Step<T> {
  readonly id: string
  /** The thing as the server has it before the change; undefined when the change makes it. */
  readonly known: T | undefined
  /** Undefined: it is gone, or not there. */
  readonly apply: (thing: T | undefined) => T | undefined
}

export interface Steps<C, G> {
  readonly contacts?: readonly Step<C>[]
  readonly categories?: readonly Step<G>[]
}

export interface Pending<C, G> {
  readonly key: number
  readonly contacts: readonly Step<C>[]
  readonly categories: readonly Step<G>[]
  /** The turn of the server's answer; undefined while there is none. */
  readonly answered: number | undefined
}

/** A change that makes a thing, changes fields of one, or takes one away. */
export const making = <T extends Thing>(thing: T): Step<T> => ({ id: thing.id, known: undefined, apply: () => thing })
export const changing = <T extends Thing>(known: T, change: (thing: T) => T): Step<T> => ({
  id: known.id,
  known,
  apply: thing => (thing === undefined ? undefined : change(thing)),
})
export const removing = <T extends Thing>(known: T): Step<T> => ({ id: known.id, known, apply: () => undefined })

/** Whether what was asked for at the turn `asked` lacks the change. */
function isMissing(change: { readonly answered: number | undefined }, asked: number | undefined): boolean {
  return change.answered === undefined || asked === undefined || asked < change.answered
}

interface Moved<T> {
  readonly id: string
  readonly before: T | undefined
  readonly steps: readonly Step<T>[]
}

const fold = <T>(thing: T | undefined, steps: readonly Step<T>[]): T | undefined =>
  steps.reduce<T | undefined>((now, step) => step.apply(now), thing)

/** The steps that the data lacks, by the thing they are about, in their order. */
function movedOf<T>(
  pending: readonly { readonly answered: number | undefined; readonly steps: readonly Step<T>[] }[],
  asked: number | undefined,
): readonly Moved<T>[] {
  const byId = new Map<string, { before: T | undefined; steps: Step<T>[] }>()
  for (const change of pending) {
    if (!isMissing(change, asked)) continue
    for (const step of change.steps) {
      const known = byId.get(step.id)
      if (known === undefined) byId.set(step.id, { before: step.known, steps: [step] })
      else known.steps.push(step)
    }
  }
  return [...byId].map(([id, moved]) => ({ id, ...moved }))
}

const ofContacts = <C, G>(pending: readonly Pending<C, G>[]) =>
  pending.map(({ answered, contacts }) => ({ answered, steps: contacts }))
const ofCategories = <C, G>(pending: readonly Pending<C, G>[]) =>
  pending.map(({ answered, categories }) => ({ answered, steps: categories }))

export interface Listing<T> {
  /** Whether the list, with its filter, has a thing like this. */
  readonly belongs?: (thing: T) => boolean
  /** Where a thing that comes in stands; first unless said. Undefined: where the list is not loaded. */
  readonly place?: (items: readonly T[], thing: T) => number | undefined
}

function listWith<T extends Thing>(
  items: readonly T[],
  moved: readonly Moved<T>[],
  { belongs = () => true, place = () => 0 }: Listing<T>,
): readonly T[] {
  if (moved.length === 0) return items
  const byId = new Map(moved.map(one => [one.id, one]))
  const here = new Set(items.map(item => item.id))
  const list: T[] = []
  for (const item of items) {
    const steps = byId.get(item.id)?.steps
    const after = steps === undefined ? item : fold(item, steps)
    if (after !== undefined && (steps === undefined || belongs(after))) list.push(after)
  }
  for (const { id, before, steps } of moved) {
    if (here.has(id)) continue
    // Known, and not here though it belongs here: it is on a page that is not loaded.
    if (before !== undefined && belongs(before)) continue
    const after = fold(before, steps)
    const at = after === undefined || !belongs(after) ? undefined : place(list, after)
    if (after !== undefined && at !== undefined) list.splice(at, 0, after)
  }
  return list
}

/** Contacts of the server with the changes that they lack. */
export function contactsWith<C extends ContactShape, G>(
  items: readonly C[],
  pending: readonly Pending<C, G>[],
  asked: number | undefined,
  listing: Listing<C> = {},
): readonly C[] {
  return listWith(items, movedOf(ofContacts(pending), asked), listing)
}

/** Categories of the server with the changes that they lack; their counts are `categoryDelta`'s. */
export function categoriesWith<C, G extends Thing>(
  items: readonly G[],
  pending: readonly Pending<C, G>[],
  asked: number | undefined,
  listing: Listing<G> = {},
): readonly G[] {
  return listWith(items, movedOf(ofCategories(pending), asked), listing)
}

/** One contact with the changes that it lacks; undefined when it is gone. */
export function contactWith<C extends ContactShape, G>(
  contact: C,
  pending: readonly Pending<C, G>[],
  asked: number | undefined,
): C | undefined {
  const moved = movedOf(ofContacts(pending), asked).find(one => one.id === contact.id)
  return moved === undefined ? contact : fold(contact, moved.steps)
}

/** By how much the changes that it lacks move a number of contacts: of all, or of those that `counts` counts. */
export function totalDelta<C, G>(
  pending: readonly Pending<C, G>[],
  asked: number | undefined,
  counts: (contact: C) => boolean = () => true,
): number {
  const one = (contact: C | undefined): number => (contact !== undefined && counts(contact) ? 1 : 0)
  return movedOf(ofContacts(pending), asked).reduce(
    (sum, { before, steps }) => sum + one(fold(before, steps)) - one(before),
    0,
  )
}

/** By how much the changes that it lacks move the number of contacts of a category. */
export function categoryDelta<C extends ContactShape, G>(
  pending: readonly Pending<C, G>[],
  categoryId: string,
  asked: number | undefined,
): number {
  return totalDelta(pending, asked, contact => contact.categories.some(one => one.id === categoryId))
}

/** Whether something about the thing is on its way to the server. */
export function isSaving<C, G>(pending: readonly Pending<C, G>[], id: string): boolean {
  return pending.some(
    ({ answered, contacts, categories }) =>
      answered === undefined && (contacts.some(step => step.id === id) || categories.some(step => step.id === id)),
  )
}

/** What the server made of a thing, by the id under which it was shown; undefined: it is gone. */
export interface Confirmed<C, G, T> {
  readonly value: T
  readonly contacts?: readonly (readonly [id: string, contact: C | undefined])[]
  readonly categories?: readonly (readonly [id: string, category: G | undefined])[]
}

/** The things as the server has them when the change is sent, earlier changes of this page included. */
export interface Known<C, G> {
  contact(id: string): C | undefined
  category(id: string): G | undefined
}

export interface Sending<C, G, T> {
  /** Asks the server. Changes of the same thing are sent one after the other. */
  readonly send: (known: Known<C, G>) => Promise<Confirmed<C, G, T>>
  /** Reads anew what is on the screen, after an answer or a failure; returns the turn of the oldest data still kept. */
  readonly settled: () => Promise<number>
}

/** The changes of this page that are under way, for `useSyncExternalStore`. */
export interface PendingChanges<C, G> {
  readonly all: readonly Pending<C, G>[]
  listen(listener: () => void): () => void
  /** Shows the change and sends it. When `send` rejects, the change is taken away again, and this rejects with the same. */
  run<T>(steps: Steps<C, G>, sending: Sending<C, G, T>): Promise<T>
  /** Reads so that what is read has a change wholly or not at all, with the turn at which it was asked for. */
  steady<T>(ask: () => Promise<T>): Promise<{ readonly value: T; readonly asked: number }>
}

function confirmedStep<T extends Thing>(
  step: Step<T>,
  made: readonly (readonly [id: string, thing: T | undefined])[],
): Step<T> {
  const found = made.find(([id]) => id === step.id)
  return found === undefined ? step : { id: found[1]?.id ?? step.id, known: step.known, apply: () => found[1] }
}

export function createPendingChanges<C extends Thing, G extends Thing>(): PendingChanges<C, G> {
  const listeners = new Set<() => void>()
  let all: readonly Pending<C, G>[] = []
  let lastKey = 0
  let turn = 0
  let lastSent = 0
  const underWay = new Set<Promise<unknown>>()
  /** The end of the last change of each thing. */
  const ends = new Map<string, Promise<void>>()

  const become = (next: readonly Pending<C, G>[]): void => {
    all = next
    for (const listener of listeners) listener()
  }
  const find = (key: number): Pending<C, G> | undefined => all.find(one => one.key === key)

  /** A change of a thing that is being changed starts from what the server has, not from what is hoped for. */
  const based = <T>(steps: readonly Step<T>[], of: (change: Pending<C, G>) => readonly Step<T>[]): readonly Step<T>[] =>
    steps.map(step => {
      const earlier = all.find(one => one.answered === undefined && of(one).some(other => other.id === step.id))
      const found = earlier === undefined ? undefined : of(earlier).find(other => other.id === step.id)
      return found === undefined ? step : { ...step, known: found.known }
    })

  /** Later changes of the same things now start from what this one has become. */
  const rebased = <T>(steps: readonly Step<T>[], made: readonly Step<T>[]): readonly Step<T>[] =>
    steps.map(step => {
      const found = made.find(other => other.id === step.id)
      return found === undefined ? step : { ...step, known: found.apply(found.known) }
    })

  const confirm = (key: number, { contacts = [], categories = [] }: Confirmed<C, G, unknown>): void => {
    const change = find(key)
    if (change === undefined) return
    const done: Pending<C, G> = {
      key,
      contacts: change.contacts.map(step => confirmedStep(step, contacts)),
      categories: change.categories.map(step => confirmedStep(step, categories)),
      answered: ++turn,
    }
    become(
      all.map(one => {
        if (one.key === key) return done
        if (one.answered !== undefined) return one
        return {
          ...one,
          contacts: rebased(one.contacts, done.contacts),
          categories: rebased(one.categories, done.categories),
        }
      }),
    )
  }

  const forget = (oldest: number): void => {
    const kept = all.filter(one => one.answered === undefined || one.answered > oldest)
    if (kept.length < all.length) become(kept)
  }

  const sendNow = async <T>(key: number, send: Sending<C, G, T>['send']): Promise<T> => {
    const known: Known<C, G> = {
      contact: id => find(key)?.contacts.find(step => step.id === id)?.known,
      category: id => find(key)?.categories.find(step => step.id === id)?.known,
    }
    lastSent = ++turn
    const answering = send(known)
    underWay.add(answering)
    try {
      const answer = await answering
      confirm(key, answer)
      return answer.value
    } catch (error) {
      ++turn
      become(all.filter(one => one.key !== key))
      throw error
    } finally {
      underWay.delete(answering)
    }
  }

  return {
    get all() {
      return all
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async run({ contacts = [], categories = [] }, { send, settled }) {
      const key = ++lastKey
      const ids = [...contacts, ...categories].map(step => step.id)
      const earlier = [...new Set(ids.map(id => ends.get(id)))].filter(end => end !== undefined)
      become([
        ...all,
        {
          key,
          contacts: based(contacts, one => one.contacts),
          categories: based(categories, one => one.categories),
          answered: undefined,
        },
      ])
      const sent = Promise.all(earlier).then(() => sendNow(key, send))
      const end = sent.then(
        () => undefined,
        () => undefined,
      )
      for (const id of ids) ends.set(id, end)
      try {
        return await sent
      } finally {
        for (const id of ids) if (ends.get(id) === end) ends.delete(id)
        // Not awaited: the person goes on.
        void settled().then(forget)
      }
    },
    async steady(ask) {
      for (;;) {
        while (underWay.size > 0) await Promise.allSettled(underWay)
        const asked = ++turn
        const value = await ask()
        if (lastSent < asked) return { value, asked }
      }
    },
  }
}

/** What shows contacts or categories, or counts them. */
const STEADY = new Set<Operation>([
  'GET /contacts',
  'GET /contacts/{id}',
  'GET /categories',
  'GET /categories/{id}',
  'GET /dashboard',
])

/** The client whose answers say which changes they have. */
export function steadyClient<C, G>(client: Client, pending: PendingChanges<C, G>): Client {
  return {
    ...client,
    async ask(operation, given, options) {
      if (!STEADY.has(operation) || options?.isPart === true) return await client.ask(operation, given, options)
      const { value: answer, asked } = await pending.steady(() => client.ask(operation, given, options))
      // A copy of an earlier visit has nothing of this one.
      return { ...answer, asked: answer.offline ? 0 : asked }
    },
  }
}

/** The turn at which a query's data was asked for; of pages, the oldest. Undefined where it does not matter. */
export function askedOf(data: unknown): number | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  if ('pages' in data && Array.isArray(data.pages)) {
    const turns = data.pages.map(askedOf)
    return turns.length === 0 || turns.includes(undefined) ? undefined : Math.min(...(turns as number[]))
  }
  return (data as Partial<Answer<unknown>>).asked
}
