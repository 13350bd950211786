import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** A process of the application during an installation, and the name of the settings it runs with. */
interface Member {
  readonly id: string
  readonly settings: string | undefined
}

/** Slips of paper in a directory that all processes share: each writes its own, and reads the others'. */
export interface Members {
  /** Says that this process lives, and with which settings. */
  tell(settings: string | undefined): void
  all(): readonly Member[]
  leave(): void
}

/** Milliseconds without a word after which a process counts as gone: three times as long as they are apart. */
const SILENT = 10_000

export function joinMembers(directory: string): Members {
  const own = `${hostname()}-${process.pid}`
  const path = join(directory, own)
  return {
    tell(settings) {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      writeFileSync(path, settings ?? '', { mode: 0o600 })
    },
    all() {
      const names = readdirSync(directory)
      return names.flatMap(id => {
        try {
          const slip = join(directory, id)
          if (Date.now() - statSync(slip).mtimeMs > SILENT) return []
          const settings = readFileSync(slip, 'utf8')
          return [{ id, settings: settings === '' ? undefined : settings }]
        } catch {
          // It left between the two looks.
          return []
        }
      })
    },
    leave() {
      rmSync(path, { force: true })
    },
  }
}
