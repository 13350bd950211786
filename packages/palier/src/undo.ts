import { type Core, reportError } from './core.ts'
import type { Documents } from './documents.ts'
import { invalidate, type Receipt, renewStamps } from './invalidate.ts'
import { checkName } from './key.ts'
import { newToken } from './lease.ts'
import { encodeMessage } from './message.ts'
import type { Cleared, Undone } from './operator.ts'
import type { Replaced } from './tags.ts'
import { stampTarget } from './targets.ts'

/** How long a clear can be undone. Milliseconds. */
const UNDO_FOR = 600_000

/** What is kept of a clear, for whichever process is asked to undo it. */
export type Undo = readonly { readonly name: string; readonly before: string; readonly after: string }[]

/**
 * A clear is a new stamp, so the old one can be put back, and what it killed lives again: all but what was read meanwhile and
 * made anew, and what was set, deleted or died in any other way. Until it is too late, the sweeps of this process leave what
 * an undo would need; a sweep that another process begins in that time takes what it meets.
 */
export interface Undos {
  /** Gives the stamps new values, in a way that can be undone if the backend acknowledges it. `sweep` is called when it is too late. */
  clear(names: readonly string[], sweep: () => void): Promise<Cleared>
  undo(token: string): Promise<Undone>
  close(): void
}

export function createUndos(core: Core, documents: Documents<Undo>): Undos {
  const cancels = new Set<() => void>()
  /** Of each clear that can still be undone. */
  const holds = new Set<Undo>()

  /** Sweeps leave what any of them would need: a stamp that was put back and given up again is held twice. */
  const tellSweeps = (): void => {
    core.held.clear()
    for (const { name, before } of [...holds].flat()) {
      core.held.set(name, (core.held.get(name) ?? new Set<string>()).add(stampIn(before)))
    }
  }

  /** Returns what lets go again. */
  const hold = (kept: Undo, sweep: () => void): (() => void) => {
    holds.add(kept)
    tellSweeps()
    return () => {
      holds.delete(kept)
      tellSweeps()
      if (!core.closed.signal.aborted) sweep()
    }
  }

  /** Tells the backend and keeps what it had; undefined when it did not take it, which then waits. */
  const exchange = async (names: readonly string[]): Promise<readonly Replaced[] | undefined> => {
    const { home, tier, opened } = core
    const targets = names.map(stampTarget)
    const others = [...new Set([tier, ...opened])].filter(one => one !== home && one.link?.reachable() !== false)
    const elsewhere = Promise.all(others.map(one => invalidate(core, one, targets)))
    const tickets = home.outbox.put(targets)
    try {
      const replaced = await home.stamps.exchange(names)
      home.tell(encodeMessage({ kind: 'stamps', names }))
      home.outbox.delivered(tickets)
      home.acknowledged(targets)
      return replaced
    } catch (error) {
      reportError(core, 'delete', error)
      await home.outbox.failed(tickets)
      return undefined
    } finally {
      await elsewhere
    }
  }

  const exchangeHere = async (names: readonly string[]): Promise<readonly Replaced[]> => {
    const { stamps } = core.home
    const before = names.map(name => stamps.textOf(name))
    await renewStamps(core, names)
    return names.map((name, i) => ({ name, before: before[i], after: stamps.currentOf(name) ?? '' }))
  }

  const clear = async (names: readonly string[], sweep: () => void): Promise<Cleared> => {
    await core.settled
    const isShared = core.home.link !== undefined
    const replaced = await (isShared ? exchange(names) : exchangeHere(names))
    const receipt: Receipt = { local: true, shared: !isShared ? 'none' : replaced === undefined ? 'pending' : 'acked' }
    const kept = replaced?.flatMap(({ name, before, after }) => (before === undefined ? [] : [{ name, before, after }]))
    if (replaced === undefined || kept === undefined || kept.length === 0) {
      sweep()
      return { receipt }
    }
    const letGo = hold(kept, sweep)
    try {
      const undo = newToken()
      const undoUntil = core.clock.wall() + UNDO_FOR
      await documents.change(undo, () => ({ value: kept, ttl: UNDO_FOR }))
      if (core.closed.signal.aborted) return { receipt }
      const cancel = core.clock.after(UNDO_FOR, () => {
        cancels.delete(cancel)
        letGo()
      })
      cancels.add(cancel)
      return { receipt, undo, undoUntil }
    } catch {
      // Whoever reaches the backend for us told of it: the clear is done, and cannot be undone.
      letGo()
      return { receipt }
    }
  }

  const undo = async (token: string): Promise<Undone> => {
    checkName('token', token)
    const found = await documents.read(token)
    if (found === undefined)
      return { restored: false, reason: 'it is more than ten minutes ago, or was undone already' }
    const { stamps } = core.home
    const names = found.value.map(({ name }) => name)
    const restored = await Promise.all(found.value.map(async one => stamps.restore(one)))
    core.home.tell(encodeMessage({ kind: 'stamps', names }))
    await documents.delete(token)
    return restored.every(Boolean)
      ? { restored: true }
      : { restored: false, reason: 'the same was cleared again meanwhile' }
  }

  return {
    clear,
    undo,
    close() {
      for (const cancel of cancels) cancel()
    },
  }
}

/** The stamp in a text: of the namespace it is one of several fields. */
function stampIn(text: string): string {
  return text.startsWith('{') ? (JSON.parse(text) as { stamp: string }).stamp : text
}
