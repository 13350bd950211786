import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { candidatesOf, createCache, redisOptions } from '../create.ts'
import { readSettings } from '../environment.ts'
import { messageOf } from '../link.ts'
import { urlOf } from './address.ts'
import type { ProofRequest, ProofResult, Sentence } from './contract.ts'
import { type Room, sentence } from './room.ts'
import { sweep } from './sweep.ts'
import { targetOf } from '../stores/redis/target.ts'
import type { WordKey } from './words/en.ts'

/** MISS, HIT, clear, MISS: on the application's own requests where it lends some, else on a cache with its settings. */

const SHOWN = ['x-cache', 'cache-status', 'cache-control', 'vary', 'age', 'set-cookie'] as const

type Status = ProofRequest['status']

export function statusOf(headers: Headers): Status {
  const plain = headers.get('x-cache')?.trim().toUpperCase() ?? ''
  const word = /^(HIT|MISS|STALE|BYPASS)/.exec(plain)?.[1]
  if (word !== undefined) return word as Status
  const rfc = headers.get('cache-status') ?? ''
  if (/;\s*hit\b/i.test(rfc)) return 'HIT'
  const forward = /;\s*fwd=([\w-]+)/i.exec(rfc)?.[1]
  if (forward === undefined) return 'unknown'
  return forward === 'bypass' || forward === 'method' || forward === 'request'
    ? 'BYPASS'
    : forward === 'stale'
      ? 'STALE'
      : 'MISS'
}

/** A cookie shows its name alone. */
function shownHeaders(headers: Headers): readonly string[] {
  return SHOWN.flatMap(name => {
    const value = headers.get(name)
    if (value === null) return []
    return [`${name}: ${name === 'set-cookie' ? `${value.split('=', 1)[0] ?? ''}=…` : value.slice(0, 200)}`]
  })
}

/** Why an answer could not be kept, by its own words. */
function whyNoHit(status: number, headers: Headers, got: Status): Sentence {
  const control = headers.get('cache-control') ?? ''
  const detail = headers.get('cache-status') ?? ''
  if (status >= 400) return sentence('proof.reason.status', { status: String(status) })
  if (headers.has('set-cookie')) return sentence('proof.reason.cookie')
  if (/no-store/i.test(control)) return sentence('proof.reason.noStore')
  if (/\bprivate\b/i.test(control)) return sentence('proof.reason.private')
  if (headers.get('vary')?.trim() === '*') return sentence('proof.reason.vary')
  if (/authorization/i.test(detail)) return sentence('proof.reason.authorization')
  if (got === 'BYPASS') return sentence('proof.reason.bypass')
  if (got === 'unknown') return sentence('proof.reason.noHeader')
  return sentence('proof.reason.process')
}

interface Asked {
  readonly request: ProofRequest
  readonly reason: Sentence
}

type Ask = (label: WordKey) => Promise<Asked>

async function sequence(
  ask: Ask,
  clear: () => Promise<void>,
): Promise<{ requests: ProofRequest[]; passed: boolean; reason: Sentence | undefined }> {
  await clear()
  const first = await ask('proof.first')
  const second = await ask('proof.second')
  await clear()
  const third = await ask('proof.third')
  const requests = [first, second, third].map(one => one.request)
  const hit = second.request.status === 'HIT'
  const miss = third.request.status === 'MISS'
  const reason = !hit ? second.reason : miss ? undefined : sentence('proof.reason.notCleared')
  return { requests, passed: hit && miss, reason }
}

const took = (began: number): number => Number((performance.now() - began).toPrecision(3))

function onSite({ options, signal }: Room): ReturnType<typeof sequence> | undefined {
  const { live } = options
  if (live === undefined) return undefined
  const ask: Ask = async label => {
    const began = performance.now()
    const { status, headers } = await live.request(signal)
    const got = statusOf(headers)
    const request = {
      label: sentence(label),
      status: got,
      ms: took(began),
      http: status,
      headers: shownHeaders(headers),
    }
    return { request, reason: whyNoHit(status, headers, got) }
  }
  return sequence(ask, () => live.clear())
}

async function onCache(room: Room): ReturnType<typeof sequence> {
  const settings = readSettings({}, room.environment)
  const backend = settings.backend.value
  const { url, connect } = redisOptions({}, settings)
  const named = settings.redisUrl.source !== 'default' || settings.redisHost.source !== 'default'
  const redisUrl = url ?? urlOf(targetOf(undefined, connect))
  const namespace = `palier-setup-${randomBytes(4).toString('hex')}`
  const cache = createCache({
    ...{ namespace, enabled: true, logger: false, backend },
    dir: settings.dir.value,
    ...(named && { redisUrl }),
    detectBudget: 3000,
  })
  const load = async (): Promise<string> => {
    await new Promise(resolve => setTimeout(resolve, 20))
    return 'proof'
  }
  try {
    await cache.ready()
    const ask: Ask = async label => {
      const began = performance.now()
      let loaded = false
      await cache.getOrSet(
        'proof',
        () => {
          loaded = true
          return load()
        },
        { ttl: '1m' },
      )
      const status: Status = loaded ? 'MISS' : 'HIT'
      const request: ProofRequest = { label: sentence(label), status, ms: took(began), http: undefined, headers: [] }
      return { request, reason: sentence('proof.reason.backend', { why: cache.status().reason }) }
    }
    return await sequence(ask, async () => void (await cache.delete('proof')))
  } finally {
    await cache.close()
    const store = candidatesOf({ logger: false }, settings)
      .find(one => one.backend === cache.status().backend)
      ?.open()
    if (store !== undefined) {
      await store.get('palier-setup:nothing').catch(() => undefined)
      await sweep(store, namespace)
      await store.close().catch(() => undefined)
    }
  }
}

const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)

/** For hosts where no process stays alive; absolute paths, for cron knows no others. */
function cronLine({ directory, saved }: Pick<Room, 'directory' | 'saved'>): string {
  const program = fileURLToPath(new URL('../cli/main.js', import.meta.url))
  const { storage } = saved.results
  const dir =
    storage === undefined
      ? ''
      : ` --dir ${quoted(storage.dir)} --max-files ${storage.budget.files} --max-bytes ${storage.budget.bytes}`
  return `*/15 * * * * cd ${quoted(directory)} && ${quoted(process.execPath)} ${quoted(program)} gc --backend filesystem${dir}`
}

export async function proveLive(room: Room): Promise<ProofResult> {
  const cron = cronLine(room)
  const of = room.options.live === undefined ? 'cache' : 'site'
  room.tell(0.2, sentence('proof.asking'))
  try {
    const { requests, passed, reason } = await (onSite(room) ?? onCache(room))
    const [first, second] = requests
    const values = { before: first?.ms ?? 0, after: second?.ms ?? 0 }
    return {
      of,
      passed,
      requests,
      reason,
      cron,
      summary: sentence(passed ? `proof.passed.${of}` : 'proof.failed', values),
    }
  } catch (error) {
    room.signal.throwIfAborted()
    const reason = sentence('proof.error', { why: messageOf(error).slice(0, 200) })
    return { of, passed: false, requests: [], reason, cron, summary: sentence('proof.failed') }
  }
}
