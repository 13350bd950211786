import { describe, expect, test } from 'vitest'
import { createCache, memoryStore } from '../../src/index.ts'
import { createEvents } from '../../src/events.ts'
import { attachLogger } from '../../src/log.ts'
import { type FaultyStore, faulty, type ManualClock, manualClock } from '../../src/testing.ts'

interface Lines {
  readonly warn: string[]
  readonly info: string[]
}

function logged(): { lines: Lines; logger: { warn(line: string): void; info(line: string): void } } {
  const lines: Lines = { warn: [], info: [] }
  return {
    lines,
    logger: { warn: line => void lines.warn.push(line), info: line => void lines.info.push(line) },
  }
}

function broken(namespace = 'shop') {
  const clock: ManualClock = manualClock()
  const store: FaultyStore = faulty(memoryStore({ clock }))
  const { lines, logger } = logged()
  const cache = createCache({ namespace, clock, store, logger })
  return { cache, clock, store, lines }
}

describe('the log', () => {
  test('an error is one line with its prefix, namespace, operation and code', async () => {
    const { cache, store, lines } = broken()
    await cache.ready()
    store.fail('get', 1, new Error('socket closed'))
    await cache.get('k')
    expect(lines.warn).toEqual(['[CACHE ERROR] shop: get: PALIER_STORE_FAILED: memory failed: socket closed'])
  })

  test('the same kind is a line a minute, and the next one counts the hushed', async () => {
    const { cache, clock, store, lines } = broken()
    await cache.ready()
    const failOnce = async (): Promise<void> => {
      store.fail('get', 1)
      await cache.get('k')
      store.heal()
      await cache.get('k')
    }
    for (let i = 0; i < 10; i++) await failOnce()
    expect(lines.warn).toHaveLength(1)
    await clock.advance(59_999)
    await failOnce()
    expect(lines.warn).toHaveLength(1)
    await clock.advance(1)
    await failOnce()
    expect(lines.warn).toHaveLength(2)
    expect(lines.warn[1]).toMatch(/\(and 10 more like it/)
    await clock.advance(60_000)
    await failOnce()
    expect(lines.warn[2]).not.toContain('more like it')
  })

  test('another kind is not hushed by it', async () => {
    const { cache, store, lines } = broken()
    await cache.ready()
    store.fail('get', 1)
    await cache.get('k')
    store.fail('delete', 1)
    await cache.delete('k')
    store.fail('set', 1)
    await cache.set('k', 1)
    const operations = lines.warn.filter(line => line.startsWith('[CACHE ERROR]')).map(line => line.split(': ')[1])
    expect(operations).toEqual(expect.arrayContaining(['get', 'delete', 'set']))
  })

  test('an outage and its end are a line each: DEGRADED warns, WARMING and HEALTHY inform', async () => {
    const { cache, clock, store, lines } = broken()
    await cache.ready()
    store.fail('*')
    for (let i = 0; i < 100; i++) await cache.get('k')
    store.heal()
    await clock.advance(5000)
    await cache.get('k')
    const states = [...lines.warn, ...lines.info].filter(line => line.startsWith('[CACHE] '))
    expect(states.filter(line => line.startsWith('[CACHE] shop: DEGRADED: '))).toHaveLength(1)
    expect(states.filter(line => line.startsWith('[CACHE] shop: WARMING: memory answers again'))).toHaveLength(1)
    expect(lines.info.at(-1)).toBe('[CACHE] shop: HEALTHY: the store answers')
    expect(lines.warn.filter(line => line.includes('HEALTHY'))).toEqual([])
  })

  test('never holds a value, whatever goes wrong with it', async () => {
    const { cache, clock, store, lines } = broken()
    await cache.ready()
    const secret = 'hunter2'
    await cache.set('k', { password: secret }, { grace: '1h', ttl: 1000 })
    await cache.set('fn', { password: secret, run: () => secret }).catch(() => undefined)
    await cache.getOrSet('fn', () => ({ password: secret, run: () => secret }))
    await cache.getOrSet('symbol', () => [secret, Symbol(secret)])
    await cache.getOrSet('tags', context => (context.tags(['t']), new Map([[() => secret, secret]])))
    for (const fault of ['set', 'commit', 'claim', 'delete'] as const) {
      store.fail(fault)
      await cache.set('l', secret)
      await cache.getOrSet('m', () => secret, { fresh: true })
      await cache.delete('l')
      store.heal()
      await clock.advance(2000)
    }
    for await (const keys of memoryKeys(store)) {
      for (const key of keys) await store.set(key, new TextEncoder().encode(secret), 1000)
    }
    await cache.getMany(['k', 'l', 'm'])
    expect(lines.warn.length).toBeGreaterThan(3)
    expect([...lines.warn, ...lines.info].join('\n')).not.toContain(secret)
  })

  test('a message of several lines is still one line', () => {
    const clock = manualClock()
    const events = createEvents('shop')
    const { lines, logger } = logged()
    attachLogger(events, logger, clock)
    const message = 'first\n[CACHE] shop: HEALTHY: forged\r\nlast'
    events.emit('error', { operation: 'get', code: 'PALIER_STORE_FAILED', message })
    expect(lines.warn).toHaveLength(1)
    expect(lines.warn[0]).not.toMatch(/[\r\n]/)
  })

  test('a logger that throws harms nobody', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const throwing = (): never => {
      throw new Error('disk full')
    }
    const cache = createCache({ clock, store, logger: { warn: throwing, info: throwing } })
    await cache.ready()
    store.fail('*')
    for (let i = 0; i < 5; i++) expect(await cache.getOrSet(`k${i}`, () => i)).toBe(i)
    await cache.close()
  })

  test('off, nothing is written; taken off, nothing more is', () => {
    const clock = manualClock()
    const events = createEvents('shop')
    const { lines, logger } = logged()
    attachLogger(events, false, clock)()
    const off = attachLogger(events, logger, clock)
    events.emit('state', { state: 'DOWN', reason: 'everything' })
    off()
    events.emit('state', { state: 'HEALTHY', reason: 'nothing' })
    expect(lines).toEqual({ warn: ['[CACHE] shop: DOWN: everything'], info: [] })
  })
})

function memoryKeys(store: FaultyStore): AsyncIterable<readonly string[]> {
  return store.scan('shop:e:')
}
