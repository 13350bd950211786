import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { NearRecord } from '../../src/store.ts'
import { nearStore } from '../../src/stores/memory.ts'
import { manualClock } from '../../src/testing.ts'

interface Sample extends NearRecord {
  readonly id: number
}

const SPACES = ['one', 'two', 'three']
const space = fc.constantFrom(...SPACES)
const key = fc.constantFrom(...'a b c d e f g h i j k l m n o p'.split(' '))

const call = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('set'),
      space,
      key,
      size: fc.integer({ min: 0, max: 45 }),
      ttl: fc.integer({ min: 1, max: 4_000 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('get'), space, key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), space, key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 0, max: 1_500 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear'), space }) },
) as fc.Arbitrary<{ do: string; space: string; key: string; size: number; ttl: number; ms: number }>

test('whatever is called, budgets hold, the newest is kept, and nothing is shown but what was set last', async () => {
  const calls = fc.array(call, { maxLength: 150 })
  await fc.assert(
    fc.asyncProperty(
      calls,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 10, max: 200 }),
      async (list, maxEntries, maxBytes) => {
        const clock = manualClock()
        const evicted: string[] = []
        const model = new Map<string, Sample>()
        const onEvict = (name: string, gone: string, record: Sample): void => {
          expect(model.get(`${name}/${gone}`)).toBe(record)
          expect(record.deadAt).toBeGreaterThan(clock.now())
          evicted.push(`${name}/${gone}`)
        }
        const store = nearStore<Sample>({ maxEntries, maxBytes, clock, onEvict })
        for (const [id, step] of list.entries()) {
          const path = `${step.space}/${step.key}`
          if (step.do === 'set') {
            const record = { id, size: step.size, deadAt: clock.now() + step.ttl, visited: false }
            evicted.length = 0
            const before = store.usage()
            const kept = store.space(step.space).set(step.key, record)
            for (const gone of evicted) model.delete(gone)
            expect(kept).toBe(step.size <= maxBytes)
            expect(evicted).not.toContain(path)
            if (!kept) expect(store.usage().entries).toBeGreaterThanOrEqual(before.entries - 1)
            if (kept) model.set(path, record)
            else model.delete(path)
            expect(store.space(step.space).peek(step.key)).toBe(kept ? record : undefined)
          } else if (step.do === 'get') {
            const found = store.space(step.space).get(step.key)
            if (found !== undefined) expect(found).toBe(model.get(path))
            // A live record leaves by eviction, delete or clear only, and the model heard of each.
            else expect(model.get(path)?.deadAt ?? 0).toBeLessThanOrEqual(clock.now())
          } else if (step.do === 'delete') {
            store.space(step.space).delete(step.key)
            model.delete(path)
          } else if (step.do === 'clear') {
            store.space(step.space).clear()
            for (const name of [...model.keys()]) if (name.startsWith(`${step.space}/`)) model.delete(name)
          } else await clock.advance(step.ms)

          const held = SPACES.flatMap(name => [...store.space(name).keys()].map(k => model.get(`${name}/${k}`)))
          expect(held).not.toContain(undefined)
          const bytes = held.reduce((sum, record) => sum + (record?.size ?? 0), 0)
          expect(store.usage()).toEqual({ entries: held.length, bytes })
          expect(held.length).toBeLessThanOrEqual(maxEntries)
          expect(bytes).toBeLessThanOrEqual(maxBytes)
        }
        await clock.advance(6_000)
        expect(store.usage()).toEqual({ entries: 0, bytes: 0 })
        expect(clock.pending()).toBe(0)
      },
    ),
    { numRuns: 300 },
  )
})

/** SIEVE as the paper has it: a queue with the newest at its head, and a hand that goes from the tail to the head. */
function paperSieve(capacity: number) {
  const queue: { key: string; visited: boolean }[] = []
  let hand = 0
  return {
    keys: () => queue.map(node => node.key),
    get(wanted: string): boolean {
      const node = queue.find(({ key }) => key === wanted)
      if (node !== undefined) node.visited = true
      return node !== undefined
    },
    insert(added: string): void {
      if (queue.length >= capacity) {
        if (hand >= queue.length) hand = 0
        for (let node = queue[hand]; node?.visited === true; node = queue[hand]) {
          node.visited = false
          hand = (hand + 1) % queue.length
        }
        queue.splice(hand, 1)
        // Past the head, the hand goes back to the tail before anybody new comes in.
        if (hand === queue.length) hand = 0
      }
      queue.push({ key: added, visited: false })
    },
  }
}

test('one space evicts exactly as the paper says', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.integer({ min: 0, max: 14 }), { maxLength: 400 }),
      (capacity, accesses) => {
        const paper = paperSieve(capacity)
        const store = nearStore({ maxEntries: capacity, maxBytes: Infinity, clock: manualClock() })
        const near = store.space('only')
        for (const access of accesses) {
          const name = `k${access}`
          const hit = paper.get(name)
          expect(near.get(name) !== undefined).toBe(hit)
          if (hit) continue
          paper.insert(name)
          near.set(name, { deadAt: Infinity, size: 1, visited: false })
          expect([...near.keys()]).toEqual(paper.keys())
        }
      },
    ),
    { numRuns: 500 },
  )
})
