import { randomBytes } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { FileIo } from './io.ts'
import type { Layout } from './layout.ts'
import type { Leases } from './lease.ts'

/*
 * The two budgets, bytes and files, held by several processes without asking each other at each write.
 *
 * `state/ledger` has the totals that were given out, and is changed by compare-and-set: a lease on it, read, commit.
 * A process takes out an allowance (half a hundredth of the budget at a time), pays for its writes with it, and puts
 * into it what its overwriting and deleting frees. No allowance, no write. The totals therefore never fall below
 * what is on the disk, but for two processes that overwrite one entry in the same instant: each then credits the
 * same old file, which is off by the difference of two sizes until the sweeper's count.
 *
 * The sweeper counts the files and puts the truth in: what it measured, what the processes held unspent by the
 * ledger, and what was given out while it walked. That also heals what a killed process took with it.
 */
export interface Budget {
  readonly bytes: number
  readonly files: number
}

export interface Count {
  bytes: number
  files: number
}

export interface Ledger {
  /** Pays `bytes` and `files` out of the allowance, asking for more if need be; false when the budget is used up. */
  take(bytes: number, files: number): boolean | Promise<boolean>
  /** Puts back what is no longer on the disk; negative amounts are a debt paid at the next asking. */
  give(bytes: number, files: number): void
  /** The totals given out; undefined when there is no ledger yet. */
  totals(): Promise<LedgerTotals | undefined>
  /** Begins an empty ledger; changes nothing when there is one. */
  begin(): Promise<void>
  /** Sets the totals after a count: `measured` is on the disk, `since` are the totals when the count began. */
  settle(measured: Count, since: Count): Promise<LedgerTotals | undefined>
  /** Takes from the totals what the sweeper removed after its count. */
  free(bytes: number, files: number): Promise<void>
  /** Gives back the allowance of a process that did not write lately, and shows that this process lives. */
  tick(): Promise<void>
  /** Gives everything back. */
  close(): Promise<void>
}

export interface LedgerTotals extends Count {
  /** Wall clock of the last count; 0: never. */
  countedAt: number
}

interface Holder {
  readonly id: string
  /** Wall clock of its last visit. */
  readonly at: number
  readonly bytes: number
  readonly files: number
}

interface Page extends LedgerTotals {
  holders: Holder[]
}

export interface LedgerOptions {
  readonly io: () => FileIo
  readonly layout: Layout
  readonly leases: Leases
  readonly clock: Clock
  readonly budget: Budget
  /** Called when the totals pass `SWEEP_AT` of the budget, or there is no ledger to ask. */
  readonly wantSweep: () => void
}

/** Share of the budget at which the sweeper is called, and to which it cleans. */
export const SWEEP_AT = 0.95
export const SWEEP_TO = 0.9

const LEASE_TTL = 400
/** A process that has not been seen for this long holds nothing any more. */
const HOLDER_TTL = 300_000
/** Tries, 5 ms apart, before a missing ledger is counted anew, and before the write is refused. */
const BEGIN_PATIENCE = 10
const BEGIN_ATTEMPTS = 400
const NOTHING: Uint8Array = new Uint8Array(0)

/** Waiting for another process's system calls: real time, whatever clock the store was given. */
const pause = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms))

/** What the ledger is told: less by what is held above `keep`, more by a debt. */
const surplus = (held: number, keep: number): number => (held > keep ? keep - held : Math.max(0, -held))

function readPage(view: Buffer): Page | undefined {
  try {
    const page = JSON.parse(view.toString('utf8')) as Partial<Page>
    const { bytes, files, countedAt, holders } = page
    if (!Number.isFinite(bytes) || !Number.isFinite(files) || !Array.isArray(holders)) return undefined
    return { bytes: bytes ?? 0, files: files ?? 0, countedAt: countedAt ?? 0, holders }
  } catch {
    // A ledger that cannot be read is no ledger: the sweeper's next count makes a new one.
    return undefined
  }
}

