import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { factsText } from '../report.ts'
import { columns, messageOf } from '../say.ts'
import { machine } from '../surroundings.ts'
import type { Facts } from '../table.ts'
import { CONTESTANTS } from './contestants.ts'
import { type Fault, FAULTS } from './faults.ts'
import { writeFigures } from './figures.ts'
import { BUDGETS, bootFacts, faultFacts, impossible } from './judge.ts'
import { outagePage } from './page.ts'
import { bootWithout, underFault } from './scenario.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', multiple: true }, keep: { type: 'boolean', default: true } },
  allowNegative: true,
})
const BOOT = 'boot'
const known = [BOOT, ...FAULTS.map(({ name }) => name)]
const unknown = positionals.filter(name => !known.includes(name))
if (unknown.length > 0) {
  console.error(`no such fault: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  process.exit(2)
}
const wanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name)
const contestants = CONTESTANTS.filter(({ name }) => values.only === undefined || values.only.includes(name))
// The exit of this process takes servers, processes and the network namespace with it.
process.setMaxListeners(64)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

async function tryFault(fault: Fault, act: () => Promise<Facts>): Promise<Facts> {
  try {
    return await act()
  } catch (error) {
    return impossible(fault, messageOf(error))
  }
}

async function boot(): Promise<Facts[]> {
  const cases = FAULTS.filter(({ name }) => name === 'refused' || name === 'hung')
  const run = async (fault: Fault): Promise<Facts> => {
    const { booted, fallen } = await bootWithout(fault, contestants)
    return bootFacts(fault, booted, fallen)
  }
  return Promise.all(cases.map(fault => tryFault(fault, () => run(fault))))
}

function show(facts: Facts): Facts {
  console.log(`\n${factsText(facts)}`)
  return facts
}

const before = machine()
const startedAt = performance.now()
console.log('Redis is taken away and given back: what do the calls of an application do?\n')
console.log(
  columns(
    ['budget of palier', 'note'],
    BUDGETS.map(({ text, value }) => [text, value]),
  ),
)
const all: Facts[] = []
if (wanted(BOOT)) all.push(...(await boot()).map(show))
for (const fault of FAULTS.filter(({ name }) => wanted(name))) {
  const run = async (): Promise<Facts> => {
    const { observed, fallen } = await underFault(fault, contestants)
    return faultFacts(fault, observed, fallen)
  }
  all.push(show(await tryFault(fault, run)))
}
const seconds = Math.round((performance.now() - startedAt) / 1000)
console.log(`\n${seconds} s, load before it ${before.loadBefore} on ${before.cpus} CPUs`)

if (positionals.length === 0 && values.only === undefined && values.keep) {
  const results = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'results')
  mkdirSync(results, { recursive: true })
  const saved = { table: 'outage', title: 'Outage', machine: before, seconds, budgets: BUDGETS, facts: all }
  writeFileSync(join(results, 'outage.json'), `${JSON.stringify(saved, null, 1)}\n`)
  writeFileSync(join(results, 'outage.md'), outagePage(saved, contestants))
  writeFigures(join(results, '..', '..', 'docs', 'guarantees.md'), before, all)
}
const missed = all.flatMap(({ name, verdicts }) => verdicts.filter(({ met }) => !met).map(one => ({ name, ...one })))
for (const { name, text, figure } of missed) console.error(`FAILED ${name}: ${text}: ${figure}`)
process.exitCode = missed.length === 0 ? 0 : 1
