import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PalierError } from '../../src/errors.ts'
import { tagStamp, typeStamp } from '../../src/key.ts'
import type { Ticket } from '../../src/outbox.ts'
import { patternTarget, stampTarget, WIDEST, widened } from '../../src/targets.ts'
import { type Gate, gate } from '../support/caches.ts'
import { keyOf, room } from '../support/outbox-room.ts'

/** What one of the actors does: the callers who delete or set, the drain, and the store that answers. */
type Act =
  | { readonly do: 'put' | 'set' | 'take'; readonly target: number }
  | { readonly do: 'failed' | 'delivered' | 'setAcked'; readonly which: number }
  | { readonly do: 'drain' }
  | { readonly do: 'answer'; readonly how: 'ok' | 'refused' | 'failed' }

const TARGETS = [
  ...['a', 'b'].map(key => keyOf('user', key)),
  keyOf('page', 'a'),
  stampTarget(typeStamp('user')),
  stampTarget(tagStamp('t')),
  patternTarget({ glob: '*', type: undefined }),
  WIDEST,
]
/** The first so many are keys. */
const KEYS = 3

const acts = (kinds: readonly Act['do'][]): fc.Arbitrary<Act> => {
  const target = fc.nat(TARGETS.length - 1)
  const which = fc.nat(5)
  const all: Readonly<Record<Act['do'], fc.Arbitrary<Act>>> = {
    put: fc.record({ do: fc.constant('put'), target }),
    set: fc.record({ do: fc.constant('set'), target: fc.nat(KEYS - 1) }),
    take: fc.record({ do: fc.constant('take'), target }),
    failed: fc.record({ do: fc.constant('failed'), which }),
    delivered: fc.record({ do: fc.constant('delivered'), which }),
    setAcked: fc.record({ do: fc.constant('setAcked'), which }),
    drain: fc.constant({ do: 'drain' }),
    answer: fc.record({ do: fc.constant('answer'), how: fc.constantFrom('ok', 'refused', 'failed') }),
  }
  return fc.oneof(...kinds.map(kind => all[kind]))
}

interface Underway {
  readonly targets: readonly string[]
  readonly startedAt: number
  readonly answer: Gate<void>
}

/** The outbox beside a model that knows, for every target, the last deletion that no delivery begun after it has covered. */
function beside(max: number) {
  let now = 0
  const dirty = new Map<string, number>()
  const underway: Underway[] = []
  const tickets: { ticket: Ticket; at: number }[] = []
  const sets: { target: string; ticket: Ticket | undefined; at: number }[] = []
  const journal = new Set<string>()
  const at = room({
    max,
    deliver(targets) {
      const answer = gate<void>()
      underway.push({ targets, startedAt: ++now, answer })
      return answer.promise
    },
    record: targets => Promise.resolve(targets.forEach(target => journal.add(target))),
    changed() {
      if (at.outbox.size === 0) journal.clear()
    },
  })
  const covers = (wide: string, target: string): boolean =>
    wide === target || wide === WIDEST || wide === widened('n', target)
  const acknowledge = (delivered: string, startedAt: number): void => {
    for (const [target, since] of dirty) if (since <= startedAt && covers(delivered, target)) dirty.delete(target)
  }
  const passedOver = (target: string): boolean => {
    if (at.outbox.find(target) !== undefined || at.outbox.find(WIDEST) !== undefined) return true
    return at.outbox.find(widened('n', target)) !== undefined
  }
  const act = async (one: Act): Promise<void> => {
    if ('target' in one) {
      const target = TARGETS[one.target] ?? WIDEST
      now++
      if (one.do === 'set') sets.push({ target, ticket: at.outbox.find(target), at: now })
      else {
        dirty.set(target, now)
        if (one.do === 'take') at.outbox.take([target])
        else tickets.push(...at.outbox.put([target]).map(ticket => ({ ticket, at: now })))
      }
    } else if (one.do === 'drain') at.outbox.drain().catch(() => undefined)
    else if (one.do === 'answer') {
      const call = underway.shift()
      if (one.how === 'ok') for (const target of call?.targets ?? []) acknowledge(target, call?.startedAt ?? 0)
      if (one.how === 'ok') call?.answer.open()
      else
        call?.answer.fail(new PalierError(one.how === 'refused' ? 'PALIER_STORE_REFUSED' : 'PALIER_STORE_FAILED', ''))
    } else if (one.do === 'setAcked') {
      const [set] = sets.splice(one.which % Math.max(1, sets.length), 1)
      if (set !== undefined) {
        at.outbox.drop(set.ticket)
        const since = dirty.get(set.target)
        if (since !== undefined && since <= set.at) dirty.delete(set.target)
      }
    } else if ('which' in one) {
      const [call] = tickets.splice(one.which % Math.max(1, tickets.length), 1)
      if (call !== undefined && one.do === 'failed') await at.outbox.failed([call.ticket])
      if (call !== undefined && one.do === 'delivered') {
        at.outbox.delivered([call.ticket])
        acknowledge(call.ticket.target, call.at)
      }
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  const finish = async (): Promise<void> => {
    while (tickets.length > 0) await act({ do: 'failed', which: 0 })
    for (let tries = 0; at.outbox.size > 0 && tries < 100; tries++) {
      at.outbox.drain().catch(() => undefined)
      for (let calls = 0; calls < 10; calls++) await act({ do: 'answer', how: 'ok' })
    }
  }
  return { at, act, finish, dirty, passedOver, journal, tickets }
}

describe('whatever happens in whatever order', () => {
  const ALL: readonly Act['do'][] = [
    'put',
    'failed',
    'failed',
    'delivered',
    'drain',
    'answer',
    'answer',
    'set',
    'setAcked',
  ]

  test('what was deleted and not acknowledged since is passed over, and nothing is dirty once nothing waits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(acts(ALL), { maxLength: 40, size: 'max' }),
        async (max, list) => {
          const { at, act, finish, dirty, passedOver } = beside(max)
          for (const one of list) {
            await act(one)
            for (const target of dirty.keys())
              expect({ target, passed: passedOver(target) }).toEqual({ target, passed: true })
            expect(at.outbox.size).toBeLessThanOrEqual(max)
          }
          await finish()
          expect(at.outbox.size).toBe(0)
          expect([...dirty.keys()]).toEqual([])
          at.outbox.close()
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('the journal holds each that waits, or something wider', async () => {
    const kinds: readonly Act['do'][] = ['put', 'failed', 'failed', 'drain', 'answer', 'set', 'setAcked']
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(acts(kinds), { maxLength: 40, size: 'max' }),
        async (max, list) => {
          const { at, act, dirty, journal, tickets } = beside(max)
          for (const one of list) {
            await act(one)
            const open = new Set(tickets.map(({ ticket }) => ticket.target))
            for (const target of dirty.keys()) {
              if (open.has(target)) continue
              const written = [target, widened('n', target), WIDEST].some(line => journal.has(line))
              expect({ target, written }).toEqual({ target, written: true })
            }
          }
          at.outbox.close()
        },
      ),
      { numRuns: 1000 },
    )
  })
})
