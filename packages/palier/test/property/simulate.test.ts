import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Report, shrink, simulate, type SimulateOptions } from '../../src/testing.ts'
import type { Command } from '../../src/testing/simulate/commands.ts'
import { runHistory } from '../../src/testing/simulate/simulate.ts'

/** What a broken promise looks like in the output of a failing test. */
function told({ seed, profile, violation, trace }: Report): string {
  if (violation === undefined) return ''
  const { promise, node, key, text } = violation
  return [`seed ${seed} (${profile}) breaks ${promise} at n${node}, ${key}: ${text}`, ...trace.slice(-40)].join('\n')
}

async function firstFailing(seeds: number, options: SimulateOptions): Promise<Report | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const report = await simulate(seed, options)
    if (report.violation !== undefined) return report
  }
  return undefined
}

describe('histories of several processes, a server and its faults', () => {
  test.each(['calm', 'network', 'server', 'failovers', 'crashes', 'scenes', 'everything'])(
    'keep every promise when they are about: %s',
    async profile => {
      const failing = await firstFailing(20, { profile })
      expect(failing === undefined ? '' : told(failing)).toBe('')
    },
  )

  test('are the same to the last event whenever they are run', async () => {
    for (const seed of [3, 7]) {
      const first = await simulate(seed, { trace: true, profile: 'everything' })
      const second = await simulate(seed, { trace: true, profile: 'everything' })
      expect(first.trace.length).toBeGreaterThan(50)
      expect(second).toEqual(first)
    }
  })

  test('leave the random numbers of the process as they were', async () => {
    const { random } = Math
    await simulate(1, { profile: 'calm' })
    expect(Math.random).toBe(random)
    expect(Object.hasOwn(crypto, 'randomUUID')).toBe(false)
    expect(crypto.randomUUID()).not.toBe(crypto.randomUUID())
  })

  test('are run one at a time, and of known profiles', async () => {
    const running = simulate(1, { profile: 'calm' })
    await expect(simulate(2)).rejects.toThrow('another simulation is running')
    await running
    await expect(simulate(1, { profile: 'rough' })).rejects.toThrow('profile: expected one of calm')
  })
})

describe('each part of the protocol is needed: without it the checker finds a broken promise', () => {
  test.each([
    ['lease', 'calm'],
    ['stamps', 'calm'],
    ['bus', 'calm'],
    ['flush', 'scenes'],
    ['outbox', 'scenes'],
    ['replay', 'scenes'],
    ['window', 'scenes'],
    ['re-arm', 'scenes'],
    ['journal', 'scenes'],
  ] as const)('%s (%s)', async (without, profile) => {
    const failing = await firstFailing(150, { without, profile })
    expect(failing?.violation?.promise).toMatch(/^G[1-4]/)
    expect(failing?.trace.at(-1)).toContain('!! G')
    // The same seed breaks the same promise at the same moment, also while it is written down.
    const again = await simulate(failing?.seed ?? 0, { without, profile, trace: true })
    expect(again.violation).toEqual(failing?.violation)
  })

  test('and the failing history can be cut down to the commands that matter', async () => {
    const failing = await firstFailing(50, { without: 'replay', profile: 'scenes' })
    const small = await shrink(failing?.seed ?? 0, { without: 'replay', profile: 'scenes' })
    expect(small?.report.violation?.promise).toBe(failing?.violation?.promise)
    expect(small?.only.length).toBeLessThan((failing?.commands ?? 0) / 2)
  })
})

const node = fc.nat({ max: 1 })
const key = fc.nat({ max: 3 })
const gap = fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 40 }) }, fc.nat({ max: 4000 }))
const ms = fc.nat({ max: 6000 })
const way = fc.constantFrom('all', 'commands', 'messages')
const how = fc.constantFrom('get', 'getOrSet', 'fresh')

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    gap,
    do: fc.constant('read' as const),
    node,
    how,
    keys: key.map(one => [one]),
    load: fc.nat({ max: 80 }),
    fails: fc.constant(false),
  }),
  fc.record({ gap, do: fc.constantFrom('set', 'add'), node, key }),
  fc.record({ gap, do: fc.constantFrom('touch', 'expire'), node, key }),
  fc.record({
    gap,
    do: fc.constant('invalidate' as const),
    node,
    group: fc.nat({ max: 13 }),
    changes: fc.integer({ min: 1, max: 15 }),
  }),
  fc.record({ gap, do: fc.constant('cut' as const), node, what: way, ms }),
  fc.record({ gap, do: fc.constant('hold' as const), node, what: way, ms, breaks: fc.boolean() }),
  fc.record({
    gap,
    do: fc.constant('failover' as const),
    lag: fc.nat({ max: 20_000 }),
    down: ms,
    silent: fc.boolean(),
  }),
  fc.record({ gap, do: fc.constant('crash' as const), node, down: ms }),
)

describe('any commands in any order', () => {
  test('keep every promise; what breaks one is cut down to its core', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), fc.nat(), async (history, seed) => {
        const report = await runHistory(history, { seed, nodes: 2, profile: 'drawn' })
        expect(report.violation).toBeUndefined()
      }),
      { numRuns: 60 },
    )
  })
})
