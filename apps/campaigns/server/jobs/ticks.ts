import { Cron } from 'croner'
import type { Services } from '../services.ts'
import { write } from '../work.ts'
import type { JobHandler } from './contract.ts'
import { storedKey } from './keys.ts'
import { indexHandlers } from './queue.ts'

/** A job that is added whenever the pattern says, once for all processes. */
export interface Tick {
  /** Of the tick, and of the handler of its jobs. */
  readonly name: string
  /** Minute, hour, day, month, day of the week; in UTC. */
  readonly pattern: string
}

export interface Ticks {
  /** Adds the jobs of the occurrences that are due. Returns the names of those that were added here. */
  run(): Promise<readonly string[]>
}

/** How long whoever claimed an occurrence may take to add its job before it is taken for dead. Milliseconds. */
const CLAIMED_FOR_MS = 10_000

interface Schedule {
  readonly name: string
  readonly cron: Cron
  /** The occurrence that this process has done with, and the time of the next one. */
  done: number
  next: number
  /** The present occurrence, and when it was first claimed or found claimed here. */
  due: number
  foundAt: number | undefined
}

function minuteOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16)}Z`
}

/** The key of an occurrence: for ever, since its job keeps it. */
function tickKey(name: string, occurrence: number): string {
  return `tick:${name}:${minuteOf(occurrence)}`
}

/** What the stored keys of all occurrences lie between: the character after `:` is `;`. */
export const TICK_KEYS = { from: storedKey('tick:', true), to: storedKey('tick;', true) } as const

async function isAdded({ database }: Services, name: string, occurrence: number): Promise<boolean> {
  const key = storedKey(tickKey(name, occurrence), true)
  const row = await database.writer.selectFrom('jobs').select('id').where('dedupe_key', '=', key).executeTakeFirst()
  return row !== undefined
}

/**
 * Only the latest occurrence counts: a process that was down for a day catches up with one, and not with one an hour. Its
 * claim in the cache spares the database all inserts but one; the key of the job decides where processes share no
 * backend, where it is out, and where whoever claimed it died. Throws when a tick has no handler.
 */
export function createTicks(
  services: Services,
  ticks: readonly Tick[],
  handlers: readonly JobHandler<unknown>[],
): Ticks {
  const { caching, jobs, now } = services
  const known = indexHandlers(handlers)
  const schedules = ticks.map(({ name, pattern }): Schedule => {
    if (!known.has(name)) throw new Error(`the tick ${name} has no handler of jobs of that name`)
    const cron = new Cron(pattern, { timezone: 'UTC', paused: true, mode: '5-part' })
    return { name, cron, done: Number.NaN, next: Number.NaN, due: Number.NaN, foundAt: undefined }
  })

  const add = (name: string, occurrence: number): Promise<boolean> =>
    write(services, async work => {
      const dedupeKey = tickKey(name, occurrence)
      return (await jobs.add(work, { name, payload: {}, dedupeKey, keepKey: true })) !== undefined
    })

  /** Undefined while it is not known whether the one who claimed it has added it. */
  async function claim(schedule: Schedule, occurrence: number): Promise<boolean | undefined> {
    const { name, foundAt } = schedule
    if (foundAt !== undefined) {
      const waited = now() - foundAt
      if (waited >= 0 && waited < CLAIMED_FOR_MS) return undefined
      return (await isAdded(services, name, occurrence)) ? false : await add(name, occurrence)
    }
    schedule.foundAt = now()
    const claimed = await caching.cache.once(`tick:${name}`, minuteOf(occurrence), () => add(name, occurrence), {
      onOutage: 'open',
    })
    if (claimed.ran) return claimed.value
    // Claimed here, but the run of the one before has not ended: the key holds as well.
    return claimed.reason === 'claimed' ? undefined : await add(name, occurrence)
  }

  async function runOne(schedule: Schedule): Promise<boolean> {
    const at = now()
    // The clock may have been turned back: then the occurrence before is the latest again, and was done with long ago.
    if (at >= schedule.done && at < schedule.next) return false
    const [latest] = schedule.cron.previousRuns(1, new Date(at + 1))
    if (latest === undefined) return false
    const occurrence = latest.getTime()
    if (schedule.due !== occurrence) {
      schedule.due = occurrence
      schedule.foundAt = undefined
    }
    const added = await claim(schedule, occurrence)
    if (added === undefined) return false
    schedule.done = occurrence
    schedule.next = schedule.cron.nextRun(new Date(occurrence))?.getTime() ?? Number.POSITIVE_INFINITY
    return added
  }

  return {
    async run() {
      const added: string[] = []
      for (const schedule of schedules) if (await runOne(schedule)) added.push(schedule.name)
      return added
    },
  }
}
