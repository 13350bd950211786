import type { Core, Target } from './core.ts'
import type { Entry } from './entry.ts'
import { PalierError } from './errors.ts'
import type { Flight, Landing } from './flight.ts'
import { messageOf } from './link.ts'

/** Waits for a flight as one caller: its soft and hard time-outs, and the stale value when the load fails. */
export function awaitLanding(core: Core, target: Target, flight: Flight, result: Promise<Landing>): Promise<Landing> {
  const { policy } = target
  return new Promise<Landing>((resolve, reject) => {
    let cancelSoft: () => void = () => undefined
    const cancelHard = core.clock.hold(policy.hardTimeout, () => {
      const old = usableStale(core, target, flight)
      if (old !== undefined) return finish(() => resolve(servedStale(core, target, old, 'timeout')))
      const text = `the factory of "${target.key}" did not finish within ${policy.hardTimeout} ms`
      return finish(() => reject(new PalierError('PALIER_FACTORY_TIMEOUT', text, { key: target.key })))
    })
    const finish = (settle: () => void): void => {
      cancelSoft()
      cancelHard()
      settle()
    }
    flight.whenBegun(() => {
      if (usableStale(core, target, flight) === undefined) return
      cancelSoft = core.clock.after(policy.softTimeout, () => {
        const old = usableStale(core, target, flight)
        if (old !== undefined) finish(() => resolve(servedStale(core, target, old, 'timeout')))
      })
    })
    result.then(
      landing => finish(() => resolve(landing)),
      (error: unknown) =>
        finish(() => {
          const old = usableStale(core, target, flight)
          if (old === undefined) return reject(error)
          reportFactory(core, target, error)
          return resolve(servedStale(core, target, old, 'error'))
        }),
    )
  })
}

/** A factory's failure that its caller is not told of, because a value could be given. */
export function reportFactory(core: Core, target: Target, cause: unknown): void {
  const message = messageOf(cause)
  core.events.emit('error', { operation: 'factory', code: 'FACTORY', message, key: target.key, cause })
}

function usableStale(core: Core, target: Target, flight: Flight): Entry | undefined {
  const old = flight.stale
  if (old === undefined || core.clock.now() >= old.deadAt) return undefined
  // An invalidation since then makes it unservable, however old.
  if (flight.detached || core.tier.stamps.judge(old, target.type.name, target.key) === 'dead') return undefined
  return old
}

export function stale(entry: Entry): Landing {
  return { entry, raw: undefined, outcome: 'stale', tier: 'near', reason: 'expired' }
}

/** A stale entry is what a caller gets, and why is an event. */
export function servedStale(
  core: Core,
  target: Target,
  entry: Entry,
  reason: 'timeout' | 'error' | 'refreshing',
): Landing {
  core.events.emit('stale', { type: target.type.name, key: target.key, reason })
  return stale(entry)
}
