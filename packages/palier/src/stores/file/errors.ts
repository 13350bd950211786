import { constants } from 'node:os'
import { PalierError } from '../../errors.ts'

/**
 * What kind of trouble a file system call met, and what is done about it:
 *
 * - `absent`     nothing is there: no trouble; a directory that is missing is made again, once
 * - `full`       writes are refused, and after a pause tried again; reading and deleting go on
 * - `readonly`   writes are refused; what cannot be deleted is not read any more
 * - `busy`       passes by itself: waited for, briefly
 * - `damaged`    the disk or the file: the entry is not read again, and removed where that is possible
 * - `stale`      a handle of a network file system: the call is made again, once
 * - `misplaced`  something stands in the directory that does not belong there: nothing is done through it
 */
export type FileFault = 'absent' | 'full' | 'readonly' | 'busy' | 'damaged' | 'stale' | 'misplaced' | 'other'

/** EUCLEAN, on Linux only: the file system found itself inconsistent. */
export type ErrnoName = Exclude<keyof typeof constants.errno, `WSA${string}`> | 'EUCLEAN'

/** Numbers, because Node gives several of them (EDQUOT, ESTALE, EUCLEAN) no name: `code` is then "Unknown system error". */
const ERRNO: Readonly<Record<ErrnoName, number>> = { ...constants.errno, EUCLEAN: 117 }

const FAULTS: readonly (readonly [FileFault, readonly ErrnoName[]])[] = [
  ['absent', ['ENOENT']],
  ['full', ['ENOSPC', 'EDQUOT', 'EFBIG']],
  ['readonly', ['EROFS', 'EACCES', 'EPERM']],
  ['busy', ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY']],
  ['damaged', ['EIO', 'EUCLEAN']],
  ['stale', ['ESTALE']],
  ['misplaced', ['ENOTDIR', 'ELOOP', 'EXDEV', 'EISDIR']],
]

const SENTENCES: Readonly<Record<FileFault, string>> = {
  absent: 'the directory or a part of it is gone',
  full: 'there is no room left (disk, quota or budget of the store)',
  readonly: 'the directory cannot be written',
  busy: 'the system is out of file handles or memory',
  damaged: 'the disk reports an error',
  stale: 'the network file system lost the file',
  misplaced: 'something else stands where the store keeps its files',
  other: 'the file system refused',
}

/** True when `error` came from a system call with one of these errors. `code` is a fallback for systems with other numbers. */
export function isErrno(error: unknown, ...names: readonly ErrnoName[]): boolean {
  if (typeof error !== 'object' || error === null) return false
  const { errno: number, code } = error as NodeJS.ErrnoException
  return names.some(name => number === -ERRNO[name] || code === name)
}

/** The cause of a write that the store's own budget refuses. */
export class BudgetError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BudgetError'
  }
}

export function faultOf(error: unknown): FileFault {
  if (error instanceof BudgetError) return 'full'
  if (error instanceof PalierError) {
    if (error.cause !== undefined) return faultOf(error.cause)
    return error.code === 'PALIER_DAMAGED' ? 'damaged' : 'other'
  }
  return FAULTS.find(([, names]) => isErrno(error, ...names))?.[0] ?? 'other'
}

/** The error a caller sees; one that already is a `PalierError` passes through. */
export function storeFailed(operation: string, dir: string, cause: unknown, key?: string): PalierError {
  if (cause instanceof PalierError) return cause
  const detail = cause instanceof Error ? ` (${cause.message})` : ''
  const fault = faultOf(cause)
  const message = `${operation} in ${dir}: ${SENTENCES[fault]}${detail}`
  const code = fault === 'full' || fault === 'readonly' ? 'PALIER_STORE_REFUSED' : 'PALIER_STORE_FAILED'
  return new PalierError(code, message, { cause, ...(key === undefined ? {} : { key }) })
}
