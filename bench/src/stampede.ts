import { join } from 'node:path'
import { startChild } from './children.ts'
import { withDirectory } from './fixtures.ts'
import type { Verdict } from './harness.ts'
import { type LoaderKind, LOADERS, type Place } from './loaders.ts'
import { messageOf } from './say.ts'
import type { StampedeResult, StampedeTask } from './stampede-child.ts'
import { versionOf } from './surroundings.ts'
import { type Facts, NO_REDIS, type RunOptions, type Table, type TableResult } from './table.ts'

/*
 * Many ask at once for one key that nobody has. How often is it loaded? The load takes a while, as a query does; one
 * load is the limit. Each case runs in processes of its own.
 */

const LOAD_MS = 100

interface Case {
  readonly name: string
  readonly processes: number
  readonly callers: number
  readonly kinds: readonly LoaderKind[]
}

async function stampedeOf(
  kind: LoaderKind,
  one: Case,
  place: Place,
  run: number,
): Promise<{ loads: number; ms: number; wrong: number }> {
  const key = `crowd-${one.processes}-${run}`
  const own = { ...place, dir: join(place.dir ?? '', `${LOADERS.indexOf(kind)}`) }
  const task: StampedeTask = { loader: kind.name, place: own, key, callers: one.callers, loadMs: LOAD_MS }
  const children = await Promise.all(
    Array.from({ length: one.processes }, () => startChild<StampedeResult>('./stampede-child.ts', task)),
  )
  try {
    const results = await Promise.all(children.map(child => child.go()))
    return {
      loads: results.reduce((sum, { loads }) => sum + loads, 0),
      wrong: results.reduce((sum, { wrong }) => sum + wrong, 0),
      ms: Math.max(...results.map(({ ms }) => ms)),
    }
  } finally {
    for (const child of children) child.end()
  }
}

async function runCase(one: Case, place: Place, times: number): Promise<Facts> {
  const rows: string[][] = []
  const verdicts: Verdict[] = []
  for (const kind of one.kinds) {
    try {
      const runs = []
      for (let i = 0; i < times; i++) runs.push(await stampedeOf(kind, one, place, i))
      const loads = runs.map(run => run.loads)
      const wrong = runs.reduce((sum, run) => sum + run.wrong, 0)
      const slowest = Math.max(...runs.map(({ ms }) => ms))
      rows.push([kind.name, versionOf(kind.package), loads.join(', '), `${slowest.toFixed(0)} ms`, String(wrong)])
      if (kind.package === 'palier') {
        const met = wrong === 0 && loads.every(count => count === 1)
        verdicts.push({ text: `${kind.name}: exactly one load`, met, figure: loads.join(', ') })
      }
    } catch (error) {
      rows.push([kind.name, versionOf(kind.package), messageOf(error), '', ''])
    }
  }
  const processes =
    one.processes === 1 ? 'one process' : `${one.processes} processes, started before and told to go together`
  return {
    name: one.name,
    what: `${one.callers} callers each in ${processes}; the load takes ${LOAD_MS} ms; ${times} runs; time until the last caller has its answer, the slowest run`,
    columns: ['contestant', 'version', 'loads', 'slowest', 'wrong answers'],
    rows,
    verdicts,
  }
}

async function run({ quick, servers, say }: RunOptions): Promise<TableResult> {
  const redis = await servers.redis()
  const able = LOADERS.filter(({ shared }) => shared !== 'redis' || redis !== undefined)
  const on = (shared: string): readonly LoaderKind[] => able.filter(kind => kind.shared === shared)
  const crowd = quick ? 50 : 100
  const processes = quick ? 2 : 4
  const cases: Case[] = quick
    ? [
        { name: 'one process', processes: 1, callers: 200, kinds: able.filter(kind => kind.name === 'palier, memory') },
        { name: `${processes} processes, files`, processes, callers: crowd, kinds: on('files').slice(0, 1) },
        { name: `${processes} processes, Redis`, processes, callers: crowd, kinds: on('redis').slice(0, 1) },
      ]
    : [
        { name: 'one process', processes: 1, callers: 1000, kinds: able },
        { name: `${processes} processes, files`, processes, callers: crowd, kinds: on('files') },
        { name: `${processes} processes, Redis`, processes, callers: crowd, kinds: on('redis') },
      ]
  return withDirectory(async dir => {
    const facts: Facts[] = []
    const place: Place = { ...(redis !== undefined && { redisUrl: redis.url }) }
    for (const one of cases) {
      say(`stampede: ${one.name}`)
      facts.push(await runCase(one, { ...place, dir: join(dir, `${one.processes}`) }, quick ? 1 : 3))
    }
    return { works: [], facts, missing: redis === undefined ? [NO_REDIS] : [] }
  })
}

export const stampede: Table = { name: 'stampede', title: 'Stampede: many callers, one missing key', run }
