/**
 * What `jobs.dedupe_key`, which is unique, holds. A live key is given free when its job ends, and still remembered by
 * that job, so that a retry can ask for it again; a kept one stands for an occurrence and stays taken.
 */
const LIVE = 'live:'
const KEPT = 'keep:'
const endedBy = (id: string): string => `ended:${id}:`

/** The column holds 160. */
const LONGEST = 110

export function storedKey(key: string, keep: boolean): string {
  if (key.length <= LONGEST) return (keep ? KEPT : LIVE) + key
  throw new Error(`the key of a job: expected at most ${LONGEST} characters, received ${key.length}`)
}

export function keyAfterEnd(stored: string | null, id: string): string | null {
  return stored?.startsWith(LIVE) === true ? endedBy(id) + stored.slice(LIVE.length) : stored
}

export function keyForRetry(stored: string | null, id: string): string | null {
  const ended = endedBy(id)
  return stored?.startsWith(ended) === true ? LIVE + stored.slice(ended.length) : stored
}
