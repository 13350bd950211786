import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Call } from './protocol.ts'
import type { OutageContestant } from './contestants.ts'
import type { Fault, Scene } from './faults.ts'
import { type Member, startMember } from './member.ts'
import { pause } from './server.ts'
import { type Watch, watchServer } from './watch.ts'

/** So long after the heal nobody is waited for any more. */
export const USE_LIMIT_MS = 15_000
/** What is read to find a value that should be gone: for so long after the heal. */
export const STALE_MS = 5000
/** When the database changes and A forgets, after the fault began. */
export const FORGET_AT_MS = 2000
const KEYS = 10
const CALL_EVERY_MS = 25
/** The last calls begin so long before the heal. */
const QUIET_MS = 1000
const BOOT_OUTAGE_MS = 16_000
/** Contestants are made one after the other, so that none pays for the start of another. */
const STAGGER_MS = 400
/** Before the fault, with nothing going on. */
const REST_MS = 500
const SEED_LIMIT_MS = 10_000

/** What one contestant did in one fault. Instants in milliseconds since 1970. */
export interface Observed {
  readonly contestant: OutageContestant
  readonly struckAt: number
  readonly calls: readonly Call[]
  readonly forgets: readonly Call[]
  /** Reads of A after its deletions had ended, while the fault lasted. */
  readonly meanwhile: readonly Call[]
  readonly healedAt: number
  readonly usedAt: number | undefined
  readonly a: readonly Call[]
  readonly b: readonly Call[]
  readonly state: string
}

/** It did not get to the end. */
export interface Fallen {
  readonly contestant: OutageContestant
  readonly why: string
}

interface Pair {
  readonly contestant: OutageContestant
  readonly a: Member
  readonly b: Member
  readonly keys: readonly string[]
}

interface Stage {
  readonly dir: string
  readonly members: Member[]
}

async function member(stage: Stage, contestant: OutageContestant, redisUrl: string): Promise<Member> {
  const dir = join(stage.dir, contestant.sharesDirectory === true ? 'shared' : String(stage.members.length))
  const one = await startMember({ contestant: contestant.name, place: { redisUrl, dir } })
  stage.members.push(one)
  return one
}

