import type { Clock } from './clock.ts'
import type { Link } from './link.ts'

/** A lease outlives a dead owner by this much, and is renewed at a third of it. Milliseconds. */
export const LEASE_TTL = 6000
/** A factory that hangs loses its lease after this long: others stop waiting for it. */
export const LEASE_MAX_AGE = 300_000

/** 122 random bits: a token is never made twice, so a voided lease can never look alive again. */
export function newToken(): string {
  return crypto.randomUUID()
}

export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes))
  let text = ''
  for (const byte of random) text += byte.toString(16).padStart(2, '0')
  return text
}

/** The leases this process holds, kept alive while their factories run. */
export interface Leases {
  hold(key: string, token: string): void
  drop(token: string): void
  close(): void
}

/** One timer for all leases, running only while there are some. */
export function createLeases(clock: Clock, link: Link | undefined): Leases {
  const held = new Map<string, { readonly key: string; readonly since: number }>()
  let cancel: (() => void) | undefined

  const renewAll = (): void => {
    cancel = undefined
    for (const [token, { key, since }] of held) {
      if (clock.now() - since > LEASE_MAX_AGE) held.delete(token)
      // A renewal that fails needs no answer: the commit finds out whether the lease was lost.
      else if (link?.usable() === true) link.call(store => store.renew(key, token, LEASE_TTL)).catch(() => undefined)
    }
    arm()
  }
  const arm = (): void => {
    if (cancel === undefined && held.size > 0) cancel = clock.after(LEASE_TTL / 3, renewAll)
  }

  return {
    hold(key, token) {
      held.set(token, { key, since: clock.now() })
      arm()
    },
    drop: token => void held.delete(token),
    close() {
      held.clear()
      cancel?.()
    },
  }
}
