import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CacheOptions } from 'palier'
import { startRedis } from './redis.ts'

/** Where caches of a test meet; each `options` call of one place is as another process would be started there. */
export interface Place extends AsyncDisposable {
  readonly options: CacheOptions
}

/** These tests are not about slow machines. */
const PATIENT = { deadline: '10s', detectBudget: '30s' } as const

/** The backends that processes share. */
export const SHARED: Readonly<Record<string, () => Promise<Place>>> = {
  async files() {
    const dir = await mkdtemp(join(tmpdir(), 'palier-console-'))
    return {
      options: { ...PATIENT, backend: 'filesystem', dir },
      [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
    }
  },
  async redis() {
    const redis = await startRedis()
    const dir = await mkdtemp(join(tmpdir(), 'palier-console-'))
    return {
      options: { ...PATIENT, backend: 'redis', redisUrl: redis.url, dir },
      async [Symbol.asyncDispose]() {
        await redis.stop()
        await rm(dir, { recursive: true, force: true })
      },
    }
  },
}
