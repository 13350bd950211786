import type { KnownEvent } from '../data/events.ts'

const MARKED = ['clear', 'failover', 'policy', 'start'] as const
export type MarkKind = (typeof MARKED)[number]

/** A moment worth knowing. */
export interface Mark {
  readonly at: number
  readonly kind: MarkKind
  readonly text: string
}

/** A stretch in which memory was filling. */
export interface Warming {
  readonly from: number
  readonly to: number
}

export function marksOf(events: readonly KnownEvent[]): readonly Mark[] {
  return events.flatMap(({ at, kind, text }) => {
    const marked = MARKED.find(one => one === kind)
    return marked === undefined ? [] : [{ at, kind: marked, text }]
  })
}

/** From the events of health, whose text begins with the state; the last one goes on until `now`. */
export function warmingsOf(events: readonly KnownEvent[], now: number): readonly Warming[] {
  const states = events.filter(event => event.kind === 'health' || event.kind === 'start')
  return states.flatMap((event, i) => {
    const isWarming = event.kind === 'start' || event.text.startsWith('WARMING')
    return isWarming ? [{ from: event.at, to: states[i + 1]?.at ?? now }] : []
  })
}
