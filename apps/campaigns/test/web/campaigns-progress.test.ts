import { expect, test } from 'vitest'
import {
  funnelOf,
  handledOf,
  phaseOf,
  pollEvery,
  type Sample,
  speedOf,
  timeLeft,
  withSample,
} from '../../web/src/screens/campaigns/progress.ts'

const SECOND = 1000

function seen(...samples: readonly Sample[]): readonly Sample[] {
  return samples.reduce<readonly Sample[]>((known, sample) => withSample(known, sample), [])
}

test('a running campaign is planning, then sending, then waiting for answers', () => {
  const running = { status: 'running' as const, planned_at: null, queued: 0 }
  expect(phaseOf(running)).toBe('planning')
  expect(phaseOf({ ...running, planned_at: 1, queued: 3 })).toBe('sending')
  expect(phaseOf({ ...running, planned_at: 1 })).toBe('awaiting')
  expect(phaseOf({ ...running, status: 'failed', planned_at: 1, queued: 3 })).toBe('halted')
  expect(phaseOf({ ...running, status: 'cancelled' })).toBe('over')
})

test('the speed is what was handled in the last minute, and the time left follows from it', () => {
  const samples = seen({ at: 0, handled: 0 }, { at: 10 * SECOND, handled: 100 })
  expect(speedOf(samples)).toBe(600)
  expect(timeLeft(300, speedOf(samples))).toBe(30 * SECOND)
})

test('what is older than a minute no longer counts for the speed', () => {
  const samples = seen({ at: 0, handled: 0 }, { at: 100 * SECOND, handled: 1000 }, { at: 110 * SECOND, handled: 1010 })
  expect(speedOf(samples)).toBe(60)
})

test('a speed is not told before there is enough to tell it from', () => {
  expect(speedOf([])).toBeUndefined()
  expect(speedOf(seen({ at: 0, handled: 0 }, { at: SECOND, handled: 50 }))).toBeUndefined()
  expect(timeLeft(10, undefined)).toBeUndefined()
  expect(timeLeft(10, 0)).toBeUndefined()
  expect(timeLeft(0, undefined)).toBe(0)
})

test('sending failed messages again begins a new measurement, and an older answer is no sample', () => {
  const samples = seen({ at: 0, handled: 90 }, { at: 10 * SECOND, handled: 100 })
  expect(withSample(samples, { at: 20 * SECOND, handled: 40 })).toEqual([{ at: 20 * SECOND, handled: 40 }])
  expect(withSample(samples, { at: 5 * SECOND, handled: 95 })).toBe(samples)
})

test('only a running campaign of which nobody tells is asked for, and never faster than every two seconds', () => {
  expect(pollEvery('running', true)).toBe(false)
  expect(pollEvery('paused', false)).toBe(false)
  expect(pollEvery(undefined, false)).toBe(false)
  expect(pollEvery('running', false)).toBeGreaterThanOrEqual(2 * SECOND)
})

test('the funnel has shares of those sent, and none where nothing was sent', () => {
  const funnel = { sent: 80, delivered: 60, read: 40, interacted: 20, message2_sent: 10 }
  const shares = funnelOf({ total: 100, funnel }, true).map(({ key, count, share }) => [key, count, share])
  expect(shares).toEqual([
    ['audience', 100, undefined],
    ['sent', 80, 0.8],
    ['delivered', 60, 0.75],
    ['read', 40, 0.5],
    ['interacted', 20, 0.25],
    ['message2', 10, 0.125],
  ])
  const none = { sent: 0, delivered: 0, read: 0, interacted: 0, message2_sent: 0 }
  expect(funnelOf({ total: 0, funnel: none }, false).map(({ share }) => share)).toEqual(Array(5).fill(undefined))
})

test('the number handled is never below zero while the audience is being drawn up', () => {
  expect(handledOf({ total: 5, queued: 8 })).toBe(0)
})
