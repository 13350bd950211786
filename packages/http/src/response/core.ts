import { badOption, type FactoryContext, type Fetched, PalierError } from 'palier'
import { createSights, isOnlyIfCached, refusalOf, type Sights } from './admission.ts'
import { type Answer, type Answers, createAnswers } from './answer.ts'
import { bypassed, cacheStatus, missed, type Outcome } from './cache-status.ts'
import {
  type CacheResponseOptions,
  type Entries,
  type Host,
  type ResponseCacheOptions,
  type Route,
  type Settled,
  settle,
  settleRoute,
  textList,
} from './options.ts'
import { type Facts, responseKey, subjectDigest } from './request-key.ts'
import { type Captured, judge, type Whole } from './storable.ts'
import { isStored, type Stored, storedOf } from './stored.ts'

/** One request and its response, as an adapter lets the core handle them. `Done` is what the adapter is to give back. */
export interface Exchange<Req, Done> {
  readonly request: Req
  readonly facts: Facts
  /** False: an old response is made anew only while a client waits. */
  readonly canRunBehind: boolean
  /** Answers without the handler. */
  serve(answer: Answer): Done | Promise<Done>
  /** Lets the handler answer; nothing of it is looked at. */
  bypass(outcome: Outcome): Done | Promise<Done>
  /** Runs the handler for this client, which is answered only later. It sees no more than the key covers. */
  run(): Promise<Captured>
  /** Runs the handler for nobody: this client has its answer, or gets it without waiting. */
  runBehind(): Promise<Captured>
  /** Answers with what `run` has captured, as it is. */
  replay(whole: Whole, outcome: Outcome): Done | Promise<Done>
  /** After a `run` that went on to the client as it came, or that nobody waits for any more. */
  passed(): Done | Promise<Done>
  /** Gives up waiting for `run`: whatever the handler still writes goes to the client. */
  release(): Done | Promise<Done>
}

/** What a route needs besides the request. */
export interface Plan<Req> {
  readonly route: Route<Req>
  readonly entries: Entries
  /** What every call of the cache is told. */
  readonly call: Parameters<Entries['fetch']>[2]
  /** The cache itself keeps the entries of different subjects apart. */
  readonly isScoped: boolean
  readonly sights: Sights
}

export interface ResponseCache {
  readonly settled: Settled
  /** Throws PALIER_BAD_OPTION for options that are wrong or do not fit the type. */
  plan<Req>(type: string, options: CacheResponseOptions<Req>): Plan<Req>
  /** Answers one request. Rejects with what the handler threw, and with PALIER_BAD_OPTION or PALIER_BAD_KEY for a wrong `key` or `tags`. */
  handle<Req, Done>(plan: Plan<Req>, exchange: Exchange<Req, Done>): Promise<Done>
}

/** The result of a run that is not kept, for those who waited for it. */
class Unstored {
  readonly unstored: string

  constructor(detail: string) {
    this.unstored = detail
  }
}

/** One request's part in a load. A class for the reason that `NodeExchange` is one. */
class Fill<Req, Done> {
  readonly at: Plan<Req>
  readonly exchange: Exchange<Req, Done>
  readonly key: string
  readonly whose: string
  readonly own: { readonly subject?: string }
  /** `none`: another request's run of the handler, or what was kept, is what this one gets. */
  mode: 'none' | 'direct' | 'behind' = 'none'
  captured: Captured | undefined
  /** What lay there before, and is being made anew. */
  replaced: Stored | undefined
  /** What its own run came to, whatever the cache has given meanwhile; undefined when it failed. */
  finished: Promise<Stored | Unstored | undefined> | undefined
  error: unknown

  constructor(
    at: Plan<Req>,
    exchange: Exchange<Req, Done>,
    key: string,
    whose: string,
    own: { readonly subject?: string },
  ) {
    this.at = at
    this.exchange = exchange
    this.key = key
    this.whose = whose
    this.own = own
  }
}

function whoseOf<Req>({ route }: Plan<Req>, subject: string | undefined): string {
  return `${route.key === undefined ? 'url' : 'key'} ${subject ?? ''}`
}

/** The handler failed, and something older may be served instead. */
class HandlerFailed extends Error {
  constructor(status: number) {
    super(`the handler answered with status ${status}`)
    this.name = 'HandlerFailed'
  }
}

