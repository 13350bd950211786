import type { Services } from '../services.ts'
import { write } from '../work.ts'

const EVERY_MS = 60_000

/** Notes when API keys were last used: at most once a minute for each, and never while a request waits for it. */
export interface KeyUse {
  note(keyId: string): void
  /** Resolves when what was noted is written. */
  settle(): Promise<void>
}

export function createKeyUse(services: Services): KeyUse {
  // Of keys that exist only, so there are no more of these than keys.
  const noted = new Map<string, number>()
  const writing = new Set<Promise<void>>()

  const save = async (keyId: string, at: number): Promise<void> => {
    try {
      await write(services, async ({ trx }) => {
        await trx
          .updateTable('api_keys')
          .set({ last_used_at: at })
          .where('id', '=', keyId)
          .where(w => w.or([w('last_used_at', 'is', null), w('last_used_at', '<=', at - EVERY_MS)]))
          .execute()
      })
    } catch (error) {
      services.log.warn({ err: error }, 'the use of an API key could not be noted')
    }
  }

  return {
    note(keyId) {
      const at = services.now()
      if (at - (noted.get(keyId) ?? 0) < EVERY_MS) return
      noted.set(keyId, at)
      const saving = save(keyId, at).finally(() => writing.delete(saving))
      writing.add(saving)
    },
    settle: async () => void (await Promise.all(writing)),
  }
}
