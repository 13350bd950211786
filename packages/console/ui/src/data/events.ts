import type { SnapshotAnswer, UnchangedAnswer } from '../../../src/api.ts'

type Event = NonNullable<SnapshotAnswer['events']>[number]

/** An event with the process that told it: each numbers its own. */
export interface KnownEvent extends Event {
  readonly key: string
}

/** The newest snapshot, and every event told since the page began, oldest first. */
export interface Known {
  readonly next: string
  readonly snapshot: SnapshotAnswer
  readonly events: readonly KnownEvent[]
}

const MOST = 300

/** What is known after an answer. An answer of another process tells its own events, which come beside those known. */
export function fold(before: Known | undefined, answer: SnapshotAnswer | UnchangedAnswer): Known | undefined {
  if (answer.unchanged === true) return before === undefined ? undefined : { ...before, next: answer.next }
  const [id = ''] = answer.next.split('.')
  const news = (answer.events ?? []).map(event => ({ ...event, key: `${id}.${event.sequence}` }))
  const told = new Set(news.map(event => event.key))
  const kept = (before?.events ?? []).filter(event => !told.has(event.key))
  const events = [...kept, ...news].toSorted((a, b) => a.at - b.at).slice(-MOST)
  return { next: answer.next, snapshot: answer, events }
}
