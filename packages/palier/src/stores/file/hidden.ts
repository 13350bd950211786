import type { Stats } from 'node:fs'
import type { Clock } from '../../clock.ts'

/** What this process must not read, though it is on the disk. Kept in memory, and bounded. */
export interface Hidden {
  /** True: it was deleted here, and the disk would not let it go. */
  isDeleted(path: string): boolean
  noteDeleted(path: string): void
  /** Something else stands there now, or nothing. */
  forgive(path: string): void
  /** The disk changed something for us again. */
  writable(): void
  /** True: this file was found damaged, and another look at it is not due yet. */
  isDamaged(path: string): boolean
  /** False from the first time the file under `path` is another one. */
  isStillDamaged(path: string, stat: Stats | undefined): boolean
  noteDamaged(path: string, stat: Stats | undefined): void
}

interface Damaged {
  readonly ino: number
  readonly mtimeMs: number
  readonly until: number
}

const MAX_DELETED = 10_000
const MAX_DAMAGED = 1_000
/** A damaged file that cannot be removed is looked at again after this: the trouble may have been the cable's. */
const LOOK_AGAIN = 60_000

export function createHidden(clock: Clock): Hidden {
  const deleted = new Set<string>()
  const damaged = new Map<string, Damaged>()
  /** More was deleted than is kept: nothing is read until the disk can be written again. */
  let all = false

  return {
    isDeleted: path => all || (deleted.size > 0 && deleted.has(path)),
    noteDeleted(path) {
      if (deleted.size < MAX_DELETED) deleted.add(path)
      else all ||= !deleted.has(path)
    },
    forgive(path) {
      deleted.delete(path)
      damaged.delete(path)
    },
    writable() {
      all = false
    },
    isDamaged(path) {
      const found = damaged.size === 0 ? undefined : damaged.get(path)
      if (found === undefined) return false
      if (clock.now() < found.until) return true
      damaged.delete(path)
      return false
    },
    isStillDamaged(path, stat) {
      const found = damaged.get(path)
      if (found === undefined) return false
      if (found.ino === (stat?.ino ?? 0) && found.mtimeMs === (stat?.mtimeMs ?? 0)) return true
      damaged.delete(path)
      return false
    },
    noteDamaged(path, stat) {
      const [oldest] = damaged.keys()
      if (damaged.size >= MAX_DAMAGED && oldest !== undefined) damaged.delete(oldest)
      damaged.set(path, { ino: stat?.ino ?? 0, mtimeMs: stat?.mtimeMs ?? 0, until: clock.now() + LOOK_AGAIN })
    },
  }
}
