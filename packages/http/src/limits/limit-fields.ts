import { createHash } from 'node:crypto'
import { badOption, type Limited } from 'palier'

/** The fields that tell a client of its limit: a draft of the IETF, or `X-RateLimit-*` with the reset in seconds since 1970. */
export type LimitHeaders = 'draft-8' | 'draft-7' | 'draft-6' | 'legacy'

/** A policy as clients are told of it. */
export interface Policy {
  readonly name: string
  readonly limit: number
  /** In milliseconds. */
  readonly window: number
}

export interface Field {
  readonly name: string
  readonly value: string
  /** Stands beside what another policy said in the same field. */
  readonly joins: boolean
}

const FORMS: readonly unknown[] = ['draft-8', 'draft-7', 'draft-6', 'legacy', false]

export function checkHeaders(headers: unknown): void {
  if (!FORMS.includes(headers))
    throw badOption('headers', "'draft-8', 'draft-7', 'draft-6', 'legacy' or false", headers)
}

/** A String of RFC 9651 holds printable ASCII only. */
export function checkPolicyName(name: unknown): void {
  if (typeof name !== 'string' || !/^[\x20-\x7e]+$/.test(name)) throw badOption('name', 'printable ASCII', name)
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
const seconds = (ms: number): number => Math.ceil(ms / 1000)

/** How long to wait in whole seconds; at least 1 where a request was denied. Both `t` and `Retry-After`, so neither is the earlier. */
export function waitOf({ allowed, resetAfter, retryAfter }: Limited): number {
  return allowed ? seconds(resetAfter) : Math.max(1, seconds(retryAfter))
}

/** 72 bits of the SHA-256 of a key, as a Byte Sequence. */
function partitionOf(key: string): string {
  return `:${createHash('sha256').update(key).digest().subarray(0, 9).toString('base64')}:`
}

const field = (name: string, value: string | number, joins: boolean = false): Field => ({
  name,
  value: String(value),
  joins,
})

/** The fields for a decision. While the policy of an outage decides nobody knows what remains, and only the policy is told. */
export function limitFields(
  headers: LimitHeaders,
  { name, limit, window }: Policy,
  decision: Limited,
  partition: string | undefined,
): readonly Field[] {
  const { remaining, source } = decision
  const wait = waitOf(decision)
  const isKnown = source !== 'policy'
  const w = seconds(window)
  switch (headers) {
    case 'draft-8': {
      const pk = partition === undefined ? '' : `;pk=${partitionOf(partition)}`
      const policy = field('RateLimit-Policy', `${quoted(name)};q=${limit};w=${w}${pk}`, true)
      return isKnown ? [policy, field('RateLimit', `${quoted(name)};r=${remaining};t=${wait}${pk}`, true)] : [policy]
    }
    case 'draft-7': {
      const policy = field('RateLimit-Policy', `${limit};w=${w}`)
      return isKnown ? [policy, field('RateLimit', `limit=${limit}, remaining=${remaining}, reset=${wait}`)] : [policy]
    }
    case 'draft-6': {
      const policy = [field('RateLimit-Policy', `${limit};w=${w}`), field('RateLimit-Limit', limit)]
      if (!isKnown) return policy
      return [...policy, field('RateLimit-Remaining', remaining), field('RateLimit-Reset', wait)]
    }
    case 'legacy': {
      const policy = [field('X-RateLimit-Limit', limit)]
      if (!isKnown) return policy
      const resetAt = seconds(Date.now()) + wait
      return [...policy, field('X-RateLimit-Remaining', remaining), field('X-RateLimit-Reset', resetAt)]
    }
  }
}
