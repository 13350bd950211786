import { READS } from './cache-map.ts'
import { listCategories } from './categories/store.ts'
import { DAYS, dayOf, readDashboard } from './dashboard/queries.ts'
import { ROLES } from './database/schema.ts'
import { readMessageStats } from './messages/store.ts'
import type { Services } from './services.ts'

/** Fills what the first visitors will ask for, by name. Each is an ordinary cached read: what is kept already stays. */
export function warmUps(services: Services): Readonly<Record<string, () => Promise<void>>> {
  const { caching, database, settings, now } = services
  return {
    settings: async () => void (await settings.read()),
    categories: async () => void (await caching.read(READS.categoryList, [], () => listCategories(database.reader))),
    stats: async () => void (await caching.read(READS.messageStats, [], () => readMessageStats(database.reader))),
    dashboard: async () => {
      const at = now()
      // One after the other: the seven queries are the most expensive there are.
      for (const role of ROLES)
        await caching.read(READS.dashboard, [role, DAYS, dayOf(at)], signal => readDashboard(database, at, signal))
    },
  }
}

/** Warms everything up, after the server listens and without holding anybody up. Never rejects. */
export async function warmUp(services: Services): Promise<void> {
  for (const [name, fill] of Object.entries(warmUps(services))) {
    try {
      await fill()
    } catch (error) {
      services.log.warn({ err: error, name }, 'warm-up failed')
    }
  }
}
