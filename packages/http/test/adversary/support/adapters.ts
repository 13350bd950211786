import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { startExpress4, startExpress5, startFront } from './express.ts'
import { startFastify } from './fastify.ts'
import { startFetch, startHono } from './fetch.ts'
import { EVERYBODY, type Running, type Site } from './site.ts'

export const ADAPTERS: readonly (readonly [string, (site: Site) => Promise<Running>])[] = [
  ['express 5', startExpress5],
  ['express 4', startExpress4],
  ['fastify', startFastify],
  ['fetch', startFetch],
  ['hono', startHono],
  ['front', startFront],
]

/** The same cases on every adapter, each with one site that is emptied before each case. */
export function onEveryAdapter(
  make: () => Site,
  cases: (running: () => Running, adapter: string) => void,
  only: (adapter: string) => boolean = () => true,
): void {
  describe.each(ADAPTERS.filter(([name]) => only(name)))('%s', (name, start) => {
    let running: Running | undefined
    const current = (): Running => {
      if (running === undefined) throw new Error('the site has not started')
      return running
    }
    beforeAll(async () => {
      running = await start(make())
    })
    beforeEach(async () => {
      await current().clear()
      for (const user of EVERYBODY) current().logins.set(user.secret, user)
    })
    afterAll(() => running?.close())
    cases(current, name)
  })
}
