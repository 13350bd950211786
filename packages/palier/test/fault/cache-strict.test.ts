import { expect, test } from 'vitest'
import { runScript } from '../support/netns.ts'
import type { StrictReport } from '../support/strict-life.ts'

test('a process that any unhandled rejection would end lives through every fault of Redis, and exits by itself', async () => {
  const end = await runScript('strict-life', [], { nodeArgs: ['--unhandled-rejections=strict'], timeout: 80_000 })
  expect(end.errors).toBe('')
  expect(end).toMatchObject({ code: 0, signal: null })
  const report = end.report as StrictReport
  expect(report.rejected).toEqual([])
  expect(report.wrong).toEqual([])
  expect(report.after).toBe('value')
  expect(Object.keys(report.calls)).toHaveLength(14)
  for (const count of Object.values(report.calls)) expect(count).toBeGreaterThan(0)
})
