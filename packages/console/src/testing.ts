import { badOption } from 'palier'
import { problem } from './answer.ts'
import { onlyFields } from './input.ts'
import { probe } from './probe.ts'
import type { Room } from './room.ts'
import type { Route } from './router.ts'

const MODES: readonly unknown[] = ['simple', 'advanced']

/** Tries the backend out, one run at a time in a process. */
export function testingRoutes({ cache, clock }: Room): readonly Route[] {
  let isRunning = false
  return [
    {
      method: 'POST',
      path: '/api/cache/test',
      role: 'operator',
      kind: 'change',
      name: 'test',
      async answer({ aim, fields }) {
        onlyFields('body', fields, ['mode'])
        const { mode = 'simple' } = fields
        if (!MODES.includes(mode)) throw badOption('mode', 'simple or advanced', mode)
        aim(String(mode))
        if (isRunning) return { problem: problem(409, 'busy', 'a test is running already') }
        isRunning = true
        try {
          return { body: { mode, ...(await probe(cache, clock, mode === 'advanced' ? 'advanced' : 'simple')) } }
        } finally {
          isRunning = false
        }
      },
    },
  ]
}