/** Who waited for a client that went away takes its place; so often at most. */
const TRIES = 3
/** Somebody else's response is waited for so long when the old one may not be served; then the handler runs. */
const PATIENCE = 30_000

export function createResponseCache(host: Host, options: ResponseCacheOptions): ResponseCache {
  const settled = settle(options)
  const { clock } = settled
  const { enabled } = host.status()
  const answers: Answers = createAnswers()
  const warned = new Set<string>()

  function plan<Req>(type: string, routeOptions: CacheResponseOptions<Req>): Plan<Req> {
    const route = settleRoute(type, routeOptions)
    const entries = host.type(type)
    const declared = host.operator.policies()[type]?.scope ?? 'public'
    const isScoped = declared !== 'public'
    if (isScoped && route.scope === 'public') {
      throw badOption(
        'scope',
        `{ ${declared}: request => … }, because the type "${type}" belongs to a ${declared}`,
        'public',
      )
    }
    if (route.scope === undefined && !warned.has(type)) {
      warned.add(type)
      process.emitWarning(`cacheResponse of type "${type}" has no scope: nothing is kept`, { code: 'PALIER_NO_SCOPE' })
    }
    const call = {
      ...(route.ttl !== undefined && { ttl: route.ttl }),
      ...(route.grace !== undefined && { grace: route.grace }),
      ...(Array.isArray(route.tags) && { tags: route.tags }),
      softTimeout: 0,
      share: true,
    }
    return { route, entries, call, isScoped, sights: createSights(clock, settled.queryVariants) }
  }

  /** Milliseconds since a response was no longer fresh; negative while it is. */
  const staleness = (stored: Stored): number => clock.wall() - stored.madeAt - stored.ttl

  function ceilingOf<Req>({ route }: Plan<Req>): number {
    return route.ttl ?? host.operator.policies()[route.type]?.ttl ?? 300_000
  }

  async function keep<Req, Done>(fill: Fill<Req, Done>, context: FactoryContext): Promise<Stored | Unstored> {
    const { captured, at, replaced: old } = fill
    if (captured?.kind !== 'whole') {
      context.skip()
      return new Unstored(captured?.detail ?? 'lost')
    }
    if (captured.status >= 500 && old !== undefined && staleness(old) < old.errorFor) {
      throw new HandlerFailed(captured.status)
    }
    const judgement = judge(captured, at.route)
    if ('detail' in judgement) {
      context.skip()
      // What replaced it may not be kept, but it is replaced.
      if (old !== undefined && captured.status < 500) await at.entries.delete(fill.key, fill.own)
      return new Unstored(judgement.detail)
    }
    const ceiling = ceilingOf(at)
    const stored = await storedOf(captured, at.route, judgement, { ceiling, madeAt: clock.wall(), whose: fill.whose })
    if (stored.ttl < ceiling) context.ttl(stored.ttl)
    return stored
  }

  /** Makes a response for whoever waits for it. */
  async function make<Req, Done>(fill: Fill<Req, Done>, context: FactoryContext): Promise<Stored | Unstored> {
    const { exchange } = fill
    const old = isStored(context.stale, fill.whose) ? context.stale : undefined
    fill.replaced = old
    fill.mode = exchange.canRunBehind && old !== undefined && staleness(old) < old.staleFor ? 'behind' : 'direct'
    const making = (async () => {
      fill.captured = await (fill.mode === 'behind' ? exchange.runBehind() : exchange.run())
      return keep(fill, context)
    })()
    fill.finished = making.catch((error: unknown) => {
      fill.error = error
      return undefined
    })
    return making
  }

  async function obtain<Req, Done>(
    at: Plan<Req>,
    exchange: Exchange<Req, Done>,
    key: string,
    subject: string | undefined,
  ) {
    const { route, entries } = at
    const { request, facts } = exchange
    const own = at.isScoped && subject !== undefined ? { subject } : {}
    const call =
      typeof route.tags === 'function'
        ? { ...at.call, ...own, tags: textList('tags', route.tags(request)) }
        : { ...at.call, ...own }
    const whose = whoseOf(at, subject)
    let softTimeout = 0
    for (let tries = 1; ; tries++) {
      const fill = new Fill(at, exchange, key, whose, own)
      let landed: Fetched<Stored | Unstored>
      try {
        landed = await entries.fetch<Stored | Unstored>(
          key,
          context => make(fill, context),
          softTimeout === 0 ? call : { ...call, softTimeout },
        )
      } catch (error) {
        return rejected(exchange, fill, error)
      }
      const { value, outcome, age, ttl } = landed
      if (fill.mode === 'direct') return lead(exchange, fill, value)
      if (isStored(value, fill.whose)) {
        const left = outcome === 'stale' ? -Math.max(0, staleness(value)) : ttl
        if (outcome !== 'stale' || fill.mode === 'behind' || -left < value.staleFor) {
          // The handler was quicker than the old response.
          if (outcome === 'miss' && fill.mode === 'behind') return answer(fill, value, REMADE)
          return answer(fill, value, used(outcome, Math.floor(left / 1000)), age)
        }
        if (softTimeout === 0) {
          softTimeout = PATIENCE
          continue
        }
        if (-left < value.errorFor) return answer(fill, value, used('stale', Math.floor(left / 1000)), age)
        return exchange.bypass({ cache: 'MISS', fwd: 'stale', detail: 'must-revalidate' })
      }
      const detail = value instanceof Unstored ? value.unstored : 'foreign'
      if (fill.mode === 'behind') return unserved(exchange, fill, detail)
      const isLost = detail === 'aborted' || detail === 'lost'
      if (isLost && tries < TRIES && facts.method === 'GET') continue
      return exchange.bypass(missed(detail))
    }
  }

  function used(outcome: 'hit' | 'stale' | 'miss', ttl: number): Outcome {
    if (outcome === 'hit') return { cache: 'HIT', ttl }
    if (outcome === 'stale') return { cache: 'STALE', ttl: Math.min(0, ttl) }
    return { cache: 'MISS', fwd: 'uri-miss', stored: true, collapsed: true }
  }

  /** Answers the client whose request ran the handler. */
  async function lead<Req, Done>(
    exchange: Exchange<Req, Done>,
    fill: Fill<Req, Done>,
    landed: Stored | Unstored,
  ): Promise<Done> {
    // The cache has lost patience and gave what is old; the run itself decides.
    const result = isStored(landed, fill.whose) || landed === undefined ? await fill.finished : landed
    const { captured } = fill
    const failed = result === undefined && isStored(landed, fill.whose) ? landed : undefined
    if (failed !== undefined && staleness(failed) < failed.errorFor) {
      const ttl = Math.floor(-staleness(failed) / 1000)
      return answer(fill, failed, used('stale', ttl), clock.wall() - failed.madeAt)
    }
    if (captured === undefined) throw fill.error
    if (captured.kind !== 'whole') return exchange.passed()
    if (result === undefined || !isStored(result, fill.whose))
      return exchange.replay(captured, missed(result?.unstored ?? 'status'))
    return answer(fill, isStored(landed, fill.whose) && landed.madeAt === result.madeAt ? landed : result, {
      ...{ cache: 'MISS', fwd: fill.replaced === undefined ? 'uri-miss' : 'stale', stored: true },
    })
  }

  async function rejected<Req, Done>(
    exchange: Exchange<Req, Done>,
    fill: Fill<Req, Done>,
    error: unknown,
  ): Promise<Done> {
    if (fill.mode === 'direct') {
      if (error instanceof PalierError && error.code === 'PALIER_FACTORY_TIMEOUT') return exchange.release()
      if (fill.captured === undefined) throw error
      return fill.captured.kind === 'whole' ? exchange.replay(fill.captured, missed('status')) : exchange.passed()
    }
    if (fill.mode === 'behind') return unserved(exchange, fill, 'status')
    if (error instanceof HandlerFailed) return exchange.bypass(missed('status'))
    if (!(error instanceof PalierError)) throw error
    if (error.code === 'PALIER_BAD_OPTION' || error.code === 'PALIER_BAD_KEY') throw error
    return exchange.bypass(missed(error.code === 'PALIER_FACTORY_TIMEOUT' ? 'timeout' : 'store'))
  }

  /** The old response was to be served while the handler ran behind, and died meanwhile. */
  async function unserved<Req, Done>(
    exchange: Exchange<Req, Done>,
    fill: Fill<Req, Done>,
    detail: string,
  ): Promise<Done> {
    const { captured, replaced } = fill
    if (captured?.kind === 'whole') return exchange.replay(captured, missed(detail))
    // Then it has not run yet.
    if (captured === undefined || replaced === undefined) return exchange.bypass(missed(detail))
    return answer(
      fill,
      replaced,
      used('stale', Math.floor(-staleness(replaced) / 1000)),
      clock.wall() - replaced.madeAt,
    )
  }

  /** A handler that has run, or is about to, does not run again for a client that cannot read what is kept. */
  async function answer<Req, Done>(fill: Fill<Req, Done>, stored: Stored, outcome: Outcome, age = 0): Promise<Done> {
    const { exchange, mode } = fill
    const ready = answers.of(stored, exchange.facts, outcome, age)
    if (ready !== undefined) return exchange.serve(ready)
    if (mode !== 'none') await fill.finished
    const { captured } = fill
    if (captured?.kind === 'whole') return exchange.replay(captured, outcome.cache === 'MISS' ? outcome : UNREADABLE)
    if (captured !== undefined) return exchange.passed()
    if (mode === 'direct') throw fill.error
    return exchange.bypass(bypassed('encoding'))
  }

  /** What may be served without running the handler for it. */
  async function look<Req>(at: Plan<Req>, key: string, subject: string | undefined) {
    const own = at.isScoped && subject !== undefined ? { subject } : {}
    try {
      const found = await at.entries.peek(key, own)
      return found?.state === 'fresh' && isStored(found.value, whoseOf(at, subject))
        ? { ...found, stored: found.value }
        : undefined
    } catch {
      // Told by an event of the cache, and the handler is there.
      return undefined
    }
  }

  async function subjectOf<Req>({ route }: Plan<Req>, request: Req): Promise<string | undefined> {
    const subject = route.subject === undefined ? undefined : await route.subject(request)
    if (subject === undefined || route.scope === undefined || typeof subject !== 'string' || subject === '')
      return undefined
    return subjectDigest(route.scope, subject, settled.secret)
  }

  async function handle<Req, Done>(at: Plan<Req>, exchange: Exchange<Req, Done>): Promise<Done> {
    const { route } = at
    const { request, facts } = exchange
    const refusal = enabled ? refusalOf(facts, route, settled) : 'disabled'
    if (refusal !== undefined) return exchange.bypass(bypassed(refusal))
    if (route.when !== undefined && !route.when(request)) return exchange.bypass(bypassed('when'))
    const subject = route.subject === undefined ? undefined : await subjectOf(at, request)
    if (route.subject !== undefined && subject === undefined) return exchange.bypass(bypassed('no-subject'))
    const inKey = at.isScoped ? undefined : subject
    const key = responseKey({ route, facts, request, subject: inKey, secret: settled.secret })
    // What is in memory is served at once: no tag of this request, no policy and no flight has a say in it.
    const held = at.entries.glance(key)
    if (held !== undefined && isStored(held.value, whoseOf(at, subject))) {
      const ready = answers.of(held.value, facts, used('hit', Math.floor(held.ttl / 1000)), held.age)
      return ready === undefined ? exchange.bypass(bypassed('encoding')) : exchange.serve(ready)
    }
    const onlyCached = isOnlyIfCached(facts)
    const canFill = facts.method === 'GET' && !onlyCached
    const isMadeUp = route.key === undefined && (facts.target.includes('?') || route.vary.length > 0)
    if (canFill && (!isMadeUp || at.sights.admits(key))) return obtain(at, exchange, key, subject)
    const found = await look(at, key, subject)
    if (found !== undefined) {
      const ready = answers.of(found.stored, facts, used('hit', Math.floor(found.ttl / 1000)), found.age)
      return ready === undefined ? exchange.bypass(bypassed('encoding')) : exchange.serve(ready)
    }
    if (onlyCached) return exchange.serve(ABSENT)
    return exchange.bypass(canFill ? missed('admission') : bypassed('head'))
  }

  return { settled, plan, handle }
}

/** The handler has run for a client that takes none of the encodings that are kept. */
const UNREADABLE: Outcome = missed('encoding')

/** The handler was quicker than the old response. */
const REMADE: Outcome = { cache: 'MISS', fwd: 'stale', stored: true }

const ABSENT: Answer = {
  status: 504,
  headers: [
    'cache-control',
    'no-store',
    'content-length',
    '0',
    'x-cache',
    'MISS',
    'cache-status',
    'Palier; detail=only-if-cached',
  ],
  body: Buffer.alloc(0),
}

/** The two headers that tell what became of a request. */
export function marksOf(outcome: Outcome): readonly (readonly [string, string])[] {
  return [
    ['x-cache', outcome.cache],
    ['cache-status', cacheStatus(outcome)],
  ]
}
