import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { slide, type Tally, tally } from '../../src/sliding.ts'
import { memoryGuards } from '../../src/stores/memory.ts'
import { manualClock } from '../../src/testing.ts'
import { countingModel, tallyModel } from '../../src/testing/guard-model.ts'

const rates = fc.record({ limit: fc.integer({ min: 1, max: 30 }), window: fc.integer({ min: 1, max: 1_000 }) })
const steps = fc.array(fc.record({ pass: fc.integer({ min: 0, max: 1_500 }), cost: fc.integer({ min: 0, max: 31 }) }), {
  maxLength: 60,
})

describe('the limits of memory', () => {
  test('decide as a model does that keeps every request', async () => {
    await fc.assert(
      fc.asyncProperty(rates, steps, async (rate, requests) => {
        const clock = manualClock()
        const { limits } = memoryGuards(clock)
        const model = countingModel(rate)
        let now = 0
        for (const { pass, cost } of requests) {
          // Half of the requests come in one moment.
          const ms = pass % 2 === 0 ? pass : 0
          now += ms
          await clock.advance(ms)
          const { allowed, remaining } = await limits.take('key', rate, cost)
          expect({ allowed, remaining }).toEqual(model(now, cost))
        }
      }),
      { numRuns: 200 },
    )
  })

  test('let each request pass exactly when they said it would, and not before', async () => {
    await fc.assert(
      fc.asyncProperty(rates, steps, async (rate, requests) => {
        const clock = manualClock()
        const { limits } = memoryGuards(clock)
        for (const { pass, cost: asked } of requests) {
          const cost = Math.min(asked, rate.limit)
          await clock.advance(Math.min(pass, rate.window))
          const { allowed, retryAfter } = await limits.take('key', rate, cost)
          if (allowed) continue
          expect(retryAfter).toBeGreaterThan(0)
          expect(retryAfter).toBeLessThanOrEqual(2 * rate.window)
          await clock.advance(retryAfter - 1)
          expect((await limits.take('key', rate, cost)).allowed).toBe(false)
          await clock.advance(1)
          expect((await limits.take('key', rate, cost)).allowed).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('a sliding window', () => {
  const instants = fc.array(
    fc.record({ pass: fc.integer({ min: -5_000, max: 2_000 }), cost: fc.integer({ min: 0, max: 5 }) }),
    { maxLength: 80 },
  )

  test('keeps nobody waiting for longer than two windows, whatever the clock does', () => {
    fc.assert(
      fc.property(rates, instants, (rate, requests) => {
        let now = 1_000_000
        let kept: Parameters<typeof slide>[0]
        for (const { pass, cost } of requests) {
          now += pass
          const slid = slide(kept, now, rate, cost)
          kept = slid.kept ?? kept
          const { allowed, remaining, resetAfter, retryAfter } = slid.decision
          expect(remaining).toBeGreaterThanOrEqual(0)
          expect(remaining).toBeLessThanOrEqual(rate.limit)
          expect(retryAfter > 0).toBe(!allowed)
          expect(Math.max(resetAfter, retryAfter)).toBeLessThanOrEqual(2 * rate.window)
          if (kept === undefined) continue
          expect(kept.start).toBeLessThanOrEqual(now)
          expect(slide(kept, now + resetAfter, rate, rate.limit).decision.allowed).toBe(true)
        }
      }),
    )
  })

  test('is exact as long as limit times window can be', () => {
    const large = fc.record({
      limit: fc.integer({ min: 1, max: 2 ** 26 }),
      window: fc.integer({ min: 1, max: 2 ** 27 - 1 }),
    })
    fc.assert(
      fc.property(large, fc.nat(), fc.nat(), (rate, a, b) => {
        const previous = a % (rate.limit + 1)
        const passed = b % rate.window
        const counters = { start: -rate.window, current: previous, previous: 0 }
        const { remaining } = slide(counters, passed, rate, 0).decision
        const [p, w, e] = [BigInt(previous), BigInt(rate.window), BigInt(passed)]
        const share = (p * (w - e) + w - 1n) / w
        expect(BigInt(remaining)).toBe(BigInt(rate.limit) - share)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a fixed window', () => {
  const windows = fc.integer({ min: 1, max: 1_000 })
  const costs = fc.integer({ min: -4, max: 4 })
  const penalties = fc.option(fc.record({ above: fc.integer({ min: 0, max: 6 }), growth: fc.constantFrom(1, 2) }), {
    nil: undefined,
  })

  test('counts as a model does that keeps every cost', async () => {
    const counts = fc.array(fc.record({ pass: fc.integer({ min: 0, max: 1_500 }), cost: costs, penalty: penalties }), {
      maxLength: 60,
    })
    await fc.assert(
      fc.asyncProperty(windows, counts, async (window, all) => {
        const clock = manualClock()
        const { limits } = memoryGuards(clock)
        const model = tallyModel(window)
        let now = 0
        for (const { pass, cost, penalty } of all) {
          const ms = pass % 2 === 0 ? pass : 0
          now += ms
          await clock.advance(ms)
          expect(await limits.count('key', window, cost, penalty)).toEqual(model(now, cost, penalty))
        }
      }),
      { numRuns: 200 },
    )
  })

  test('ends no later than its length from now, whatever the clock does', () => {
    const instants = fc.array(fc.record({ pass: fc.integer({ min: -5_000, max: 2_000 }), cost: costs }))
    fc.assert(
      fc.property(windows, instants, (window, all) => {
        let now = 1_000_000
        let kept: Tally | undefined
        for (const { pass, cost } of all) {
          now += pass
          const tallied = tally(kept, now, window, cost)
          kept = tallied.kept ?? kept
          const { count, resetAfter } = tallied.counted
          expect(count).toBeGreaterThanOrEqual(0)
          expect(resetAfter).toBeLessThanOrEqual(window)
          expect(resetAfter > 0).toBe(kept !== undefined && kept.endsAt > now)
          if (kept !== undefined) expect(tally(kept, now + resetAfter, window, 0).counted.count).toBe(0)
        }
      }),
    )
  })
})
