import { promises as fs } from 'node:fs'
import { type Clock, systemClock } from '../../clock.ts'
import { isErrno } from './errors.ts'

/*
 * Who holds a lock, so that another process can tell whether it still lives. A process number alone says little: it is
 * used again, and means another process in another container or on another machine. So it comes with the boot, the
 * name space it counts in, and the moment the process was started.
 */
export interface Being {
  /** Of the running kernel; empty where it cannot be known. */
  readonly boot: string
  /** In which process numbers have a meaning. */
  readonly space: string
  /** Which processes' monotonic clocks agree with ours; empty: nobody's. */
  readonly time: string
  readonly pid: number
  /** When the process was started, in the kernel's ticks since boot. */
  readonly born: string
}

export interface Witness {
  readonly self: Being
  /** Monotonic milliseconds, the same for every process whose `time` is ours. */
  now(): number
  /** False when it is certain that the process is dead; undefined when nothing can be said from here. */
  lives(being: Being): Promise<boolean | undefined>
}

/** State and start time in `/proc/<pid>/stat`: fields 3 and 22, behind the name, which may hold anything. */
async function statOf(pid: number | 'self'): Promise<{ readonly state: string; readonly born: string }> {
  const text = await fs.readFile(`/proc/${pid}/stat`, 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', born: fields[19] ?? '' }
}

async function readSelf(): Promise<Omit<Being, 'time'> & { readonly timeSpace: string }> {
  const [boot, space, timeSpace, { born }] = await Promise.all([
    fs.readFile('/proc/sys/kernel/random/boot_id', 'latin1'),
    fs.readlink('/proc/self/ns/pid'),
    // Older kernels have one time for all.
    fs.readlink('/proc/self/ns/time').catch(() => ''),
    statOf('self'),
  ])
  return { boot: boot.trim(), space, timeSpace, pid: process.pid, born }
}

/**
 * Where the system tells nothing of its processes (no `/proc`), every other process is one of which nothing can be
 * said. A clock that is not the system's means something in this process only.
 */
export async function createWitness(clock: Clock): Promise<Witness> {
  const found = await readSelf().catch(() => undefined)
  const { boot, space, timeSpace, born } = found ?? { boot: '', space: '', timeSpace: '', born: '' }
  const own = `${boot} ${space} ${process.pid} ${born}`
  const time = boot === '' ? '' : clock === systemClock ? `${boot} ${timeSpace}` : own
  return {
    self: { boot, space, time, pid: process.pid, born },
    now: clock === systemClock ? () => Number(process.hrtime.bigint() / 1000n) / 1000 : () => clock.now(),
    async lives(being) {
      if (boot === '' || being.boot !== boot || being.space !== space) return undefined
      try {
        const stat = await statOf(being.pid)
        // A zombie runs no more; only its parent has not asked yet how it ended.
        return stat.born === being.born && stat.state !== 'Z' && stat.state !== 'X'
      } catch (error) {
        return isErrno(error, 'ENOENT', 'ESRCH') ? false : undefined
      }
    },
  }
}
