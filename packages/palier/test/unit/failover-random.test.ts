import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import type { SharedStore } from '../../src/store.ts'
import { house, type House, type Node } from '../support/house.ts'
import { place } from '../support/remote.ts'

/*
 * Three processes, a Redis and a directory, and whatever may happen to them. The source is a number per key that only
 * grows with each mutation. Once a mutation has resolved on a process, no read that begins there later may see a smaller
 * number than the source then had; once everything is well again, no read anywhere may see a smaller one than the last.
 */
const KEYS = ['k0', 'k1', 'p2'] as const
type Key = (typeof KEYS)[number]
const NODES = 3
const DELETIONS = ['delete', 'deleteMany', 'deleteByTag', 'deleteByPattern', 'clear'] as const
const FAULTS = [
  'down',
  'up',
  'heal',
  'fail',
  'hang',
  'slow',
  'lose',
  'mute',
  'deaf to writes',
  'disk',
  'disk up',
] as const

type Step =
  | { readonly do: 'read'; readonly node: number; readonly key: Key; readonly takes: number }
  | { readonly do: 'readMany'; readonly node: number }
  | { readonly do: (typeof DELETIONS)[number] | 'set'; readonly node: number; readonly key: Key }
  | { readonly do: (typeof FAULTS)[number]; readonly node: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'copy' }
  | { readonly do: 'failover'; readonly told: boolean }

/** How the caches begin: with Redis; with the directory, Redis found by chance; with the directory, Redis being waited for. */
type Beginning = 'there' | 'unasked' | 'absent'

const node = fc.nat(NODES - 1)
const key = fc.constantFrom(...KEYS)
const takes = fc.constantFrom(0, 0, 0, 3, 40, 300, 2000)
const ms = fc.constantFrom(0, 1, 3, 10, 30, 60, 100, 150, 250, 400, 900, 2500, 5200)
const mutation = fc.constantFrom(...DELETIONS, 'set' as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('read'), node, key, takes }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('readMany'), node }) },
  { weight: 4, arbitrary: fc.record({ do: mutation, node, key }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom(...FAULTS, 'up' as const), node }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait'), ms }) },
  { weight: 1, arbitrary: fc.constant({ do: 'copy' }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('failover'), told: fc.boolean() }) },
)

interface World {
  readonly at: House
  readonly nodes: readonly Node[]
  readonly source: Map<Key, number>
  /** What each process may not fall behind. */
  readonly floors: readonly Map<Key, number>[]
  readonly wrong: string[]
  readonly pending: Set<Promise<void>>
  mutations: number
  mutating: number
  copy: { readonly store: SharedStore; readonly madeAt: number } | undefined
}

async function begin(beginning: Beginning, serveFor: number, maxPending: number): Promise<World> {
  const at = house()
  const options = { defaults: { ttl: '1h' }, outage: { serveFor, maxPending } } as const
  const nodes: Node[] = []
  for (let i = 0; i < NODES; i++) {
    const how = i === 0 ? 'there' : beginning
    const one = await at.node(options, ({ redis, disk }) => {
      if (how === 'absent') redis.fail('*')
      const files = place('filesystem', undefined, { open: disk.open })
      const places = [place('redis', redis, { wanted: how !== 'unasked' }), files, place('memory', undefined)]
      return [places, how === 'there' ? 0 : 1]
    })
    nodes.push(one)
  }
  const zero = (): Map<Key, number> => new Map(KEYS.map(one => [one, 0]))
  const lists = { floors: nodes.map(zero), wrong: [], pending: new Set<Promise<void>>() }
  return { at, nodes, source: zero(), ...lists, mutations: 0, mutating: 0, copy: undefined }
}

function run(world: World, work: Promise<void>): void {
  const one: Promise<void> = work
    .catch((error: unknown) => void world.wrong.push(String(error)))
    .finally(() => world.pending.delete(one))
  world.pending.add(one)
}

async function look(world: World, i: number, of: Key, how: string, get: () => Promise<unknown>): Promise<void> {
  const least = world.floors[i]?.get(of) ?? 0
  const value = await get()
  if (typeof value === 'number' && value < least) {
    world.wrong.push(`node ${i}, ${how} of ${of}: ${value} instead of ${least} or more`)
  }
}

async function read(world: World, cache: Cache, i: number, of: Key, time: number): Promise<void> {
  const factory = async (): Promise<number | undefined> => {
    const value = world.source.get(of)
    if (time > 0) await new Promise<void>(resolve => void world.at.clock.after(time, resolve))
    return value
  }
  await look(world, i, of, 'getOrSet', () => cache.getOrSet(of, factory, { tags: [`tag-${of}`] }))
  await look(world, i, of, 'get', () => cache.get(of))
  await look(world, i, of, 'peek', async () => (await cache.peek(of))?.value)
}

