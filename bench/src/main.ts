import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { dashboard } from './dashboard.ts'
import { files } from './files.ts'
import { withDirectory } from './fixtures.ts'
import { get } from './get.ts'
import { http } from './http.ts'
import type { Pace } from './harness.ts'
import { l1 } from './l1.ts'
import { memory } from './memory.ts'
import { redis } from './redis.ts'
import { factsText, save, workText } from './report.ts'
import { messageOf } from './say.ts'
import { stampede } from './stampede.ts'
import { createServers, machine } from './surroundings.ts'
import type { Table, TableResult } from './table.ts'
import { tiers } from './tiers.ts'

const TABLES: readonly Table[] = [l1, get, memory, redis, tiers, files, stampede, http, dashboard]
const FULL: Pace = { rounds: 15, warmUp: 4, turnMs: 100 }
const QUICK: Pace = { rounds: 3, warmUp: 1, turnMs: 4 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
})
const unknown = positionals.filter(name => !TABLES.some(table => table.name === name))
if (unknown.length > 0) {
  console.error(`no such table: ${unknown.join(', ')}; there are ${TABLES.map(table => table.name).join(', ')}`)
  process.exit(2)
}
const chosen = positionals.length === 0 ? TABLES : TABLES.filter(table => positionals.includes(table.name))
const { quick } = values
const results = join(dirname(dirname(fileURLToPath(import.meta.url))), 'results')
const servers = createServers()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

/** Palier itself gave a wrong answer, or broke a promise that is counted, not timed. */
function failures(result: TableResult): string[] {
  const wrong = result.works.flatMap(work =>
    work.disqualified.filter(({ role }) => role === 'palier').map(({ name, why }) => `${work.name}: ${name}: ${why}`),
  )
  return quick
    ? wrong
    : [...wrong, ...result.facts.flatMap(({ verdicts }) => verdicts.filter(({ met }) => !met).map(({ text }) => text))]
}

const failed: string[] = []

async function runTable(table: Table): Promise<void> {
  const before = machine()
  const startedAt = performance.now()
  console.log(`\n# ${table.title} (${table.name})\n`)
  try {
    const result = await table.run({ pace: quick ? QUICK : FULL, quick, servers, say: line => console.log(line) })
    for (const work of result.works) console.log(`${workText(work)}\n`)
    for (const facts of result.facts) console.log(`${factsText(facts)}\n`)
    for (const text of result.missing) console.log(`left out: ${text}`)
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    console.log(`${seconds} s, load before it ${before.loadBefore} on ${before.cpus} CPUs`)
    save(
      quick ? join(results, 'tmp') : results,
      { table: table.name, title: table.title, machine: before, seconds, ...result },
      TABLES,
    )
    failed.push(...failures(result))
  } catch (error) {
    console.error(error)
    failed.push(`${table.name}: ${messageOf(error)}`)
  }
}
// A backend that cannot be used is passed over for a directory; that one must not be left behind in the project.
await withDirectory(async dir => {
  process.env['CACHE_DIR'] = dir
  for (const table of chosen) await runTable(table)
})
await servers.stop()
for (const text of failed) console.error(`FAILED ${text}`)
// Some peers leave timers and sockets behind that would keep the process.
process.exit(failed.length === 0 ? 0 : 1)
