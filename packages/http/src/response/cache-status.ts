/** What became of a request, from which both `X-Cache` and `Cache-Status` (RFC 9211) are written. */
export interface Outcome {
  readonly cache: 'HIT' | 'STALE' | 'MISS' | 'BYPASS'
  /** Why the handler ran; only where it did. */
  readonly fwd?: 'uri-miss' | 'stale' | 'bypass' | 'method'
  /** Whole seconds of freshness left; negative when it is over. */
  readonly ttl?: number
  readonly stored?: boolean
  /** The handler ran for another request, whose response this is. */
  readonly collapsed?: boolean
  /** A token that says why nothing was kept. */
  readonly detail?: string
}

/** The handler ran for this request alone, and nothing was to be kept. */
export function bypassed(detail: string): Outcome {
  return { cache: 'BYPASS', fwd: detail === 'method' ? 'method' : 'bypass', detail }
}

/** The handler ran, and its response was not kept. */
export function missed(detail: string): Outcome {
  return { cache: 'MISS', fwd: 'uri-miss', detail }
}

/** The value of `Cache-Status`. */
export function cacheStatus({ cache, fwd, ttl, stored, collapsed, detail }: Outcome): string {
  let line = cache === 'HIT' || cache === 'STALE' ? 'Palier; hit' : 'Palier'
  if (fwd !== undefined) line += `; fwd=${fwd}`
  if (ttl !== undefined) line += `; ttl=${ttl}`
  if (stored === true) line += '; stored'
  if (collapsed === true) line += '; collapsed'
  if (detail !== undefined) line += `; detail=${detail}`
  return line
}
