import { type Business, encodeEnvelope, envelopeOf, type Grouping, type Notice, sign } from './envelope.ts'
import type { Noise } from './noise.ts'
import { type Clock, createSchedule, type Schedule } from './schedule.ts'

/** How many notices share an envelope: `share` of the envelopes take up to `most` of those that are due. */
export interface Batching {
  readonly share: number
  readonly most: number
}

export interface WebhookOptions {
  readonly business: Business
  readonly appSecret: string
  readonly clock: Clock
  readonly noise: Noise
  readonly batching: Batching
  /** Real milliseconds to wait for an answer. */
  readonly timeout: number
  /** The notice is about to be told for the first time. */
  readonly happened: (notice: Notice) => void
}

export interface WebhookCounts {
  /** Envelopes answered with 200. */
  acknowledged: number
  /** Attempts that were not, and are made again later. */
  retried: number
  /** Envelopes given up after seven days. */
  lost: number
}

export interface Webhooks {
  readonly counts: Readonly<WebhookCounts>
  /** Notices and envelopes that are still to be told. */
  readonly pending: number
  /** Where they go; until it is said they wait. */
  target: string | undefined
  plan(due: number, notice: Notice): void
  /** When there is something to do; undefined without a target. */
  next(): number | undefined
  /** Tells all that is due, one envelope after the other. */
  drain(): Promise<void>
  /** Ends a delivery that is under way. */
  close(): void
}

interface Delivery {
  readonly bytes: Buffer
  readonly since: number
  readonly attempts: number
}

type Planned = { readonly notice: Notice } | { readonly delivery: Delivery }

const SECOND = 1000
const HOUR = 3600 * SECOND
const GIVE_UP = 7 * 24 * HOUR
const GROUPINGS: readonly Grouping[] = ['items', 'changes', 'entries']

function backOff(attempts: number): number {
  return Math.min(SECOND * 2 ** Math.min(attempts, 20), HOUR)
}

type Post = (url: string, bytes: Buffer) => Promise<boolean>

/** One attempt; whether it was answered with 200. */
function createPost({ appSecret, timeout }: WebhookOptions, closing: AbortSignal): Post {
  return async (url, bytes) => {
    const headers = { 'content-type': 'application/json', 'x-hub-signature-256': sign(bytes, appSecret) }
    const signal = AbortSignal.any([closing, AbortSignal.timeout(timeout)])
    const body = new Uint8Array(bytes)
    try {
      const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
      // Unread bodies hold their connection.
      await response.arrayBuffer()
      return response.status === 200
    } catch {
      // Nobody listens, or the answer took too long: either way it was not acknowledged.
      return false
    }
  }
}

const isNotice = (item: Planned): boolean => 'notice' in item

/** The first, and with luck some of those that are due after it, in one envelope. */
function gather(first: Notice, schedule: Schedule<Planned>, options: WebhookOptions): Delivery {
  const { business, clock, noise, batching, happened } = options
  const size = noise.share() < batching.share ? 2 + Math.floor(noise.share() * (batching.most - 1)) : 1
  const notices = [first]
  while (notices.length < size) {
    const more = schedule.take(clock.now(), isNotice)
    if (more === undefined || !('notice' in more)) break
    notices.push(more.notice)
  }
  for (const notice of notices) happened(notice)
  const grouping = GROUPINGS[Math.floor(noise.share() * GROUPINGS.length)] ?? 'items'
  return { bytes: encodeEnvelope(envelopeOf(notices, business, grouping)), since: clock.now(), attempts: 0 }
}

/** Delivery of signed webhooks, at least once: whatever is not answered with 200 comes again, later and later. */
export function createWebhooks(options: WebhookOptions): Webhooks {
  const { clock } = options
  const schedule = createSchedule<Planned>()
  const counts: WebhookCounts = { acknowledged: 0, retried: 0, lost: 0 }
  const closing = new AbortController()
  const post = createPost(options, closing.signal)
  let target: string | undefined

  const deliver = async (url: string, delivery: Delivery): Promise<void> => {
    if (await post(url, delivery.bytes)) {
      counts.acknowledged++
      return
    }
    const attempts = delivery.attempts + 1
    const due = clock.now() + backOff(attempts)
    if (due - delivery.since > GIVE_UP) {
      counts.lost++
      return
    }
    counts.retried++
    schedule.add(due, { delivery: { ...delivery, attempts } })
  }

  return {
    counts,
    get pending() {
      return schedule.size
    },
    get target() {
      return target
    },
    set target(url) {
      target = url
    },
    plan: (due, notice) => schedule.add(due, { notice }),
    next: () => (target === undefined ? undefined : schedule.next()),
    async drain() {
      while (target !== undefined && !closing.signal.aborted) {
        const item = schedule.take(clock.now())
        if (item === undefined) return
        await deliver(target, 'notice' in item ? gather(item.notice, schedule, options) : item.delivery)
      }
    },
    close: () => closing.abort(),
  }
}
