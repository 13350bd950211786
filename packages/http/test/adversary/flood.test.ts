import { afterEach, describe, expect, it } from 'vitest'
import { ADAPTERS } from './support/adapters.ts'
import type { Running, Site } from './support/site.ts'
import { flood, send, type Wire } from './support/wire.ts'

/** Five times what a minute lets in when first seen, and 25 times what the memory holds. */
const MANY = 2_500
/** More than all that is remembered as seen once, twice over: where that is forgotten nothing may be let in for it. */
const MOST = 10_000
const HOT = Array.from({ length: 12 }, (_one, i) => `/page/hot${i}`)

const opened: Running[] = []

afterEach(async () => {
  for (const site of opened.splice(0)) await site.close()
})

const SITE: Site = {
  cache: { memory: { maxEntries: 100 } },
  pages: [{ path: '/page/:case', scope: 'public', reply: seen => ({ body: `page ${seen.target()}` }) }],
}

async function heated(start: (typeof ADAPTERS)[number][1]): Promise<Running> {
  const site = await start(SITE)
  opened.push(site)
  for (let round = 0; round < 6; round++) {
    for (const target of HOT) await send(site.port, target)
  }
  return site
}

async function expectHot(site: Running): Promise<void> {
  const runs = site.runs('/page/:case')
  const kinds = await Promise.all(HOT.map(async target => (await send(site.port, target)).get('x-cache')))
  expect(kinds).toEqual(HOT.map(() => 'HIT'))
  expect(site.runs('/page/:case')).toBe(runs)
}

/** How many of the answers were kept. */
async function floodWith(site: Running, wires: readonly Wire[]): Promise<number> {
  const statuses = new Map<number, number>()
  let kept = 0
  await flood(site.port, wires, answer => {
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    if (answer.get('cache-status')?.includes('; stored') === true) kept++
  })
  expect([...statuses]).toEqual([[200, wires.length]])
  return kept
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_one, i) => i)

// The two others are the same adapters with another framework around them.
describe.each(ADAPTERS.filter(([name]) => name !== 'express 4' && name !== 'hono'))('%s', (name, start) => {
  it('thousands of made-up queries leave the hot entries alone', async () => {
    const site = await heated(start)
    const kept = await floodWith(
      site,
      numbers(name === 'fastify' ? MOST : MANY).map(i => ({ target: `/page/hot${i % HOT.length}?made=up${i}` })),
    )
    // A minute may end meanwhile.
    expect(kept).toBeLessThanOrEqual(1000)
    await expectHot(site)
  })
})

// What follows depends on nothing that an adapter does.
describe.each(ADAPTERS.filter(([name]) => name === 'fastify'))('%s', (_name, start) => {
  const kinds: readonly (readonly [string, number, (i: number) => Wire])[] = [
    ['hosts', MANY, i => ({ target: '/page/hot1', host: `made-up-${i}.test` })],
    ['paths', MANY, i => ({ target: `/page/made-up-${i}` })],
    ['queries, each asked for twice', MOST, i => ({ target: `/page/hot1?made=up${i >> 1}` })],
  ]

  it.each(kinds)('thousands of made-up %s leave the hot entries alone', async (_kind, count, wireOf) => {
    const site = await heated(start)
    await floodWith(site, numbers(count).map(wireOf))
    await expectHot(site)
  })
})
