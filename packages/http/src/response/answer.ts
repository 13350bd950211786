import { cacheStatus, type Outcome } from './cache-status.ts'
import { acceptedEncodings, accepts, type Encoding, isNotModified } from './negotiate.ts'
import type { Facts } from './request-key.ts'
import type { Stored } from './stored.ts'

/** What goes to the client: a status, headers by turns of name and value, and the bytes as they are written. */
export interface Answer {
  readonly status: number
  readonly headers: readonly string[]
  /** Some name stands there more than once. */
  readonly repeats?: boolean
  /** Undefined for a 304. */
  readonly body: Buffer | undefined
  /** A short body again, a character for each byte (`latin1`): Node writes it in one call with the headers. */
  readonly text?: string | undefined
}

interface Last {
  readonly cache: Outcome['cache']
  readonly ttl: number | undefined
  readonly age: number
  readonly answer: Answer
}

/** One encoding of a stored response, made ready once. */
interface Ready {
  readonly etag: string
  readonly head: readonly string[]
  readonly notModified: readonly string[]
  readonly repeats: boolean
  readonly body: Buffer
  readonly text: string | undefined
  /** The hit before this one: within a second all of them are alike. */
  last: Last | undefined
}

/** Above it, copying a body into a text costs more than the second part of a write. */
const SHORT = 16 * 1024

const REPEATED = new Set(['cache-control', 'content-location', 'expires', 'vary', 'last-modified', 'cdn-cache-control'])

function bytesOf(stored: Stored, encoding: Encoding): Uint8Array | undefined {
  return encoding === 'identity' ? stored.body : stored[encoding]
}

function makeReady(stored: Stored, encoding: Encoding, bytes: Uint8Array): Ready {
  const suffix = encoding === 'identity' ? '' : `-${encoding}`
  const etag = `"${stored.etag}${suffix}"`
  const named = stored.encoding === '' ? (encoding === 'identity' ? '' : encoding) : stored.encoding
  const tagged = stored.status === 200 || stored.status === 203 ? ['etag', etag] : []
  const repeated = stored.headers.filter((_text, i) => REPEATED.has(stored.headers[i - (i % 2)] ?? ''))
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    etag,
    head: [
      ...stored.headers,
      ...tagged,
      ...(named === '' ? [] : ['content-encoding', named]),
      'content-length',
      String(bytes.length),
    ],
    notModified: [...repeated, ...tagged],
    repeats: new Set(stored.headers.filter((_text, i) => i % 2 === 0)).size * 2 < stored.headers.length,
    body,
    text: body.length <= SHORT ? body.toString('latin1') : undefined,
    last: undefined,
  }
}

/** Turns stored responses into answers, keeping what is the same for all of them. */
export interface Answers {
  /** Undefined when the only form there is cannot be read by this client. `age` in milliseconds. */
  of(stored: Stored, facts: Facts, outcome: Outcome, age: number): Answer | undefined
}

/** So many different Accept-Encoding headers are remembered: browsers send a handful. */
const MOST_HEADERS = 256

export function createAnswers(): Answers {
  const ready = new WeakMap<Stored, Partial<Record<Encoding, Ready>>>()
  const parsed = new Map<string, readonly Encoding[]>()

  function encodingsOf(header: string | undefined): readonly Encoding[] {
    const known = parsed.get(header ?? '')
    if (known !== undefined) return known
    const encodings = acceptedEncodings(header)
    if (parsed.size >= MOST_HEADERS) parsed.clear()
    parsed.set(header ?? '', encodings)
    return encodings
  }

  function readyFor(stored: Stored, facts: Facts): Ready | undefined {
    const header = facts.header('accept-encoding')
    if (stored.encoding !== '') {
      if (!accepts(header, stored.encoding)) return undefined
      return formOf(stored, 'identity', stored.body)
    }
    for (const encoding of encodingsOf(header)) {
      const bytes = bytesOf(stored, encoding)
      if (bytes !== undefined) return formOf(stored, encoding, bytes)
    }
    return formOf(stored, 'identity', stored.body)
  }

  function formOf(stored: Stored, encoding: Encoding, bytes: Uint8Array): Ready {
    let forms = ready.get(stored)
    if (forms === undefined) ready.set(stored, (forms = {}))
    return (forms[encoding] ??= makeReady(stored, encoding, bytes))
  }

  function isConditional(facts: Facts, stored: Stored, form: Ready): boolean {
    const match = facts.header('if-none-match')
    const since = facts.header('if-modified-since')
    if ((match === undefined && since === undefined) || (stored.status !== 200 && stored.status !== 203)) return false
    const at = stored.headers.indexOf('last-modified')
    return isNotModified(match, since, form.etag, at < 0 ? undefined : stored.headers[at + 1])
  }

  return {
    of(stored, facts, outcome, age) {
      const form = readyFor(stored, facts)
      if (form === undefined) return undefined
      const isUsed = outcome.cache === 'HIT' || outcome.cache === 'STALE'
      const seconds = isUsed ? Math.floor(age / 1000) : -1
      const isMatch = isConditional(facts, stored, form)
      const { last } = form
      if (!isMatch && isUsed && last?.ttl === outcome.ttl && last?.age === seconds && last?.cache === outcome.cache) {
        return last.answer
      }
      const marks = ['x-cache', outcome.cache, 'cache-status', cacheStatus(outcome)]
      if (isUsed) marks.push('age', String(seconds))
      if (isMatch) {
        return { status: 304, headers: [...form.notModified, ...marks], repeats: form.repeats, body: undefined }
      }
      const answer = {
        status: stored.status,
        headers: [...form.head, ...marks],
        repeats: form.repeats,
        body: form.body,
        text: form.text,
      }
      if (isUsed) form.last = { cache: outcome.cache, ttl: outcome.ttl, age: seconds, answer }
      return answer
    },
  }
}
