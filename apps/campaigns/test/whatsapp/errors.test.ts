import { expect, it } from 'vitest'
import { actionOf, classify, type ErrorAction, type ErrorClass, retryDelay } from '../../server/whatsapp/errors.ts'

const TABLE: readonly (readonly [ErrorClass, ErrorAction, readonly number[]])[] = [
  ['token', 'stop_campaign', [0, 3, 10, 190, 200, 219, 299]],
  ['throttled', 'retry', [4, 80007, 130429, 131056]],
  ['throttled', 'pause_campaign', [131048, 131064]],
  ['window', 'fail', [131047]],
  ['recipient', 'fail', [131026, 131021, 131030, 130472]],
  ['policy', 'fail', [131049]],
  ['opt_out', 'opt_out', [131050]],
  ['template', 'stop_campaign', [132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016]],
  ['parameter', 'fail', [100, 131008, 131009, 131051, 131062]],
  ['transient', 'retry', [131000, 131016, 131057]],
  ['account', 'stop_campaign', [368, 131031, 130497, 131042, 131045, 131037, 131063]],
  ['other', 'fail', [999999]],
]

it.each(TABLE)('class %s leads to %s', (errorClass, action, codes) => {
  expect(codes.filter(code => classify(code) !== errorClass)).toEqual([])
  expect(codes.filter(code => actionOf(errorClass, code) !== action)).toEqual([])
})

it('goes by the code before the HTTP status, and by the status when the code says nothing', () => {
  expect(classify(131047, 500)).toBe('window')
  expect(classify(368, 403)).toBe('account')
  expect(classify(999999, 503)).toBe('transient')
  expect(classify(999999, 429)).toBe('throttled')
  expect(classify(999999, 401)).toBe('token')
  expect(classify(999999, 404)).toBe('parameter')
  expect(classify(999999, 302)).toBe('other')
})

it('reads a status that was stored as a code', () => {
  expect([401, 403, 404, 429, 500, 503, 301].map(status => classify(status))).toEqual([
    'token',
    'token',
    'parameter',
    'throttled',
    'transient',
    'transient',
    'other',
  ])
})

const most = (): number => 1 - 2 ** -32
const least = (): number => 0

it('waits 4^n seconds at the pair limit, whatever chance says, and an hour at most', () => {
  const waits = [1, 2, 3, 4, 9].map(attempt => retryDelay('throttled', attempt, least, 131056))
  expect(waits).toEqual([4000, 16_000, 64_000, 256_000, 3_600_000])
})

it('spreads the other retries over an exponential, bounded time', () => {
  const ceilings = [1, 2, 3, 30, 10_000].map(attempt => retryDelay('transient', attempt, most))
  expect(ceilings).toEqual([1999, 3999, 7999, 299_999, 299_999])
  expect(retryDelay('transient', 5, least)).toBe(0)
  expect(retryDelay('throttled', 1, most, 130429)).toBe(7999)
  expect(retryDelay('throttled', 99, most, 130429)).toBe(899_999)
  // An attempt that no caller should give is no reason to send at once for ever.
  expect(retryDelay('transient', 0, most)).toBe(1999)
  expect(retryDelay('transient', -3, most)).toBe(1999)
})

it('never sends again within a day what was held back for the good of the person', () => {
  const day = 24 * 3_600_000
  for (const random of [least, most]) {
    for (const attempt of [1, 2, 50]) expect(retryDelay('policy', attempt, random)).toBeGreaterThanOrEqual(day)
  }
})
