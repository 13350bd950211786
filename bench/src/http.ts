import { once } from 'node:events'
import { createServer } from 'node:net'
import autocannon from 'autocannon'
import { type Child, startChild } from './children.ts'
import type { Verdict } from './harness.ts'
import { HTTP_CONTESTANTS, type HttpResult, type HttpTask } from './http-child.ts'
import { type Facts, type RunOptions, type Table, type TableResult } from './table.ts'
import { versionOf } from './surroundings.ts'

/*
 * A cached response over real connections: each contestant is a server in a process of its own, asked in turn for a few
 * seconds, round after round. The load generator takes a core; the servers share what is left.
 */

const CONNECTIONS = 32
const RAW = 'fastify, ready buffer'
/** Of raw Fastify sending the same ready buffer. */
const LEAST = 0.9

interface Contestant {
  readonly name: string
  readonly url: string
  readonly child: Child<HttpResult>
  readonly rates: number[]
  requests: number
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function start(name: string, bytes: number): Promise<Contestant> {
  const port = await freePort()
  const task: HttpTask = { contestant: name, bytes, port }
  const child = await startChild<HttpResult>('./http-child.ts', task)
  return { name, url: `http://127.0.0.1:${port}/page`, child, rates: [], requests: 0 }
}

/** The answer a client gets, inflated: all must be the same. */
async function answer(url: string): Promise<string> {
  const response = await fetch(url, { headers: { 'accept-encoding': 'gzip' } })
  if (response.headers.get('content-encoding') !== 'gzip') throw new Error(`${url} did not answer with gzip`)
  return response.text()
}

async function round(one: Contestant, seconds: number): Promise<void> {
  const { requests, errors, non2xx, duration } = await autocannon({
    url: one.url,
    connections: CONNECTIONS,
    duration: seconds,
    headers: { 'accept-encoding': 'gzip' },
  })
  if (errors > 0 || non2xx > 0) throw new Error(`${one.name}: ${errors} errors, ${non2xx} answers that were not 2xx`)
  one.rates.push(requests.total / duration)
  one.requests += requests.total
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

function verdictsOf(rates: ReadonlyMap<string, number>): Verdict[] {
  const rate = (name: string): number => rates.get(name) ?? Number.NaN
  const ours = rate('palier, fastify')
  const toRaw = ours / rate(RAW)
  const others = [...rates.keys()].filter(name => name.startsWith('apicache') || name.startsWith('lru-cache'))
  return [
    {
      text: `palier on fastify: at least ${LEAST}x of raw Fastify`,
      met: toRaw >= LEAST,
      figure: `${toRaw.toFixed(2)}x`,
    },
    ...others.map(name => {
      const place = name.endsWith('express 5') ? 'before express 5' : 'fastify'
      const times = rate(`palier, ${place}`) / rate(name)
      return { text: `palier ${place}: ahead of ${name}`, met: times > 1, figure: `${times.toFixed(2)}x` }
    }),
  ]
}

async function runSize(label: string, bytes: number, { quick, say }: RunOptions): Promise<Facts> {
  const [rounds, seconds] = quick ? [1, 1] : [5, 3]
  const contestants: Contestant[] = []
  try {
    for (const name of HTTP_CONTESTANTS) contestants.push(await start(name, bytes))
    const bodies = new Set<string>()
    for (const { url } of contestants) {
      bodies.add(await answer(url))
      bodies.add(await answer(url))
    }
    if (bodies.size !== 1) throw new Error('the contestants do not answer the same')
    for (let i = 0; i < rounds; i++) {
      // Turn about, so that what slows the machine down for a while slows them all.
      for (const one of i % 2 === 0 ? contestants : contestants.toReversed()) await round(one, seconds)
      say(`http, ${label}: round ${i + 1} of ${rounds}`)
    }
    const rates = new Map(contestants.map(({ name, rates: all }) => [name, median(all)]))
    const raw = rates.get(RAW) ?? Number.NaN
    const rows: string[][] = []
    for (const { name, rates: all, requests, child } of contestants) {
      const { cpu } = await child.go()
      const low = Math.round(Math.min(...all))
      const high = Math.round(Math.max(...all))
      const rate = median(all)
      rows.push([
        name,
        String(Math.round(rate)),
        `${low} to ${high}`,
        `${(cpu / requests).toFixed(0)} µs`,
        `${(rate / raw).toFixed(2)}x`,
      ])
    }
    const body = [...bodies][0] ?? ''
    const what = `${body.length} bytes of JSON, sent gzipped; ${CONNECTIONS} connections, ${rounds} rounds of ${seconds} s; CPU of the server process`
    return {
      name: label,
      what,
      columns: ['contestant', 'requests/s', 'spread', 'CPU per request', 'to raw Fastify'],
      rows,
      verdicts: verdictsOf(rates),
    }
  } finally {
    for (const { child } of contestants) child.end()
  }
}

async function run(options: RunOptions): Promise<TableResult> {
  const facts = [await runSize('1 KB', 1024, options), await runSize('100 KB', 100 * 1024, options)]
  const versions = ['fastify', 'express', 'apicache', 'lru-cache'].map(name => `${name} ${versionOf(name)}`).join(', ')
  return { works: [], facts: facts.map(one => ({ ...one, what: `${one.what}; ${versions}` })), missing: [] }
}

/** Cached responses over HTTP. */
export const http: Table = { name: 'http', title: 'A cached response over HTTP', run }
