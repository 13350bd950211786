import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MessageTable } from '../../server/database/schema.ts'
import {
  applyInteraction,
  applyReport,
  RANKS,
  type ReportedStatus,
  resetForRetry,
  type StatusReport,
  UNKNOWN_OUTCOME,
} from '../../server/messages/states.ts'
import { HOUR, messageRow } from '../whatsapp/webhook-world.ts'

const NOON = Date.UTC(2026, 5, 15, 12)
const SENDING = messageRow({ id: 'm1', step: 1, status: 'sending', next_attempt_at: NOON + 60_000 })
const LOST = messageRow({ ...SENDING, status: 'failed', error_class: UNKNOWN_OUTCOME, failed_at: NOON })

const names: readonly ReportedStatus[] = ['accepted', 'sent', 'delivered', 'read', 'failed']
const reports = (from: readonly ReportedStatus[]): fc.Arbitrary<StatusReport[]> =>
  fc.array(
    fc.record({
      status: fc.constantFrom(...from),
      at: fc.integer({ min: NOON, max: NOON + 1000 }),
    }),
    { minLength: 1, maxLength: 8 },
  )

const apply = (message: MessageTable, list: readonly StatusReport[]): MessageTable =>
  list.reduce((row, report) => ({ ...row, ...applyReport(row, report) }), message)

/** The same said without an order: each time is the earliest that any report implies. */
function model(list: readonly StatusReport[]) {
  const earliest = (least: number): number | null => {
    const times = list.filter(({ status }) => status !== 'failed' && RANKS[status] >= least).map(report => report.at)
    return times.length === 0 ? null : Math.min(...times)
  }
  return { accepted_at: earliest(1), sent_at: earliest(2), delivered_at: earliest(3), read_at: earliest(4) }
}

const timesOf = ({ accepted_at, sent_at, delivered_at, read_at }: MessageTable) => ({
  accepted_at,
  sent_at,
  delivered_at,
  read_at,
})

describe('news of an outbound message', () => {
  it('gives the same times and the same status in any order and however often it is told', () => {
    const shuffled = reports(['accepted', 'sent', 'delivered', 'read']).chain(list =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2, maxLength: list.length * 2 }),
      ),
    )
    fc.assert(
      fc.property(fc.constantFrom(SENDING, LOST), shuffled, (start, [once, again]) => {
        const expected = apply(start, once)
        expect(apply(start, again)).toEqual(expected)
        expect(timesOf(expected)).toEqual(model(once))
        expect(RANKS[expected.status as keyof typeof RANKS]).toBe(expected.status_rank)
      }),
      { numRuns: 200 },
    )
  })

  it('keeps what failed failed, with the times of what happened all the same', () => {
    const known = {
      at: NOON,
      status: 'failed',
      error: { code: 131026, errorClass: 'recipient', detail: 'no' },
    } as const
    fc.assert(
      fc.property(reports(names), list => {
        const failed = apply(SENDING, [known, ...list])
        expect(failed.status).toBe('failed')
        expect([failed.error_code, failed.failed_at]).toEqual([131026, NOON])
        expect(timesOf(failed)).toEqual(model(list))
        const last = apply(SENDING, [...list, known])
        // A failure is no news of what was read, and the first reason stays.
        if (!list.some(({ status }) => status === 'read')) expect(last.status).toBe('failed')
        expect(timesOf(last)).toEqual(model(list))
      }),
      { numRuns: 150 },
    )
  })

  it('never lowers the rank, and says nothing twice', () => {
    fc.assert(
      fc.property(reports(names), list => {
        let message = SENDING
        for (const report of list) {
          const next = apply(message, [report])
          expect(next.status_rank).toBeGreaterThanOrEqual(message.status_rank)
          if (next.status !== 'failed' && message.status !== 'sending') {
            const rank = (row: MessageTable): number => RANKS[row.status as keyof typeof RANKS]
            expect(rank(next)).toBeGreaterThanOrEqual(rank(message))
          }
          expect(applyReport(next, report)).toBeUndefined()
          message = next
        }
      }),
      { numRuns: 150 },
    )
  })

  it('leaves what was skipped or given up its name, and a retry starts from nothing', () => {
    for (const status of ['skipped', 'no_interaction'] as const) {
      const row = apply({ ...SENDING, status }, [{ status: 'read', at: NOON }])
      expect([row.status, row.read_at, row.status_rank]).toEqual([status, NOON, 4])
    }
    const failed = apply(SENDING, [
      { status: 'sent', at: NOON },
      { status: 'failed', at: NOON + 1 },
    ])
    const again = { ...failed, ...resetForRetry(failed, NOON + HOUR) }
    expect([again.status, again.status_rank, again.wamid, again.sent_at]).toEqual(['queued', 0, null, null])
    expect(resetForRetry(SENDING, NOON)).toBeUndefined()
  })
})

describe('an answer to Message 1', () => {
  const campaign = { accept_late: 0, interaction_timeout_h: 24, message2_kind: 'text' } as const
  const sent = messageRow({
    ...SENDING,
    status: 'sent',
    status_rank: 2,
    accepted_at: NOON,
    sent_at: NOON,
    next_attempt_at: null,
  })
  const answer = (row: MessageTable, at: number, accept_late = 0) =>
    applyInteraction(row, { ...campaign, accept_late }, at)

  it('releases Message 2 once', () => {
    const first = answer(sent, NOON + HOUR)
    expect(first).toEqual({ patch: { interacted_at: NOON + HOUR }, releases: true })
    expect(answer({ ...sent, ...first?.patch }, NOON + 2 * HOUR)).toBeUndefined()
  })

  it('proves that a message was sent whose sender has not said so, or was lost', () => {
    for (const row of [SENDING, LOST]) {
      const next = { ...row, ...answer(row, NOON + HOUR)?.patch }
      expect([next.status, next.sent_at, next.interacted_at, next.error_class]).toEqual([
        'sent',
        NOON + HOUR,
        NOON + HOUR,
        null,
      ])
    }
    expect(answer({ ...sent, status: 'failed', error_class: 'recipient' }, NOON)).toBeUndefined()
    expect(answer({ ...sent, status: 'skipped' }, NOON)).toBeUndefined()
  })

  it('counts by when it was written, also when the wait was given up before it came', () => {
    const given = { ...sent, status: 'no_interaction' } as const
    expect(answer(given, NOON + 24 * HOUR)).toEqual({
      patch: { interacted_at: NOON + 24 * HOUR, status: 'sent' },
      releases: true,
    })
    const late = answer(given, NOON + 24 * HOUR + 1)
    expect(late).toEqual({ patch: { late_interaction_at: NOON + 24 * HOUR + 1 }, releases: false })
    expect(answer({ ...given, ...late?.patch }, NOON + 30 * HOUR)).toBeUndefined()
    expect(answer(given, NOON + 25 * HOUR, 1)?.releases).toBe(true)
    // One that was written in time arrives after one that was not.
    expect(answer({ ...given, ...late?.patch }, NOON + HOUR)?.releases).toBe(true)
  })
})
