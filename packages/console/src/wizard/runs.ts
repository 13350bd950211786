import type { Progress } from 'palier/setup'

/** Work that a form has started in this process. */
export interface Run {
  /** The screen that shows it. */
  readonly screen: string
  /** Where it leads when it is done; empty: to the next screen; undefined: it stays. */
  readonly to: string | undefined
  readonly progress: Progress | undefined
  readonly isDone: boolean
  /** What it ended with, when that was no success. */
  readonly error: unknown
}

export interface RunTools {
  readonly signal: AbortSignal
  onProgress(progress: Progress): void
}

export interface Runs {
  /** Undefined when this process has none. Work that has ended is told until it is taken. */
  current(): Run | undefined
  /**
   * Starts work and resolves once it has ended, or has lasted so long that a page should show how far it is. False when
   * something else is under way.
   */
  start(screen: string, work: (tools: RunTools) => Promise<unknown>, to?: string): Promise<boolean>
  /** Work that has ended on this screen, once. */
  take(screen: string): Run | undefined
  cancel(): Promise<void>
}

/** Milliseconds: what is quicker needs no page of its own. */
const QUICK = 700

interface Working {
  readonly screen: string
  readonly to: string | undefined
  readonly abort: AbortController
  readonly ended: Promise<void>
  progress: Progress | undefined
  isDone: boolean
  error: unknown
}

export function createRuns(): Runs {
  let working: Working | undefined
  return {
    current: () => working,
    async start(screen, work, to) {
      if (working !== undefined && !working.isDone) return false
      const abort = new AbortController()
      const run = async (): Promise<void> => {
        try {
          await work({ signal: abort.signal, onProgress: progress => void (mine.progress = progress) })
        } catch (error) {
          if (!abort.signal.aborted) mine.error = error
        } finally {
          mine.isDone = true
        }
      }
      const mine: Working = {
        screen,
        to,
        abort,
        ended: Promise.resolve().then(run),
        progress: undefined,
        isDone: false,
        error: undefined,
      }
      working = mine
      let timer: NodeJS.Timeout | undefined
      await Promise.race([
        mine.ended,
        new Promise<void>(resolve => {
          timer = setTimeout(resolve, QUICK)
          timer.unref()
        }),
      ])
      clearTimeout(timer)
      return true
    },
    take(screen) {
      if (working === undefined || !working.isDone || working.screen !== screen) return undefined
      const ended = working
      working = undefined
      return ended
    },
    async cancel() {
      working?.abort.abort(new Error('cancelled'))
      await working?.ended
    },
  }
}
