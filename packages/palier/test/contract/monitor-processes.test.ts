import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { CacheOptions, Stats } from '../../src/index.ts'
import { startWatched, type WatchedNode } from '../support/monitor-node.ts'
import { lintMetrics, metric, type ParsedFamily, parseMetrics } from '../support/prometheus.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

let redis: RedisServer
let dir: string
const nodes: WatchedNode[] = []

beforeAll(async () => {
  redis = await startRedis()
  dir = await mkdtemp(join(tmpdir(), 'palier-monitor-'))
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.kill()
})
afterAll(async () => {
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

const BACKENDS: readonly { name: string; options(): CacheOptions }[] = [
  {
    name: 'Redis',
    options: () => ({ backend: 'redis', redisUrl: redis.url, deadline: 2000, outage: { journal: false } }),
  },
  { name: 'files', options: () => ({ backend: 'filesystem', dir, deadline: 2000 }) },
]

const NUMBERS = ['hits', 'misses', 'loads', 'loadErrors', 'sets', 'deletes'] as const

type Numbers = Readonly<Record<(typeof NUMBERS)[number], number>>

/** What the processes counted, added up by the test. */
function counted(all: readonly Stats[], type: string): Numbers {
  const sum = (name: (typeof NUMBERS)[number]): number =>
    all.reduce((total, stats) => total + (stats.types[type]?.[name] ?? 0), 0)
  return Object.fromEntries(NUMBERS.map(name => [name, sum(name)])) as unknown as Numbers
}

/** What a page of metrics says of the same. */
function shown(families: ReadonlyMap<string, ParsedFamily>, type: string): Numbers {
  const of = (name: string, labels: Record<string, string> = {}): number =>
    metric(families, `palier_cache_${name}`, { cache: 'fleet', type, ...labels })
  return {
    hits: of('requests_total', { result: 'hit' }),
    misses: of('requests_total', { result: 'miss' }),
    loads: of('fills_total', { outcome: 'success' }),
    loadErrors: of('fills_total', { outcome: 'error' }),
    sets: of('sets_total'),
    deletes: of('deletes_total'),
  }
}

const pageOf = async (node: WatchedNode | undefined): Promise<ReadonlyMap<string, ParsedFamily>> => {
  const families = parseMetrics((await node?.prometheus()) ?? '')
  expect(lintMetrics(families)).toEqual([])
  return families
}

describe.each(BACKENDS)('three processes on $name', ({ options }) => {
  test('add up to what each of them counted, and go on doing so when two of them are gone', async () => {
    const made = { namespace: 'fleet', ...options() }
    nodes.push(...(await Promise.all([1, 2, 3].map(() => startWatched(made)))))
    const [a, b, c] = nodes
    await Promise.all(nodes.map((node, i) => node.work(10 * (i + 1))))
    await Promise.all(nodes.map(node => node.tick()))
    const stats = await Promise.all(nodes.map(node => node.stats()))
    // Three reads a round.
    expect(stats.map(one => one.requests)).toEqual([30, 60, 90])
    for (const node of nodes) {
      const page = await pageOf(node)
      for (const type of ['user', 'default']) expect(shown(page, type)).toEqual(counted(stats, type))
      const { loads } = counted(stats, 'user')
      expect(metric(page, 'palier_cache_fill_duration_seconds_count', { type: 'user' })).toBe(loads)
      expect(metric(page, 'palier_processes')).toBe(3)
      expect(metric(page, 'palier_invalidations_total', { scope: 'tag' })).toBe(3)
    }
    await Promise.all([b?.work(5), c?.work(5)])
    const last = [stats[0], await b?.stats(), await c?.stats()].filter(one => one !== undefined)
    // One says goodbye; the other is killed after it told what it counted.
    await c?.tick()
    await Promise.all([b?.close(), c?.kill()])
    const page = await pageOf(a)
    for (const type of ['user', 'default']) expect(shown(page, type)).toEqual(counted(last, type))
    expect(metric(page, 'palier_processes')).toBe(2)
    // All three brought their history in the same moment; what was killed took its last minute along.
    const view = await a?.history()
    const reads = view?.buckets.reduce((sum, one) => sum + one.reads, 0)
    expect(reads).toBe(180 + 15)
    expect(view?.buckets[0]?.known).toBe(false)
  })
})
