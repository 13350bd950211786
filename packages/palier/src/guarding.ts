import { within } from './clock.ts'
import { type Core, reportError } from './core.ts'
import { PalierError } from './errors.ts'
import type { GuardRoom, Guards } from './guard-room.ts'
import type { Link } from './link.ts'

/** How often the number of processes is looked at. */
const COUNT_EVERY = 1000

/** The locks and limits of one store, each call within the deadline of its link. */
function guardsOf(link: Link): Guards {
  return {
    locks: {
      acquire: (name, owner, ttl) => link.call(store => store.locks.acquire(name, owner, ttl)),
      renew: (name, owner, ttl) => link.call(store => store.locks.renew(name, owner, ttl)),
      release: (name, owner) => link.call(store => store.locks.release(name, owner)),
    },
    limits: {
      take: (key, rate, cost) => link.call(store => store.limits.take(key, rate, cost)),
      count: (key, window, cost, penalty) => link.call(store => store.limits.count(key, window, cost, penalty)),
      reset: key => link.call(store => store.limits.reset(key)),
    },
  }
}

/** What locks and limiters see of a cache: its home tier, what stands in for it, and this process. */
export function createGuardRoom(core: Core, memory: Guards, deadline: number, peers: () => number): GuardRoom {
  const { clock } = core
  let processes = 1
  let countedAt = Number.NEGATIVE_INFINITY

  const count = (): void => {
    if (clock.now() - countedAt < COUNT_EVERY) return
    countedAt = clock.now()
    processes = Math.max(1, peers())
  }

  /** A decision is owed within the deadline even while the backend is being looked for. */
  const settled = (): Promise<void> =>
    within(
      clock,
      deadline,
      () => core.settled,
      () => {
        throw new PalierError('PALIER_STORE_FAILED', 'the backend is still being looked for')
      },
    )

  return {
    clock,
    namespace: core.namespace,
    memory,
    closed: core.closed.signal,
    async shared(operation) {
      await settled()
      const { link } = core.home
      if (link === undefined) return operation(memory)
      try {
        const done = await link.call(operation)
        count()
        return done
      } catch (error) {
        reportError(core, 'guard', error)
        throw error
      }
    },
    local() {
      const { tier, home } = core
      return tier === home || tier.link === undefined ? memory : guardsOf(tier.link)
    },
    processes: () => processes,
  }
}
