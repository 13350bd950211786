/** A count that a job tells of, under the server's name for it. */
interface Figure {
  readonly name: string
  readonly value: number
}

/** Where a job is, and what only the machine needs to go on from there. */
const PLACES: ReadonlySet<string> = new Set(['offset', 'line', 'stopped_at_line', 'after', 'cursor', 'version'])

/** The counts of a job's progress or result: what else is in it is for the job itself. */
export function figuresOf(told: unknown): readonly Figure[] {
  if (typeof told !== 'object' || told === null || Array.isArray(told)) return []
  return Object.entries(told as Record<string, unknown>).flatMap(([name, value]) =>
    typeof value === 'number' && !PLACES.has(name) ? [{ name, value }] : [],
  )
}

/** How much of a file an import has read, from 0 to 1; undefined for jobs that do not know how much there is. */
export function shareOf(description: unknown, progress: unknown): number | undefined {
  const total = (description as { readonly bytes?: unknown } | null)?.bytes
  const done = (progress as { readonly offset?: unknown } | null)?.offset
  return typeof total === 'number' && typeof done === 'number' && total > 0 ? Math.min(1, done / total) : undefined
}

type EventTone = 'healthy' | 'warming' | 'degraded' | 'down' | 'quiet'

/** An event of a state begins with its name: "HEALTHY: the store answers". */
export function readEvent(kind: string, detail: string): { readonly tone: EventTone; readonly text: string } {
  const at = detail.indexOf(': ')
  const state = detail.slice(0, at).toLowerCase()
  const isState = kind === 'state' && ['healthy', 'warming', 'degraded', 'down'].includes(state)
  return isState ? { tone: state as EventTone, text: detail.slice(at + 2) } : { tone: 'quiet', text: detail }
}
