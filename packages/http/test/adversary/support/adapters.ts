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

export interface Sites {
  readonly site: Running
  /** The same site without a cache. */
  readonly twin: Running
}

/** The same cases on every adapter, each with sites that are as new before each case. */
export function onEveryAdapter(
  make: () => Site,
  cases: (sites: () => Sites, adapter: string) => void,
  only: (adapter: string) => boolean = () => true,
): void {
  describe.each(ADAPTERS.filter(([name]) => only(name)))('%s', (name, start) => {
    const started: Running[] = []
    const sites = (): Sites => {
      const [site, twin] = started
      if (site === undefined || twin === undefined) throw new Error('the sites have not started')
      return { site, twin }
    }
    beforeAll(async () => {
      const site = make()
      started.push(await start(site), await start({ ...site, cache: { ...site.cache, enabled: false } }))
    })
    beforeEach(async () => {
      await sites().site.clear()
      for (const { logins } of started) for (const user of EVERYBODY) logins.set(user.secret, user)
    })
    afterAll(async () => {
      for (const one of started) await one.close()
    })
    cases(sites, name)
  })
}