async function mutate(
  world: World,
  cache: Cache,
  one: Extract<Step, { readonly key: Key; readonly do: unknown }>,
): Promise<void> {
  const now = ++world.mutations
  const touched =
    one.do === 'clear' ? KEYS : one.do === 'deleteByPattern' ? KEYS.filter(of => of.startsWith('k')) : [one.key]
  for (const of of touched) world.source.set(of, now)
  world.mutating++
  if (one.do === 'set') await cache.set(one.key, now, { tags: [`tag-${one.key}`] })
  else if (one.do === 'delete') await cache.delete(one.key)
  else if (one.do === 'deleteMany') await cache.deleteMany([one.key, 'another'])
  else if (one.do === 'deleteByTag') await cache.deleteByTag(`tag-${one.key}`)
  else if (one.do === 'deleteByPattern') await cache.deleteByPattern('k*')
  else await cache.clear()
  world.mutating--
  const floor = world.floors[one.node]
  for (const of of touched) floor?.set(of, Math.max(now, floor.get(of) ?? 0))
}

function disturb({ at, nodes }: World, i: number, fault: (typeof FAULTS)[number]): void {
  const one = nodes[i]
  if (one === undefined) return
  const { redis } = one
  const disk = one.disk.opened.at(-1)
  const acts: Readonly<Record<(typeof FAULTS)[number], () => unknown>> = {
    down: () => (redis.fail('*'), redis.lost()),
    up: () => (redis.heal(), redis.ready()),
    heal: () => redis.heal(),
    fail: () => redis.fail('*', 3),
    hang: () => redis.hang('*'),
    slow: () => redis.delay('*', 40, at.clock),
    lose: () => redis.lose('*', 2),
    mute: () => redis.fail('publish', 3),
    'deaf to writes': () => (['delete', 'set', 'claim'] as const).forEach(method => redis.fail(method, 2)),
    disk: () => disk?.fail('*', 5),
    'disk up': () => disk?.heal(),
  }
  acts[fault]()
}

async function settle(world: World): Promise<void> {
  for (let i = 0; i < 30 && world.mutating > 0; i++) await world.at.clock.advance(100)
}

async function failOver(world: World, told: boolean): Promise<void> {
  const { at, nodes, copy } = world
  if (copy === undefined || at.clock.now() - copy.madeAt > 50_000) return
  world.copy = undefined
  // Until it is found out nothing is promised, so nobody reads meanwhile.
  for (let i = 0; !told && i < 50 && world.pending.size > 0; i++) await at.clock.advance(100)
  at.server.replace(copy.store)
  if (!told) return at.clock.advance(4500)
  for (const { redis } of nodes) {
    redis.lost()
    redis.ready()
  }
}

async function perform(world: World, one: Step): Promise<void> {
  const { clock, server } = world.at
  if (one.do === 'wait') await clock.advance(one.ms)
  else if (one.do === 'copy') world.copy = { store: await server.copy(), madeAt: clock.now() }
  else if (one.do === 'failover') await failOver(world, one.told)
  else {
    const cache = world.nodes[one.node]?.cache
    if (cache === undefined) return
    if ('takes' in one) run(world, read(world, cache, one.node, one.key, one.takes))
    else if ('key' in one) {
      // Whoever sets while another deletes may come first or last: not judged here.
      if (one.do === 'set') await settle(world)
      run(world, mutate(world, cache, one))
      if (one.do === 'set') await settle(world)
    } else if (one.do === 'readMany') {
      const values = cache.getMany(KEYS)
      KEYS.forEach((of, at) =>
        run(
          world,
          look(world, one.node, of, 'getMany', async () => (await values)[at]),
        ),
      )
    } else disturb(world, one.node, one.do)
  }
  await clock.advance(0)
}

async function converge(world: World): Promise<void> {
  const { at, nodes, wrong, source } = world
  for (const fault of ['up', 'disk up'] as const) nodes.forEach((_one, i) => disturb(world, i, fault))
  await at.clock.advance(14_000)
  await Promise.all(world.pending)
  for (const [i, { cache }] of nodes.entries()) {
    const { backend, outbox, reason } = cache.status()
    if (backend !== 'redis' || outbox.pending > 0)
      wrong.push(`node ${i}: ${backend}, ${outbox.pending} waiting, ${reason}`)
    for (const of of KEYS) {
      const value = await cache.get(of)
      const last = source.get(of) ?? 0
      if (typeof value === 'number' && value < last)
        wrong.push(`in the end node ${i}, ${of}: ${value} instead of ${last}`)
    }
  }
}

async function play(beginning: Beginning, steps: readonly Step[], serveFor: number, maxPending: number): Promise<void> {
  const world = await begin(beginning, serveFor, maxPending)
  const { at, nodes, wrong } = world
  for (const one of steps) if (wrong.length === 0) await perform(world, one)
  if (wrong.length === 0) await converge(world)
  for (const { redis, disk } of nodes) for (const store of [redis, ...disk.opened]) store.heal()
  await Promise.all([...nodes.map(({ cache }) => cache.close()), at.clock.advance(3000)])
  expect(wrong).toEqual([])
}

test.each(['there', 'unasked', 'absent'] as const)(
  'whatever happens in whatever order: nothing deleted is seen again, and in the end all agree (Redis at the start: %s)',
  async beginning => {
    const steps = fc.array(step, { maxLength: 60, size: 'max' })
    const serveFor = fc.constantFrom(0, 0, 3000)
    const maxPending = fc.constantFrom(1, 3, 1000)
    await fc.assert(
      fc.asyncProperty(steps, serveFor, maxPending, (list, serve, most) => play(beginning, list, serve, most)),
      { numRuns: 40 },
    )
  },
  60_000,
)
