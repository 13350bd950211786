import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCache, memoryStore, type Sample } from '../../src/index.ts'
import { NO_COUNTS } from '../../src/monitor/counts.ts'
import { createFleet, type Fleet, type ProcessReport } from '../../src/monitor/fleet.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { passing } from '../support/passing.ts'

/*
 * Whatever happens to processes (they sleep until they are taken for dead, their writes fail, the answers to their writes
 * are lost, they leave), the sum never exceeds what was counted, never goes back for anybody who asks again, and is exact
 * once all of them could speak.
 */

const OVERDUE = 180_000
const REPORT: ProcessReport = {
  pid: 1,
  host: 'h',
  name: 'node',
  version: '',
  config: '',
  since: 0,
  state: 'HEALTHY',
  reason: '',
  backend: 'redis',
}

interface Member {
  readonly fleet: Fleet
  readonly store: FaultyStore
  counted: number
  seen: number
  hasLeft: boolean
}

interface World {
  readonly clock: ManualClock
  readonly members: readonly Member[]
  sample(member: Member): Sample
}

const NO_GAUGES = { near: { entries: 0, bytes: 0 }, pending: 0, up: {}, extra: {} }

async function ask({ clock, members, sample }: World, member: Member): Promise<void> {
  const { counts } = await passing(clock, member.fleet.read(sample(member), REPORT))
  const sum = counts.errors['x'] ?? 0
  expect(sum).toBeLessThanOrEqual(members.reduce((all, one) => all + one.counted, 0))
  expect(sum).toBeGreaterThanOrEqual(member.seen)
  member.seen = sum
}

type Step = (world: World) => Promise<void>

const index = fc.nat({ max: 2 })
const on = (act: (member: Member, world: World) => Promise<void>): fc.Arbitrary<Step> =>
  index.map(i => async world => {
    const member = world.members[i]
    if (member !== undefined && !member.hasLeft) await act(member, world)
  })

const publish = async (member: Member, { clock, sample }: World): Promise<void> =>
  passing(clock, member.fleet.publish(sample(member), REPORT)).catch(() => undefined)

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: on(async member => void (member.counted += 1 + (member.counted % 7))) },
  { weight: 5, arbitrary: on(publish) },
  { weight: 3, arbitrary: on((member, world) => ask(world, member)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1000, OVERDUE + 1).map(
      (ms): Step =>
        async ({ clock }) =>
          clock.advance(ms),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(index, fc.constantFrom<'lose' | 'fail'>('lose', 'fail'), fc.integer({ min: 1, max: 3 })).map(
      ([i, fault, times]): Step =>
        async ({ members }) =>
          members[i]?.store[fault]('commit', times),
    ),
  },
  { weight: 1, arbitrary: on(async (_member, { members }) => members.forEach(one => one.store.heal())) },
  {
    weight: 1,
    // Together, so that they meet.
    arbitrary: fc.constant<Step>(async world => {
      const { clock, members, sample } = world
      const all = members.filter(one => !one.hasLeft)
      await passing(clock, Promise.all(all.map(one => one.fleet.read(sample(one), REPORT))))
    }),
  },
)

test('a fleet adds up, whatever happens to its members', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 40 }), fc.nat({ max: 1 }), async (run, leavers) => {
      const clock = manualClock()
      const shared = memoryStore({ clock })
      const caches = [0, 1, 2].map(i => {
        const store = faulty(i === 0 ? shared : shared.connect())
        return { store, cache: createCache({ namespace: 'f', store, clock, logger: false }) }
      })
      const members = caches.map(
        ({ cache, store }): Member => ({
          fleet: createFleet(cache, OVERDUE),
          store,
          counted: 0,
          seen: 0,
          hasLeft: false,
        }),
      )
      const sample = ({ counted }: Member): Sample => ({
        at: clock.wall(),
        counts: { ...NO_COUNTS, errors: { x: counted } },
        gauges: NO_GAUGES,
      })
      const world: World = { clock, members, sample }
      for (const { cache } of caches) await cache.ready()
      for (const step of run) await step(world)
      for (const { store } of members) store.heal()
      for (const { cache } of caches) {
        while (cache.status().state !== 'HEALTHY') await clock.advance(1000)
      }
      for (const member of members) await passing(clock, member.fleet.publish(sample(member), REPORT))
      for (const member of members.slice(0, leavers)) {
        await passing(clock, member.fleet.leave(sample(member), REPORT))
        member.hasLeft = true
      }
      const all = members.reduce((sum, one) => sum + one.counted, 0)
      for (const member of members.filter(one => !one.hasLeft)) {
        const { counts, processes, readable } = await passing(clock, member.fleet.read(sample(member), REPORT))
        expect(readable).toBe(true)
        expect(counts.errors['x'] ?? 0).toBe(all)
        expect(processes).toHaveLength(3 - leavers)
      }
      for (const { cache } of caches) await cache.close()
    }),
    { numRuns: 60 },
  )
}, 30_000)
