import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Cache } from '../cache.ts'
import { createCache } from '../create.ts'
import { messageOf } from '../link.ts'
import type { CacheOptions } from '../options.ts'

/*
 * The other process of the proofs. It reads a question a line from its standard input, answers a line for each, and
 * ends when its input does.
 */

interface Question {
  readonly act: 'hello' | 'watch' | 'seen' | 'cache' | 'get' | 'set' | 'gone' | 'write'
  readonly path?: string
  readonly options?: CacheOptions
  readonly key?: string
  readonly value?: string
  readonly within?: number
}

let cache: Cache | undefined
let seen: Promise<number | null> | undefined

async function until(holds: () => boolean | Promise<boolean>, within: number): Promise<number | null> {
  const began = performance.now()
  while (!(await holds())) {
    if (performance.now() - began > within) return null
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  return Date.now()
}

async function read(key: string): Promise<unknown> {
  const found = await cache?.peek(key)
  return found?.value ?? null
}

/** Writes for ever: whoever asked kills this process in the middle. */
async function write(key: string): Promise<never> {
  for (let i = 0; ; i++) {
    const letter = String.fromCharCode(97 + (i % 26))
    await cache?.set(`${key}-${i % 8}`, letter.repeat(64 * 1024), { ttl: '1m' })
  }
}

async function answer(question: Question): Promise<unknown> {
  const { act, path = '', options, key = '', value, within = 5000 } = question
  switch (act) {
    case 'hello':
      return 'hello'
    case 'watch':
      // It is looked for before it exists: that is what network disks remember for too long.
      seen = until(() => existsSync(path), within)
      return true
    case 'seen':
      return seen
    case 'cache':
      cache = createCache({ ...options, logger: false })
      return (await cache.ready()).backend
    case 'get':
      return read(key)
    case 'set':
      await cache?.set(key, value, { ttl: '1m' })
      return true
    case 'gone':
      return until(async () => (await read(key)) === null, within)
    case 'write':
      void write(key).catch(() => undefined)
      return true
  }
}

const lines = createInterface({ input: process.stdin })
for await (const line of lines) {
  try {
    process.stdout.write(`${JSON.stringify({ value: (await answer(JSON.parse(line) as Question)) ?? null })}\n`)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: messageOf(error) })}\n`)
  }
}
await cache?.close()
