import { PalierError } from '../errors.ts'
import { loadClient } from '../stores/redis/open.ts'
import { addressOf, idOf, resolved, whereOf } from './address.ts'
import type {
  RedisAddress,
  RedisCandidate,
  RedisInput,
  RedisResult,
  RedisState,
  Sentence,
  Verdict,
} from './contract.ts'
import { type Greeting, greet } from './handshake.ts'
import { type Lead, leadsOf, SCANNED } from './redis-candidates.ts'
import { inspect } from './redis-inspect.ts'
import { type Room, sentence } from './room.ts'
import type { Saved } from './state.ts'

const GREETING_WITHIN = 700
const SCAN_WITHIN = 150
const TYPED_WITHIN = 2000
/** So many addresses may be typed in ten minutes: a wizard is no tool to search a network with. */
const TYPED_AT_MOST = 20
const TYPED_PER = 600_000

const VERDICTS: Readonly<Partial<Record<RedisState, Verdict>>> = {
  open: 'good',
  ready: 'good',
  password: 'note',
  tls: 'note',
  sentinel: 'note',
  loading: 'note',
  timeout: 'unknown',
  unreachable: 'unknown',
}

const WORST: readonly Verdict[] = ['bad', 'warning', 'note', 'unknown', 'good']

function outcome(lead: Lead, { state, latency, errno }: Greeting): RedisCandidate {
  const advice: Sentence | undefined =
    state === 'password' || state === 'wrong password'
      ? sentence('redis.advice.password')
      : state === 'tls'
        ? sentence('redis.advice.tls')
        : state === 'sentinel'
          ? sentence('redis.advice.sentinel')
          : undefined
  return {
    id: lead.id,
    where: whereOf(lead.address),
    how: lead.how,
    ...(lead.variable !== undefined && { variable: lead.variable }),
    state,
    verdict: VERDICTS[state] ?? 'warning',
    text: sentence(`redis.state.${state}`, { errno: errno ?? '', where: whereOf(lead.address) }),
    ...(advice !== undefined && { advice }),
    hasPassword: lead.address.password !== undefined,
    latency,
    facts: [],
    usable: false,
    recommended: false,
  }
}

async function examine(lead: Lead, greeting: Greeting, hasClient: boolean, shared: boolean): Promise<RedisCandidate> {
  const base = outcome(lead, greeting)
  const knocks = greeting.state === 'open' || (greeting.state === 'password' && lead.address.password !== undefined)
  if (!knocks) return base
  const { state, text, latency, facts, works } = await inspect(lead.address, shared)
  const verdict =
    WORST.find(one => one === (VERDICTS[state] ?? 'warning') || facts.some(each => each.verdict === one)) ?? 'good'
  const spoken = outcome(lead, { ...greeting, state })
  return {
    ...spoken,
    text,
    verdict,
    latency: latency ?? greeting.latency,
    facts,
    usable: works && hasClient,
    recommended: works && hasClient && facts.every(one => one.verdict !== 'bad'),
  }
}

/** Nobody named these: when nothing is there, they are a line at the end and no row. */
const isSilent = ({ how, state }: RedisCandidate): boolean =>
  (how === 'socket' || how === 'port' || how === 'container') && (state === 'refused' || state === 'unreachable')

interface Typed {
  readonly addresses: readonly RedisAddress[]
  readonly asked: readonly number[]
}

async function withTyped({ saved, clock }: Room, input: RedisInput): Promise<Typed> {
  const { add, forget } = input
  const now = clock.wall()
  const asked = saved.asked.filter(at => at > now - TYPED_PER)
  const kept = saved.addresses.filter(one => idOf(addressOf(one)) !== forget)
  if (add === undefined) return { addresses: kept, asked }
  if (asked.length >= TYPED_AT_MOST) {
    throw new PalierError('PALIER_LOCKED', `add: at most ${TYPED_AT_MOST} addresses in ten minutes; wait a little`)
  }
  const address = addressOf(add)
  await resolved(address).catch((error: unknown) => {
    // A name that nobody knows is an answer, and told as a row; a forbidden address is a mistake.
    if (error instanceof PalierError) throw error
  })
  const id = idOf(address)
  return { addresses: [...kept.filter(one => idOf(addressOf(one)) !== id), add], asked: [...asked, now] }
}

