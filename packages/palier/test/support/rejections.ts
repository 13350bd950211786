import { afterAll, afterEach, beforeAll, expect } from 'vitest'

/** Every test of the file fails if something was rejected in it that nobody had taken. */
export function noRejections(): void {
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  beforeAll(() => void process.on('unhandledRejection', note))
  afterAll(() => void process.off('unhandledRejection', note))
  afterEach(async () => {
    // Node tells of them once the microtasks are done.
    await new Promise(resolve => setImmediate(resolve))
    expect(rejections.splice(0)).toEqual([])
  })
}
