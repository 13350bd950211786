import { PalierError } from '../../errors.ts'
import { reasonOf } from './port.ts'
import { safeCause } from './target.ts'

/*
 * What the server's errors mean, all in one place. REFUSED: the server is there and well and answers reads, but does
 * not take this write. FAILED: nothing is known and nothing was done. An error that is not in the table is a failure
 * and speaks for itself. A permission refused (NOPERM) is a refusal of a write, but a read that is not allowed is no
 * read at all.
 */
interface Fault {
  readonly code: 'PALIER_STORE_REFUSED' | 'PALIER_STORE_FAILED'
  /** For people; the server's own words follow. */
  readonly says: string
  /** The server is no longer the one to write to: who is has to be found out anew. */
  readonly topology?: true
  /** A new connection is not used while the server answers so. */
  readonly unusable?: true
}

const refused = (says: string): Fault => ({ code: 'PALIER_STORE_REFUSED', says })
const failed = (says: string): Fault => ({ code: 'PALIER_STORE_FAILED', says })

const FAULTS: Readonly<Record<string, Fault>> = {
  READONLY: { ...refused('this server is a replica now'), topology: true },
  NOREPLICAS: refused('too few replicas are connected'),
  MISCONF: refused('the server cannot save to its disk'),
  OOM: refused('the server is out of memory'),
  NOPERM: refused('the user may not do this'),
  MASTERDOWN: { ...failed('this replica has lost its primary'), topology: true, unusable: true },
  UNBLOCKED: { ...failed('this server became a replica'), topology: true },
  LOADING: { ...failed('the server is loading its data'), unusable: true },
  BUSY: { ...failed('a script holds the server up'), unusable: true },
  CLUSTERDOWN: { ...failed('the cluster does not serve this key now') },
  TRYAGAIN: failed('the slot of this key is being moved'),
  MOVED: failed('this is a node of a cluster, and the client did not follow it to another node'),
  ASK: failed('this is a node of a cluster, and the client did not follow it to another node'),
  NOAUTH: { ...failed('the server asks for a password'), unusable: true },
  WRONGPASS: { ...failed('the server did not take the password'), unusable: true },
  MAXCLIENTS: { ...failed('the server has too many clients'), unusable: true },
}

/**
 * The word an error of the server begins with. Inside a script what the user may not do is an error without one, and
 * before Redis 7 every error was wrapped in another, its own word behind the place where it was thrown.
 */
function wordOf(message: string): string | undefined {
  if (message.includes('max number of clients')) return 'MAXCLIENTS'
  if (message.includes('The user executing the script')) return 'NOPERM'
  return /^-?([A-Z]{3,})(?![A-Za-z])/.exec(message.replace(/^ERR Error running script.*?: -?(?=[A-Z]{3,} )/, ''))?.[1]
}

function faultOf(message: string): (Fault & { readonly word: string }) | undefined {
  const word = wordOf(message)
  const fault = word !== undefined && Object.hasOwn(FAULTS, word) ? FAULTS[word] : undefined
  return word === undefined || fault === undefined ? undefined : { ...fault, word }
}

/** An error of a client or of the server as the store gives it out: no arguments and no secret in it. */
export function storeError(error: unknown, isWrite: boolean, secret: string | undefined): PalierError {
  if (error instanceof PalierError) return error
  const cause = safeCause(error, secret)
  const fault = faultOf(cause.message)
  if (fault === undefined) return new PalierError('PALIER_STORE_FAILED', `redis failed: ${cause.message}`, { cause })
  Object.assign(cause, { code: fault.word })
  const isRefused = fault.code === 'PALIER_STORE_REFUSED' && isWrite
  const code = isRefused ? 'PALIER_STORE_REFUSED' : 'PALIER_STORE_FAILED'
  return new PalierError(code, `redis ${isRefused ? 'refused' : 'failed'}: ${fault.says} (${cause.message})`, { cause })
}

/** The server's words when its answer means that another server is to be written to now. */
export function topologyChange(error: unknown): string | undefined {
  const message = reasonOf(error)
  return faultOf(message)?.topology === true ? message : undefined
}

/** Whether a connection on which the server answers so is of no use yet. */
export const isUnusable = (error: unknown): boolean => faultOf(reasonOf(error))?.unusable === true

/** Whether the credentials were not taken, which trying again soon will not change. */
export const isAuthFailure = (error: unknown): boolean =>
  /^(NOAUTH|WRONGPASS)|invalid (username|password)/i.test(reasonOf(error))

/** Whether the server's rules for this user stand in the way. */
export const isDenied = (reason: string): boolean => wordOf(reason) === 'NOPERM' || /\bNOPERM\b/.test(reason)

/**
 * Whether the keys of this command may be on two nodes, because their slot is being moved: only commands of one key
 * each are served until it has moved.
 */
export const isMoving = (error: unknown): boolean =>
  error instanceof PalierError && error.cause instanceof Error && faultOf(error.cause.message)?.word === 'TRYAGAIN'
