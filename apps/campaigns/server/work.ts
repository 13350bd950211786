import { setTimeout } from 'node:timers/promises'
import type { Transaction } from 'kysely'
import { type Actor, SYSTEM } from './access/actor.ts'
import type { Tag } from './cache-map.ts'
import { isTransient } from './database/portable.ts'
import type { Tables } from './database/schema.ts'
import type { Engine } from './database/url.ts'
import { type Change, recordChange } from './history/record.ts'
import { noteOwnWrite } from './own-writes.ts'
import type { Services } from './services.ts'

/**
 * Every write of the application: one transaction, in which the change, its history and the note of what the cache must
 * forget are stored together; then the deletion of the touched tags, before the writer gets its answer. The note is
 * taken away once the cache has heard: a process that dies between the commit and the deletion leaves it behind, and
 * the next sweep delivers it.
 */
export interface Work {
  readonly trx: Transaction<Tables>
  readonly engine: Engine
  readonly actor: Actor
  /** One time for all rows of the write, in milliseconds since 1970. */
  readonly at: number
  /** What the write changed: these tags are deleted after the commit. */
  touch(...tags: readonly Tag[]): void
  record(change: Change): Promise<void>
  /** Runs after the commit, and not at all without one. Must not throw. */
  after(run: () => void): void
}

export interface WriteOptions {
  /** The application itself unless said. */
  readonly actor?: Actor
  /**
   * `now`: the tags are deleted before the promise resolves; right for what a person waits for. `soon`: within the
   * coalescing window, so that a campaign that moves a hundred messages a second does not keep every read cold.
   */
  readonly pace?: 'now' | 'soon'
}

const TRIES = 6

/** Runs `run` in one transaction; again, from the beginning, when the database had to undo it for another's sake. */
export async function write<T>(
  services: Services,
  run: (work: Work) => Promise<T>,
  { actor = SYSTEM, pace = 'now' }: WriteOptions = {},
): Promise<T> {
  const { caching, outbox } = services
  const { result, tags, note, afters } = await commit(services, run, actor)
  // Committed: from here on nothing may fail the write, and nothing may run it again.
  await caching.forget(tags, pace, () => note !== undefined && outbox.told(note))
  await noteOwnWrite(services, actor)
  for (const action of afters) action()
  return result
}

interface Committed<T> {
  readonly result: T
  readonly tags: readonly Tag[]
  readonly note: string | undefined
  readonly afters: readonly (() => void)[]
}

async function commit<T>(services: Services, run: (work: Work) => Promise<T>, actor: Actor): Promise<Committed<T>> {
  const { database, outbox, newId } = services
  for (let attempt = 1; ; attempt++) {
    try {
      return await database.writer.transaction().execute(async trx => {
        const at = services.now()
        const tags = new Set<Tag>()
        const afters: (() => void)[] = []
        const result = await run({
          trx,
          engine: database.engine,
          actor,
          at,
          touch: (...names) => names.forEach(name => tags.add(name)),
          record: change => recordChange(trx, { actor, id: newId(), at }, change),
          after: action => void afters.push(action),
        })
        return { result, tags: [...tags], afters, note: await outbox.note(trx, [...tags], at) }
      })
    } catch (error) {
      if (attempt === TRIES || !isTransient(error)) throw error
      await setTimeout(Math.random() * 10 * 2 ** attempt)
    }
  }
}
