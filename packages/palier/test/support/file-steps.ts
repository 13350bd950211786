import { closeSync, constants, mkdirSync, openSync, renameSync, type Stats } from 'node:fs'
import { basename, dirname } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { createEntries, type Entries } from '../../src/stores/file/entries.ts'
import { notDurable } from '../../src/stores/file/durability.ts'
import { createHidden } from '../../src/stores/file/hidden.ts'
import { createIo, type FileIo } from '../../src/stores/file/io.ts'
import { createLayout } from '../../src/stores/file/layout.ts'
import { createLeases, type Leases } from '../../src/stores/file/lease.ts'
import type { Place } from '../../src/stores/file/reader.ts'
import { createTimes } from '../../src/stores/file/times.ts'

/*
 * Several processes on one directory, one system call at a time. Each actor has the real operations over the real
 * file system, but waits at a gate before each call; a schedule says whose gate opens next. So a race that takes
 * microseconds in life is played in every order, and the same way each time.
 *
 * A rename is not one step but three: the system looks up the two directories one after the other, and only then
 * takes the name from the one and puts it into the other, wherever they are by then. Descriptors of the directories,
 * by their names in /proc, pull these steps apart.
 */
export interface Actor {
  readonly entries: Entries
  readonly leases: Leases
  statOf(path: string): Promise<Stats | undefined>
  readonly place: Place
}

interface Gate {
  open: (() => void) | undefined
  done: boolean
}

const unlimited = { take: () => true, give: () => undefined }

function gated(io: FileIo, gate: Gate): FileIo {
  const wait = (): Promise<void> =>
    new Promise(resolve => {
      gate.open = resolve
    })
  const step =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    async (...args: A): Promise<Awaited<R>> => {
      await wait()
      return await call(...args)
    }
  const hold = (path: string): number => openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  const rename = async (from: string, to: string): Promise<void> => {
    const held: number[] = []
    try {
      for (const path of [from, to]) {
        await wait()
        held.push(hold(path))
      }
      await wait()
      renameSync(`/proc/self/fd/${held[0]}/${basename(from)}`, `/proc/self/fd/${held[1]}/${basename(to)}`)
    } finally {
      for (const fd of held) closeSync(fd)
    }
  }
  return {
    ...io,
    read: async (path, parse, stampAt) => {
      await wait()
      return await io.read(path, parse, stampAt)
    },
    open: step(io.open),
    write: step(io.write),
    fstat: step(io.fstat),
    // The directories around an entry stay as they are in every play.
    stat: path => (basename(path).length < 64 ? io.stat(path) : step(io.stat)(path)),
    rename,
    unlink: step(io.unlink),
    mkdir: step(io.mkdir),
    rmdir: step(io.rmdir),
    list: step(io.list),
  }
}

function actorIn(dir: string, key: string, io: FileIo): Actor {
  const layout = createLayout(dir)
  const times = createTimes(systemClock)
  const get = (): FileIo => io
  const leases = createLeases({ io: get, layout, clock: systemClock, times, coarse: () => false })
  const entries = createEntries({
    io: get,
    layout,
    leases,
    ledger: unlimited,
    clock: systemClock,
    times,
    hidden: createHidden(systemClock),
    budget: { bytes: Number.MAX_SAFE_INTEGER, files: Number.MAX_SAFE_INTEGER },
    evict: () => true,
    durability: notDurable,
    clearDead: () => Promise.resolve(false),
    reopen: () => Promise.reject(new Error('the directory is there')),
    noteFault(operation, cause) {
      throw new Error(operation, { cause })
    },
    makeRoom: () => undefined,
  })
  return { entries, leases, statOf: async path => io.stat(path), place: { key, path: layout.entry(key) } }
}

export interface Play {
  /** An actor that never waits: for what comes before and after. */
  readonly free: Actor
  /**
   * Runs the parts together: the first until its `turns[0]`-th call, then the next until its `turns[1]`-th, and so on
   * in a circle; when the turns are used up each goes on to its end, in their order. Says of each turn whether the
   * part came to its end in it, or before: then a longer turn would be the same.
   */
  run(parts: readonly ((actor: Actor) => Promise<void>)[], turns: readonly number[]): Promise<readonly boolean[]>
}

const settled = (): Promise<void> => new Promise(resolve => void setImmediate(resolve))

export function createPlay(dir: string, key: string): Play {
  const io = createIo('sync', () => undefined)
  const free = actorIn(dir, key, io)
  mkdirSync(free.place.path.slice(0, -65), { recursive: true })
  return {
    free,
    async run(parts, turns) {
      const gates: Gate[] = parts.map(() => ({ open: undefined, done: false }))
      const ends = parts.map(async (part, i) => {
        const gate = gates[i] ?? { open: undefined, done: false }
        try {
          await part(actorIn(dir, key, gated(io, gate)))
        } finally {
          gate.done = true
        }
      })
      const advance = async (gate: Gate, calls: number): Promise<void> => {
        for (let call = 0; call < calls && !gate.done; call++) {
          const { open } = gate
          gate.open = undefined
          open?.()
          while (gate.open === undefined && !gate.done) await settled()
        }
      }
      await settled()
      const ended: boolean[] = []
      for (const [i, calls] of turns.entries()) {
        const gate = gates[i % gates.length]
        if (gate !== undefined) await advance(gate, calls)
        ended.push(gate?.done ?? true)
      }
      for (const gate of gates) await advance(gate, Number.POSITIVE_INFINITY)
      await Promise.all(ends)
      return ended
    },
  }
}
