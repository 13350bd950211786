import { isErrno } from './errors.ts'
import type { FileIo, Maybe } from './io.ts'

/*
 * Two kinds of trouble that are nobody's answer: no handle or memory was free just now, which passes, and a network
 * file system that forgot a handle, which a second call finds again. A call that failed so changed nothing, so it may
 * be made again; `write` may have written a part, and is left to whoever began it.
 */

/** Handles that do not come free for so long, in milliseconds, are not waited for by the calls that follow either. */
const PATIENCE = 100
/** Then so much later is time to be patient again. */
const RECOVERY = 1_000
const LONGEST_PAUSE = 16

/** Real time, whatever clock the store was given: what is waited for is the system. */
const pause = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms))

interface Patience {
  /** False: it has been waited long enough. */
  mayWait(): boolean
  succeeded(): void
}

function createPatience(): Patience {
  let since: number | undefined
  return {
    mayWait() {
      const now = performance.now()
      if (since === undefined || now - since > PATIENCE + RECOVERY) since = now
      return now - since < PATIENCE
    },
    succeeded() {
      since = undefined
    },
  }
}

/** `under`, with its calls on names made again as told above. */
export function steadyIo(under: FileIo): FileIo {
  const patience = createPatience()

  const insist = async <T>(failure: unknown, call: () => Maybe<T>): Promise<T> => {
    let last = failure
    let reopened = false
    for (let wait = 1; ; wait = Math.min(LONGEST_PAUSE, wait * 2)) {
      if (isErrno(last, 'EMFILE', 'ENFILE', 'ENOMEM') && patience.mayWait()) await pause(wait)
      else if (isErrno(last, 'ESTALE') && !reopened) reopened = true
      else throw last
      try {
        const result = await call()
        patience.succeeded()
        return result
      } catch (error) {
        last = error
      }
    }
  }

  const steady =
    <A extends unknown[], T>(call: (...args: A) => Maybe<T>) =>
    (...args: A): Maybe<T> => {
      try {
        const result = call(...args)
        if (!(result instanceof Promise)) return result
        return result.catch((error: unknown) => insist(error, () => call(...args)))
      } catch (error) {
        return insist(error, () => call(...args))
      }
    }

  // Spelled out, because a function around a generic one loses what it is generic in.
  const read: FileIo['read'] = (path, parse, stampAt) => {
    try {
      const found = under.read(path, parse, stampAt)
      if (!(found instanceof Promise)) return found
      return found.catch((error: unknown) => insist(error, () => under.read(path, parse, stampAt)))
    } catch (error) {
      return insist(error, () => under.read(path, parse, stampAt))
    }
  }

  return {
    ...under,
    read,
    head: steady(under.head),
    open: steady(under.open),
    stat: steady(under.stat),
    utimes: steady(under.utimes),
    rename: steady(under.rename),
    unlink: steady(under.unlink),
    mkdir: steady(under.mkdir),
    rmdir: steady(under.rmdir),
    list: steady(under.list),
    flush: steady(under.flush),
  }
}