export function createLedger({ io, layout, leases, clock, budget, wantSweep }: LedgerOptions): Ledger {
  const id = randomBytes(6).toString('hex')
  const chunk = {
    bytes: Math.max(4096, Math.floor(budget.bytes / 200)),
    files: Math.max(1, Math.floor(budget.files / 200)),
  }
  const local: Count = { bytes: 0, files: 0 }
  let asking: Promise<boolean> | undefined
  let returning = false
  let usedAt = Number.NEGATIVE_INFINITY

  const read = async (): Promise<Page | undefined> => io().read(layout.ledger, readPage)

  /** One compare-and-set; `change` may be called several times. Undefined: the ledger cannot be had, or `change` refused. */
  const update = async (change: (page: Page | undefined) => Page | undefined): Promise<Page | undefined> => {
    for (let attempt = 0; attempt < 400; attempt++) {
      const token = randomBytes(12).toString('hex')
      if (await leases.claim(layout.ledger, token, LEASE_TTL)) {
        let page: Page | undefined
        try {
          page = change(await read())
        } finally {
          if (page === undefined) await leases.release(layout.ledger, token)
        }
        if (page === undefined) return undefined
        if (await leases.commit(layout.ledger, token, Buffer.from(JSON.stringify(page)), NOTHING)) return page
      }
      await pause(1 + Math.random() * 4)
    }
    return undefined
  }

  const visit = (page: Page, given: Count): Page => {
    const at = clock.wall()
    const left = { bytes: local.bytes + given.bytes, files: local.files + given.files }
    const others = page.holders.filter(holder => holder.id !== id && Math.abs(at - holder.at) < HOLDER_TTL)
    const holders = left.bytes === 0 && left.files === 0 ? others : [...others, { id, at, ...left }]
    return { ...page, bytes: page.bytes + given.bytes, files: page.files + given.files, holders }
  }

  /**
   * Adds to the allowance, or with negative amounts gives back. `wanted` may refuse with undefined. What is paid
   * meanwhile stays right, because `local` is only added to. `none`: there is no ledger, or others did not let go of it.
   */
  const exchange = async (wanted: (page: Page) => Count | undefined): Promise<'done' | 'refused' | 'none'> => {
    let given: Count = { bytes: 0, files: 0 }
    let isRefused = false
    const page = await update(page => {
      const amount = page && wanted(page)
      isRefused = page !== undefined && amount === undefined
      if (page === undefined || amount === undefined) return undefined
      given = amount
      return visit(page, amount)
    })
    if (page === undefined) return isRefused ? 'refused' : 'none'
    local.bytes += given.bytes
    local.files += given.files
    if (page.bytes > budget.bytes * SWEEP_AT || page.files > budget.files * SWEEP_AT) wantSweep()
    return 'done'
  }

  const askOnce = (bytes: number, files: number): Promise<'done' | 'refused' | 'none'> => {
    const fits = (page: Page, more: Count): boolean =>
      page.bytes + more.bytes <= budget.bytes && page.files + more.files <= budget.files
    return exchange(page => {
      const need = { bytes: Math.max(0, bytes - local.bytes), files: Math.max(0, files - local.files) }
      const generous = { bytes: need.bytes + chunk.bytes, files: need.files + chunk.files }
      if (fits(page, generous)) return generous
      return fits(page, need) ? need : undefined
    })
  }

  const ask = async (bytes: number, files: number): Promise<boolean> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await askOnce(bytes, files)
      if (answer === 'done') return true
      if (answer === 'none' && attempt < BEGIN_ATTEMPTS) {
        // Whoever made the directory is about to begin the ledger; if it never does, a count makes one.
        if (attempt === BEGIN_PATIENCE) wantSweep()
        await pause(5)
        continue
      }
      wantSweep()
      return false
    }
  }

  const pay = (bytes: number, files: number): boolean => {
    if (local.bytes < bytes || local.files < files) return false
    local.bytes -= bytes
    local.files -= files
    return true
  }

  const takeSlowly = async (bytes: number, files: number): Promise<boolean> => {
    while (!pay(bytes, files)) {
      const turn = asking
      if (turn !== undefined) {
        // Another write of this process asks already; what it gets may do for both.
        await turn.catch(() => false)
        continue
      }
      asking = ask(bytes, files).finally(() => {
        asking = undefined
      })
      if (!(await asking)) return false
    }
    return true
  }

  const giveBack = async (keep: Count): Promise<void> => {
    if (returning) return
    returning = true
    try {
      await exchange(() => {
        return { bytes: surplus(local.bytes, keep.bytes), files: surplus(local.files, keep.files) }
      })
    } finally {
      returning = false
    }
  }

  return {
    take(bytes, files) {
      usedAt = clock.now()
      return pay(bytes, files) || takeSlowly(bytes, files)
    },
    give(bytes, files) {
      local.bytes += bytes
      local.files += files
      if (local.bytes <= chunk.bytes * 3 && local.files <= chunk.files * 3) return
      // Not given back now is given back later: by the next deletion or the next tick.
      giveBack(chunk).catch(() => undefined)
    },
    totals: read,
    async begin() {
      await update(page =>
        page === undefined ? { bytes: 0, files: 0, countedAt: clock.wall(), holders: [] } : undefined,
      )
    },
    async settle(measured, since) {
      return update(page => {
        const at = clock.wall()
        const before = page ?? { bytes: 0, files: 0, holders: [] }
        const holders = before.holders.filter(holder => Math.abs(at - holder.at) < HOLDER_TTL)
        // Since its last visit a process may have freed up to a chunk more than it held then.
        const unspent = { bytes: 0, files: 0 }
        for (const holder of holders) {
          unspent.bytes += Math.max(0, holder.bytes) + chunk.bytes
          unspent.files += Math.max(0, holder.files) + chunk.files
        }
        return {
          bytes: measured.bytes + unspent.bytes + Math.max(0, before.bytes - since.bytes),
          files: measured.files + unspent.files + Math.max(0, before.files - since.files),
          countedAt: at,
          holders,
        }
      })
    },
    async free(bytes, files) {
      await update(page => page && { ...page, bytes: page.bytes - bytes, files: page.files - files })
    },
    async tick() {
      if (local.bytes === 0 && local.files === 0) return
      await giveBack(clock.now() - usedAt > 60_000 ? { bytes: 0, files: 0 } : chunk)
    },
    async close() {
      await giveBack({ bytes: 0, files: 0 })
    },
  }
}
