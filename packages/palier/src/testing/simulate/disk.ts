import type { Journal } from '../../journal.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** The journals of the processes of one host: they outlive them. */
export interface Journals {
  open(owner: string): Journal
  /** The process is gone; what it had made durable stays. */
  bury(owner: string): void
}

/** Longest time a line takes to become durable. */
const SYNC = 5

export function createJournals(timeline: Timeline, random: Random): Journals {
  const lines = new Map<string, string[]>()
  const alive = new Set<string>()
  const wait = (): Promise<void> => new Promise(resolve => void timeline.after(random.below(SYNC), resolve))
  return {
    open(owner) {
      alive.add(owner)
      return {
        async append(added) {
          await wait()
          if (alive.has(owner)) lines.set(owner, [...(lines.get(owner) ?? []), ...added])
        },
        async clear() {
          // What is appended from now on is not what was asked to be cleared.
          const before = lines.get(owner)?.length ?? 0
          await wait()
          if (alive.has(owner)) lines.set(owner, (lines.get(owner) ?? []).slice(before))
        },
        async inherit() {
          await wait()
          const dead = [...lines].filter(([name]) => !alive.has(name))
          const others = [...lines].filter(([name]) => alive.has(name) && name !== owner)
          return {
            lines: dead.flatMap(([, left]) => left),
            neighbours: others.flatMap(([, left]) => left),
            async settle() {
              await wait()
              for (const [name] of dead) lines.delete(name)
            },
          }
        },
        async close() {
          alive.delete(owner)
        },
      }
    },
    bury: owner => void alive.delete(owner),
  }
}

/** A journal that forgets: to show that the checker finds it. */
export const NO_JOURNAL: Journal = {
  append: () => Promise.resolve(),
  clear: () => Promise.resolve(),
  inherit: () => Promise.resolve({ lines: [], neighbours: [], settle: () => Promise.resolve() }),
  close: () => Promise.resolve(),
}
