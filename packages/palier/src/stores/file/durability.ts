import { dirname } from 'node:path'
import type { FileIo, Maybe } from './io.ts'
import { type Layout, shardOf } from './layout.ts'

/*
 * What a change must wait for so that a power cut does not take it back. A file that was written and renamed is there
 * after one only if its bytes were flushed before the rename, and the directories that lead to it after.
 */
export interface Durability {
  /** Done once the bytes of the open file are on the disk. */
  bytes(fd: number): Maybe<void>
  /** Done once the name of the entry, or that it has none any more, is on the disk. ENOENT: its shard is gone. */
  name(entryPath: string): Maybe<void>
  /** The directory of the store may have been made again. */
  forget(): void
}

/** For entries that can be made again. */
export const notDurable: Durability = {
  bytes: () => undefined,
  name: () => undefined,
  forget: () => undefined,
}

/**
 * Calls for one directory share a flush: all those that come while one is under way wait for the next, which begins
 * after the last of them did its change.
 */
function shared(flush: (dir: string) => Promise<void>): (dir: string) => Promise<void> {
  const running = new Map<string, Promise<void>>()
  const next = new Map<string, Promise<void>>()
  const begin = (dir: string): Promise<void> => {
    next.delete(dir)
    const mine = flush(dir).finally(() => {
      if (running.get(dir) === mine) running.delete(dir)
    })
    running.set(dir, mine)
    return mine
  }
  return dir => {
    const waiting = next.get(dir)
    if (waiting !== undefined) return waiting
    const before = running.get(dir)
    if (before === undefined) return begin(dir)
    const after = before.then(
      () => begin(dir),
      () => begin(dir),
    )
    next.set(dir, after)
    return after
  }
}

export function createDurability(io: () => FileIo, layout: Layout): Durability {
  const flush = shared(async dir => io().flush(dir))
  /** Shards whose own names this process has flushed; another process that made one may not have come to it yet. */
  let known = new Set<string>()
  let above: Promise<void> | undefined

  const flushAbove = async (): Promise<void> => {
    await flush(layout.state)
    for (let dir = layout.dir; ; dir = dirname(dir)) {
      await flush(dir)
      if (dirname(dir) === dir) return
    }
  }

  return {
    bytes: fd => io().sync(fd),
    async name(entryPath) {
      const shard = shardOf(entryPath)
      const into = known
      await flush(shard)
      if (into.has(shard)) return
      await flush(layout.entries)
      above ??= flushAbove().catch((error: unknown) => {
        above = undefined
        throw error
      })
      await above
      into.add(shard)
    },
    forget() {
      known = new Set()
      above = undefined
    },
  }
}
