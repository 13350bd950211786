import { badOption } from 'palier'
import { onlyFields, optionalText } from './input.ts'
import { newId } from './answer.ts'
import type { WarmAnswer } from './api.ts'
import type { Room } from './room.ts'
import type { Route } from './router.ts'

interface Warmed {
  readonly name: string
  readonly ok: boolean
  readonly ms: number
  /** Of a failure, in the log. */
  readonly id?: string
}

/** Runs what fills the cache, one after the other; a run that goes on already is waited for, not started again. */
export function warmingRoutes({ warm, clock, log }: Room): readonly Route[] {
  const running = new Map<string, Promise<Warmed>>()

  const run = async (name: string, fill: () => Promise<unknown>): Promise<Warmed> => {
    const startedAt = clock.now()
    const took = (): number => Math.round(clock.now() - startedAt)
    try {
      await fill()
      return { name, ok: true, ms: took() }
    } catch (error) {
      const id = newId()
      log.warn(`[CACHE CONSOLE] ${id}: warming ${JSON.stringify(name)}: ${JSON.stringify(String(error))}`)
      return { name, ok: false, ms: took(), id }
    } finally {
      running.delete(name)
    }
  }

  const joined = (name: string, fill: () => Promise<unknown>): Promise<Warmed> => {
    const going = running.get(name)
    if (going !== undefined) return going
    const started = run(name, fill)
    running.set(name, started)
    return started
  }

  return [
    {
      method: 'POST',
      path: '/api/cache/warm',
      role: 'operator',
      kind: 'change',
      name: 'warm',
      async answer({ aim, fields }) {
        onlyFields('body', fields, ['type'])
        const type = optionalText('type', fields['type'])
        const chosen = Object.entries(warm).filter(([name]) => type === undefined || name === type)
        aim(type ?? 'all')
        if (type !== undefined && chosen.length === 0) {
          throw badOption('type', `what there is a warm-up for: ${Object.keys(warm).join(', ') || 'nothing'}`, type)
        }
        const warmed: Warmed[] = []
        for (const [name, fill] of chosen) warmed.push(await joined(name, fill))
        const answer: WarmAnswer = { warmed }
        return { body: answer, count: warmed.filter(({ ok }) => ok).length }
      },
    },
  ]
}
