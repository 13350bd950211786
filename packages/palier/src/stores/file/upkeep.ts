import type { Clock } from '../../clock.ts'
import type { Swept } from '../../store.ts'
import { type Budget, type Ledger, SWEEP_AT } from './ledger.ts'
import type { Sweeper } from './sweeper.ts'

/** When the directory is swept: on a timer, when a write found no room, and when somebody asks. */
export interface Upkeep {
  /** Of the calls made while a sweep runs, here or elsewhere, none begins another. */
  sweep(pressed: boolean): Promise<Swept>
  /** Begins a sweep, unless one was just begun or ended. */
  sweepSoon(pressed: boolean): void
  /** Resolves after a sweep, or the one under way; false at once where the last one, just before, found nothing dead. */
  clearDead(): Promise<boolean>
  /** Starts the timer, once. */
  start(): void
  /** Ends the timer, and waits for the sweep under way. */
  stop(): Promise<void>
}

export interface UpkeepOptions {
  readonly clock: Clock
  readonly budget: Budget
  readonly evict: () => boolean
  readonly ledger: Ledger
  readonly sweeper: Sweeper
  /** Once a minute, before anything else. */
  readonly look: () => void
  readonly swept: (swept: Swept) => void
  readonly noteFault: (operation: string, cause: unknown) => void
}

const TICK = 60_000
/** A count this old is made again, whoever made it: what expired is removed then. */
const COUNT_AGE = 300_000
/** Between two sweeps that refused writes ask for. */
const SWEEP_PAUSE = 100
/** The same, once there is nothing that a sweep would take away. */
const FRUITLESS_PAUSE = 5_000

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { clock, budget, evict, ledger, sweeper, noteFault } = options
  let sweptAt = Number.NEGATIVE_INFINITY
  let sweepPause = SWEEP_PAUSE
  let sweeping: Promise<unknown> | undefined
  let cancel: (() => void) | undefined
  let stopped = false

  const sweep = async (pressed: boolean): Promise<Swept> => {
    const running = sweeper.sweep(pressed)
    sweeping = running
    const swept = await running.finally(() => {
      if (sweeping === running) sweeping = undefined
    })
    sweptAt = clock.now()
    if (swept !== undefined) {
      sweepPause = evict() || swept.expired + swept.debris > 0 ? SWEEP_PAUSE : FRUITLESS_PAUSE
      options.swept(swept)
      return swept
    }
    const totals = await ledger.totals()
    return { expired: 0, evicted: 0, debris: 0, entries: totals?.files ?? 0, bytes: totals?.bytes ?? 0 }
  }

  const tickNow = async (): Promise<void> => {
    options.look()
    await ledger.tick()
    const totals = await ledger.totals()
    const crowded =
      totals === undefined || totals.bytes > budget.bytes * SWEEP_AT || totals.files > budget.files * SWEEP_AT
    // A count from the future was made before the clock was turned back.
    if (crowded || Math.abs(clock.wall() - totals.countedAt) > COUNT_AGE) await sweep(false)
  }

  const tick = (): void => {
    if (stopped) return
    tickNow()
      .catch((error: unknown) => noteFault('tick', error))
      .finally(() => {
        if (!stopped) cancel = clock.after(TICK, tick)
      })
  }

  return {
    sweep,
    sweepSoon(pressed) {
      if (stopped || clock.now() - sweptAt < sweepPause) return
      sweptAt = clock.now()
      sweep(pressed).catch((error: unknown) => noteFault('sweep', error))
    },
    async clearDead() {
      const paused = sweepPause === FRUITLESS_PAUSE && clock.now() - sweptAt < sweepPause
      if (stopped || (paused && sweeping === undefined)) return false
      await sweep(false)
      return true
    },
    start() {
      if (!stopped) cancel ??= clock.after(TICK, tick)
    },
    async stop() {
      stopped = true
      cancel?.()
      await Promise.allSettled([sweeping])
    },
  }
}
