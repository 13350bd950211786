import type { Clock } from './clock.ts'
import type { Events } from './events.ts'
import type { Logger } from './options.ts'

/** The same failure is a line at most this often: an outage is not a flood. */
const QUIET = 60_000

/** Texts of other software are quoted in these lines; none of them may begin a line of its own. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}

/** Writes errors and changes of state, a line each. Returns what ends it. */
export function attachLogger(events: Events, logger: Logger | false, clock: Clock): () => void {
  if (logger === false) return () => undefined
  const last = new Map<string, { at: number; hushed: number }>()
  const offError = events.on('error', ({ operation, code, message, namespace }) => {
    const kind = `${operation} ${code}`
    const before = last.get(kind)
    if (before !== undefined && clock.now() - before.at < QUIET) {
      before.hushed++
      return
    }
    last.set(kind, { at: clock.now(), hushed: 0 })
    const more =
      before === undefined || before.hushed === 0 ? '' : ` (and ${before.hushed} more like it in the last minute)`
    logger.warn(oneLine(`[CACHE ERROR] ${namespace}: ${operation}: ${code}: ${message}${more}`))
  })
  const offState = events.on('state', ({ state, reason, namespace }) => {
    const line = oneLine(`[CACHE] ${namespace}: ${state}: ${reason}`)
    if (state === 'HEALTHY' || state === 'WARMING') logger.info(line)
    else logger.warn(line)
  })
  return () => {
    offError()
    offState()
  }
}

/** What was read, lost and loaded in some time. */
export interface Summary {
  readonly namespace: string
  readonly reads: number
  /** Hits in a hundred reads. */
  readonly hitRate: number
  readonly errors: number
  readonly backend: string
  /** Milliseconds within which 95 in a hundred loads were done; undefined when nothing was loaded. */
  readonly loadP95: number | undefined
}

/** The line a minute that says how it goes; undefined when nothing happened. */
export function summaryLine({ namespace, reads, hitRate, errors, backend, loadP95 }: Summary): string | undefined {
  if (reads === 0 && errors === 0) return undefined
  const parts = [
    `${reads.toLocaleString('en-US')} ${reads === 1 ? 'read' : 'reads'}`,
    ...(reads === 0 ? [] : [`${hitRate.toFixed(1)} % hits`]),
    `${errors.toLocaleString('en-US')} ${errors === 1 ? 'error' : 'errors'}`,
    `backend ${backend}`,
    ...(loadP95 === undefined
      ? []
      : [`p95 load ${loadP95 < 1 ? 'under 1' : loadP95 < 10 ? loadP95.toFixed(1) : Math.round(loadP95)} ms`]),
  ]
  return oneLine(`[CACHE] ${namespace}: ${parts.join(', ')}`)
}