async function onStage<T>(scene: Scene, act: (stage: Stage) => Promise<T>): Promise<T> {
  const stage: Stage = { dir: await mkdtemp(join(tmpdir(), 'palier-outage-')), members: [] }
  const remove = (): void => rmSync(stage.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
  process.once('exit', remove)
  try {
    return await act(stage)
  } finally {
    await Promise.all(stage.members.map(one => one.kill()))
    await scene.close()
    process.off('exit', remove)
    remove()
  }
}

async function opened(one: Member): Promise<void> {
  const { end, value } = await one.ask('open', null)
  if (end !== 'answered') throw new Error(`with Redis up, the first read was ${end}: ${value ?? ''}`)
}

/** Both processes hold v1: A has loaded it, B has found it in Redis. */
async function seeded(stage: Stage, contestant: OutageContestant, scene: Scene): Promise<Pair> {
  const a = await member(stage, contestant, scene.url)
  const b = await member(stage, contestant, scene.url)
  await Promise.all([opened(a), opened(b)])
  const until = performance.now() + SEED_LIMIT_MS
  for (let attempt = 0; ; attempt++) {
    const keys = Array.from({ length: KEYS }, (_none, i) => `kept-${contestant.name}-${attempt}-${i}`)
    await a.ask('seed', keys)
    // Some acknowledge a write before it is sent.
    await pause(200)
    const { loads } = await b.ask('seed', keys)
    if (loads === 0) return { contestant, a, b, keys }
    // On a busy machine one may have begun without Redis, and is given the time to find it.
    if (performance.now() > until) throw new Error(`B loaded ${loads} of ${KEYS} values that A had put into Redis`)
  }
}

interface Moments {
  readonly struckAt: number
  readonly healed: Promise<number>
}

async function outage({ contestant, a, b, keys }: Pair, { outageMs }: Fault, { struckAt, healed }: Moments) {
  const left = (): number => Math.max(0, struckAt + outageMs - Date.now())
  const forMs = outageMs - QUIET_MS
  const calls = a.ask('calls', { prefix: `out-${contestant.name}`, everyMs: CALL_EVERY_MS, forMs })
  const elsewhere = b.ask('reads', { keys, everyMs: 1000, forMs })
  await pause(FORGET_AT_MS)
  await Promise.all([a.ask('version', 2), b.ask('version', 2)])
  const forgetting = a.ask('forget', keys)
  const read = async (): Promise<readonly Call[]> => {
    await Promise.race([forgetting, healed])
    return left() > QUIET_MS ? a.ask('reads', { keys, everyMs: 500, forMs: left() - QUIET_MS }) : []
  }
  const [made, forgets, meanwhile] = await Promise.all([calls, forgetting, read(), elsewhere])
  return { calls: made, forgets, meanwhile }
}

/** When Redis was first asked for a key that nobody had heard of before the heal. */
async function firstUse(
  { name }: OutageContestant,
  one: Member,
  watch: Watch,
  healedAt: number,
): Promise<number | undefined> {
  const prefix = `use-${name}`
  await one.ask('poke', { prefix, everyMs: CALL_EVERY_MS })
  while (watch.first(prefix) === undefined && Date.now() < healedAt + USE_LIMIT_MS) await pause(20)
  await one.ask('enough', null)
  return watch.first(prefix)
}

async function afterwards({ contestant, a, b, keys }: Pair, watch: Watch, healedAt: number) {
  const reads = { keys, everyMs: 100, forMs: STALE_MS }
  const [usedAt, readByA, readByB] = await Promise.all([
    firstUse(contestant, a, watch, healedAt),
    a.ask('reads', reads),
    b.ask('reads', reads),
  ])
  return { usedAt, a: readByA, b: readByB, state: await a.ask('state', null) }
}

async function wholeStory(pair: Pair, fault: Fault, moments: Moments, watching: Promise<Watch>): Promise<Observed> {
  const after = async () => {
    const healedAt = await moments.healed
    return { healedAt, ...(await afterwards(pair, await watching, healedAt)) }
  }
  const [seen, later] = await Promise.all([outage(pair, fault, moments), after()])
  return { contestant: pair.contestant, struckAt: moments.struckAt, ...seen, ...later }
}

/** What has come of each; one that dies, or does something that makes the rest meaningless, takes nobody with it. */
async function each<T, R>(
  those: readonly T[],
  contestantOf: (one: T) => OutageContestant,
  act: (one: T) => Promise<R>,
): Promise<{ done: R[]; fallen: Fallen[] }> {
  const done: R[] = []
  const fallen: Fallen[] = []
  const outcomes = await Promise.allSettled(those.map(act))
  for (const [i, outcome] of outcomes.entries()) {
    const one = those[i]
    if (outcome.status === 'fulfilled') done.push(outcome.value)
    else if (one !== undefined) {
      const { reason } = outcome as { readonly reason: unknown }
      fallen.push({ contestant: contestantOf(one), why: reason instanceof Error ? reason.message : String(reason) })
    }
  }
  return { done, fallen }
}

/** All contestants under one fault at the same time, each in two processes. Throws where the fault cannot be made. */
export async function underFault(
  fault: Fault,
  contestants: readonly OutageContestant[],
): Promise<{ observed: Observed[]; fallen: Fallen[] }> {
  const scene = await fault.open()
  return onStage(scene, async stage => {
    await scene.start()
    const ready = await each(
      contestants,
      one => one,
      async one => {
        await pause(contestants.indexOf(one) * STAGGER_MS)
        return seeded(stage, one, scene)
      },
    )
    await pause(REST_MS)
    const prefixes = contestants.map(({ name }) => `use-${name}`)
    const struckAt = Date.now()
    await scene.strike()
    const healed = pause(fault.outageMs).then(async () => {
      await scene.heal()
      return Date.now()
    })
    const watching = healed.then(() => watchServer(scene.direct, prefixes))
    const { done, fallen } = await each(
      ready.done,
      ({ contestant }) => contestant,
      pair => wholeStory(pair, fault, { struckAt, healed }, watching),
    )
    const watch = await watching
    watch.stop()
    return { observed: done, fallen: [...ready.fallen, ...fallen] }
  })
}

/** How a contestant began without Redis. */
export interface Booted {
  readonly contestant: OutageContestant
  /** From making it to the end of the first read. */
  readonly first: Call
  readonly healedAt: number
  readonly usedAt: number | undefined
}

/** Each contestant is made while Redis cannot be used; then it can. */
export async function bootWithout(
  fault: Fault,
  contestants: readonly OutageContestant[],
): Promise<{ booted: Booted[]; fallen: Fallen[] }> {
  const scene = await fault.open()
  return onStage(scene, async stage => {
    await scene.start()
    await scene.strike()
    const made = await each(
      contestants,
      one => one,
      async contestant => ({ contestant, a: await member(stage, contestant, scene.url) }),
    )
    const healed = pause(BOOT_OUTAGE_MS).then(async () => {
      await scene.heal()
      return Date.now()
    })
    const prefixes = contestants.map(({ name }) => `use-${name}`)
    const watching = healed.then(() => watchServer(scene.direct, prefixes))
    const { done, fallen } = await each(
      made.done,
      ({ contestant }) => contestant,
      async ({ contestant, a }): Promise<Booted> => {
        await pause(contestants.indexOf(contestant) * STAGGER_MS)
        const first = await a.ask('open', null)
        const [healedAt, watch] = await Promise.all([healed, watching])
        return { contestant, first, healedAt, usedAt: await firstUse(contestant, a, watch, healedAt) }
      },
    )
    const watch = await watching
    watch.stop()
    return { booted: done, fallen: [...made.fallen, ...fallen] }
  })
}