async function tryLead(lead: Lead, hasClient: boolean, shared: boolean): Promise<RedisCandidate> {
  const within = lead.how === 'typed' || lead.how === 'environment' ? TYPED_WITHIN : GREETING_WITHIN
  let place = lead
  try {
    // What the environment names is the operator's own; what was typed is spoken to where it was checked to lead.
    if (lead.how === 'typed') place = { ...lead, address: await resolved(lead.address) }
  } catch (error) {
    if (error instanceof PalierError) throw error
    return outcome(lead, { state: 'unreachable', latency: undefined, errno: (error as NodeJS.ErrnoException).code })
  }
  const found = await examine(place, await greet(place.address, within), hasClient, shared)
  return { ...found, where: whereOf(lead.address) }
}

/** Ports of this machine, one after the other. */
async function scan(room: Room, known: ReadonlySet<string>, add: (lead: Lead) => Promise<void>): Promise<number> {
  let asked = 0
  for (const port of SCANNED) {
    room.signal.throwIfAborted()
    const address = addressOf({ host: '127.0.0.1', port })
    const id = idOf(address)
    if (known.has(id)) continue
    const { state } = await greet(address, SCAN_WITHIN)
    asked++
    room.tell(0.5 + asked / SCANNED.length / 2, sentence('redis.scanning', { port }))
    if (state !== 'refused' && state !== 'other service' && state !== 'timeout') await add({ id, address, how: 'scan' })
  }
  return asked
}

function summaryOf(candidates: readonly RedisCandidate[], client: string | undefined): Sentence {
  const good = candidates.filter(one => one.recommended)
  const locked = candidates.find(one => one.state === 'password' || one.state === 'wrong password')
  if (good[0] !== undefined) return sentence('redis.summary.found', { where: good[0].where })
  if (client === undefined && candidates.some(one => one.state === 'open' || one.state === 'ready'))
    return sentence('redis.summary.client')
  if (locked !== undefined) return sentence('redis.summary.password', { where: locked.where })
  const answered = candidates.some(one => one.state === 'open' || one.state === 'ready')
  return sentence(answered ? 'redis.summary.against' : 'redis.summary.none')
}

export interface Found {
  readonly result: RedisResult
  readonly change: (saved: Saved) => Saved
}

/** Asks every address once. Rejects with PALIER_BAD_OPTION for a wrong one that was typed. */
export async function findRedis(room: Room, input: RedisInput): Promise<Found> {
  const { addresses, asked } = await withTyped(room, input)
  const client = await loadClient().catch(() => undefined)
  const shared = room.saved.results.server?.shared ?? false
  const leads = leadsOf(room, addresses).filter(one => one.id !== input.forget || one.how !== 'scan')
  const all: RedisCandidate[] = []
  const answers = new Map<number, boolean>()
  for (const [i, lead] of leads.entries()) {
    room.signal.throwIfAborted()
    const { host, port } = lead.address
    // A server that listens on both loopback addresses is one server.
    if (host === '::1' && lead.how === 'port' && answers.get(port) === true) continue
    room.tell(
      (i / leads.length) * (input.scan === true ? 0.5 : 1),
      sentence('redis.trying', { where: whereOf(lead.address) }),
    )
    const candidate = await tryLead(lead, client !== undefined, shared)
    if (host === '127.0.0.1') answers.set(port, candidate.state !== 'refused')
    all.push(candidate)
  }
  let scanned = 0
  if (input.scan === true) {
    scanned = await scan(room, new Set(all.map(one => one.id)), async lead => {
      all.push(await tryLead(lead, client !== undefined, shared))
    })
  }
  room.signal.throwIfAborted()
  const candidates = all.filter(one => !isSilent(one))
  const result: RedisResult = {
    candidates,
    silent: all.filter(isSilent).map(one => one.where),
    client,
    install: client === undefined ? 'npm install redis' : undefined,
    summary: summaryOf(candidates, client),
    scanned,
  }
  return { result, change: saved => ({ ...saved, addresses, asked }) }
}
